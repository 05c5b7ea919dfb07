"""Query parameters, and fields that several routes take, checked."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from modelwright.serve.errors import BadBody, ServeError, clip

_MOST_DIGITS = 12
_LONGEST_REASON = 1000
_YES, _NO = frozenset({"true", "1", "yes", "known"}), frozenset({"false", "0", "no", "unknown"})


class BadQuery(ServeError):
    """A query parameter that cannot be used."""

    status = 400

    def __init__(self, name: str, value: str, wanted: str) -> None:
        problem = {
            "loc": ["query", name],
            "msg": f"Must be {wanted}.",
            "type": "query_invalid",
            "input": clip(value),
        }
        super().__init__("Input validation failed", problems=(problem,))


def only(query: Mapping[str, str], *names: str) -> None:
    """Refuse parameters that would do nothing: a filter that is spelt wrongly must not give everything.

    Raises:
        BadQuery: There is another one than ``names``.
    """
    for name in query:
        if name not in names:
            raise BadQuery(name[:100], query[name], f"left out; there are {', '.join(names)}")


def whole(query: Mapping[str, str], name: str, default: int | None, *, most: int) -> int | None:
    """A whole number from 1 on."""
    text = query.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit()) or len(text) > _MOST_DIGITS or not 1 <= int(text) <= most:
        raise BadQuery(name, text, f"a whole number from 1 to {most}")
    return int(text)


def truth(query: Mapping[str, str], name: str) -> bool | None:
    """Yes, no, or not asked."""
    text = query.get(name)
    if text is None or text.lower() in _YES:
        return None if text is None else True
    if text.lower() in _NO:
        return False
    raise BadQuery(name, text, "true or false")


def moment(query: Mapping[str, str], name: str) -> datetime | None:
    """An RFC 3339 time; without a zone it is UTC."""
    text = query.get(name)
    if text is None:
        return None
    try:
        # A plus sign that was not encoded arrives as a space.
        found = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
    except ValueError:
        raise BadQuery(name, text, "a time such as 2026-01-31T12:00:00Z") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def reason_of(document: Mapping[str, Any], *, default: str) -> str:
    """Why somebody asks, in words.

    Raises:
        BadBody: It is no text, empty or too long.
    """
    reason = document.get("reason", default)
    if reason == default:
        return default
    if not isinstance(reason, str) or not reason.strip() or len(reason) > _LONGEST_REASON:
        raise BadBody(
            f"Must be a text of at most {_LONGEST_REASON} characters.",
            kind="string_type",
            loc=("body", "reason"),
        )
    return reason
