"""How values become what both databases keep the same way, and back again, without loss.

Times are whole microseconds since 1970 (UTC), so that they order alike everywhere. JSON is text, not
``jsonb``: PostgreSQL's ``jsonb`` refuses U+0000, rounds nothing but reorders keys, and buys us nothing,
as nothing is searched inside it. Characters that a database refuses (U+0000, lone surrogates) are kept
by an escape in plain text and by JSON's own ``\\u`` escapes in JSON.
"""

from __future__ import annotations

import json
import math
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from modelwright.store.errors import Unstorable

MAX_KEY = 200
"""Longest identifier in characters: four bytes each, and PostgreSQL's index entry ends at 2,704."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode
_ESCAPE = "\x1a"
_REFUSED = re.compile("[\x00\x1a\ud800-\udfff]")
_ESCAPED = re.compile("\x1a([0-9a-f]{4})")


def micros(time: datetime) -> int:
    """``time`` as microseconds since 1970. Raises ``Unstorable`` without a time zone."""
    if time.tzinfo is None:
        raise Unstorable(
            f"The time {time.isoformat()} has no time zone.", "Give times in UTC: datetime.now(UTC)."
        )
    return (time - _EPOCH) // _MICROSECOND


def moment(value: int) -> datetime:
    """The UTC time of ``micros``."""
    return _EPOCH + timedelta(microseconds=value)


def pack(value: Any) -> str:
    """``value`` as JSON text. Raises ``Unstorable`` for what JSON has no form for.

    NaN and the infinities keep their value as the words ``NaN`` and ``Infinity``, which ``unpack`` (and
    Python's own parser) reads: a metric may be undefined and a refused row may hold anything.
    """
    try:
        text = _encode(value)
        if b"null" not in text or not _has_non_finite(value):  # msgspec writes NaN as null
            return text.decode()
        return json.dumps(msgspec.to_builtins(value, str_keys=True))
    except UnicodeEncodeError:
        return json.dumps(msgspec.to_builtins(value, str_keys=True))
    except (TypeError, ValueError, RecursionError, OverflowError) as error:
        raise Unstorable(
            f"A value cannot be stored as JSON: {error}.",
            "Store plain values only: numbers, strings, lists and mappings.",
        ) from error


def unpack(text: str) -> Any:
    """What ``pack`` wrote."""
    try:
        return _decode(text)
    except msgspec.DecodeError:  # NaN, Infinity or a lone surrogate: rare, and Python's parser reads them
        return json.loads(text)


def keep(text: str) -> str:
    """``text`` with the characters that a database refuses escaped; nearly always ``text`` itself."""
    if _REFUSED.search(text) is None:
        return text
    return _REFUSED.sub(lambda match: f"{_ESCAPE}{ord(match[0]):04x}", text)


def restore(text: str) -> str:
    """What ``keep`` was given."""
    if _ESCAPE not in text:
        return text
    return _ESCAPED.sub(lambda match: chr(int(match[1], 16)), text)


def key(text: str, what: str) -> str:
    """``text`` as an identifier that an index can hold. Raises ``Unstorable`` if it is too long."""
    if len(text) > MAX_KEY:
        raise Unstorable(
            f"The {what} '{text[:40]}…' has {len(text)} characters.",
            f"Use at most {MAX_KEY} characters.",
        )
    return keep(text)


def finite(value: float, what: str) -> float:
    """``value`` if it is a number; SQLite would store NaN as nothing. Raises ``Unstorable``."""
    if math.isfinite(value):
        return value
    raise Unstorable(f"The {what} is {value}, not a number.", "Give a finite number.")


def _has_non_finite(value: Any) -> bool:
    if isinstance(value, float):
        return not math.isfinite(value)
    if isinstance(value, dict):
        return any(map(_has_non_finite, value.values()))
    if isinstance(value, list | tuple | set | frozenset):
        return any(map(_has_non_finite, value))
    if isinstance(value, msgspec.Struct):
        return any(_has_non_finite(getattr(value, name)) for name in value.__struct_fields__)
    return False
