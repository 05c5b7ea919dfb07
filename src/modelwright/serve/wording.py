"""How a row's answer is put together, and what of a request goes into the log."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from modelwright.serve.asks import Ask

META = frozenset({"latency", "prediction_id", "model_version", "warnings"})
"""Members of a row's reply that are not the answer."""

_LOGGED_BODY = 2000  # characters of a body that was no JSON
_LOGGED_ROWS = 100  # of a batch that was refused
_encode = msgspec.json.Encoder().encode


def piece_of(fragment: bytes, latency: float, id: str, version: int, warnings: Sequence[Any] = ()) -> bytes:
    """The JSON of one row's answer.

    Args:
        fragment: The members of the answer, without braces.
        latency: Seconds.
        id: The prediction's.
        version: Who answered.
        warnings: Of the row.
    """
    told = b',"warnings":' + _encode(warnings) if warnings else b""
    return b"{%b%b%b}" % (fragment, meta_of(latency, id, version), told)


def meta_of(latency: float, id: str, version: int) -> bytes:
    """What follows an answer in a row's JSON."""
    return b',"latency":%.6f,"prediction_id":"%b","model_version":%d' % (latency, id.encode(), version)


def shadow_id(id: str, version: int) -> str:
    """The id under which a challenger's answer beside prediction ``id`` is in the log."""
    return f"{id}~v{version}"


def logged_inputs(ask: Ask) -> Any:
    """What the log keeps of a refused request: its row or rows, or its body as it was sent."""
    rows = ask.sent
    if rows:
        return rows[0] if len(rows) == 1 else list(rows[:_LOGGED_ROWS])
    return bytes(ask.body[:_LOGGED_BODY]).decode("utf-8", "replace")
