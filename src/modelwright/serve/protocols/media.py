"""Content types and what a client accepts (RFC 9110, 8.3 and 12.5.1), as far as anybody here needs them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from email.message import Message

from modelwright.serve.errors import Unsupported

_UTF8 = frozenset({"utf-8", "utf8", "us-ascii", "ascii"})


def media_type(headers: Mapping[str, str], default: str) -> tuple[str, dict[str, str]]:
    """The content type in lower case, with its parameters."""
    given = headers.get("content-type", "").strip()
    if not given:
        return default, {}
    message = Message()
    message["content-type"] = given.replace("\r", " ").replace("\n", " ")[:1000]
    kind = given.partition(";")[0].strip().lower()
    parameters = message.get_params(failobj=[], unquote=True)
    return kind, {str(name).lower(): str(value) for name, value in parameters[1:]}


def only_utf8(parameters: Mapping[str, str]) -> None:
    """Refuse any charset but UTF-8.

    Raises:
        Unsupported: Another one is named.
    """
    charset = parameters.get("charset", "utf-8").lower()
    if charset not in _UTF8:
        raise Unsupported(f"The charset {charset[:40]!r} is not read here.", "Send UTF-8.")


def accepted(headers: Mapping[str, str], offers: Iterable[str]) -> str | None:
    """The offer that ``Accept`` likes best, the first one where there is no preference; ``None`` for none."""
    offered = list(offers)
    wanted = headers.get("accept", "").strip().lower()[:2000]
    if not wanted:
        return offered[0]
    ranges = [_weighed(part) for part in wanted.split(",")]
    liked = [(max(_quality(offer, ranges), 0.0), -place, offer) for place, offer in enumerate(offered)]
    quality, _, best = max(liked)
    return best if quality > 0 else None


def _weighed(part: str) -> tuple[str, float]:
    kind, *parameters = (piece.strip() for piece in part.split(";"))
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return kind, min(float(value), 1.0)
            except ValueError:
                return kind, 0.0
    return kind, 1.0


def _quality(offer: str, ranges: list[tuple[str, float]]) -> float:
    """Of the most specific range that fits ``offer``."""
    for pattern in (offer, offer.partition("/")[0] + "/*", "*/*", "*"):
        for kind, quality in ranges:
            if kind == pattern:
                return quality
    return 0.0
