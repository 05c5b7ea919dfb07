"""How values are written: numbers, moments and categories in words, for reading and for messages."""

from __future__ import annotations

import math
import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from modelwright.bundle.encode import clean_string

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_SPACED_OFFSET = re.compile(r"(?<=\d)\s+(Z|[+-]\d{2}(?::?\d{2})?)$", re.ASCII)


def is_number(text: str) -> bool:
    """Whether ``text`` is a decimal number, written the one way everybody reads alike."""
    return _NUMBER.fullmatch(text) is not None


def moment(value: Any, form: str = "") -> datetime | None:
    """The UTC moment that ``value`` says; ``None`` for a type that says none.

    Args:
        value: A date, a date-time, or a string in ISO 8601 or in ``form``.
        form: How the training data spells a moment, as ``strptime`` takes it; empty for ISO 8601.

    Raises:
        ValueError: The string is neither.
    """
    if isinstance(value, str):
        value = _spelled_moment(value.strip(), form)
    elif isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day, tzinfo=UTC)
    if not isinstance(value, datetime):
        return None
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _spelled_moment(text: str, form: str) -> datetime:
    try:
        # ISO 8601 has no space before the offset, yet many programs write one.
        return datetime.fromisoformat(_SPACED_OFFSET.sub(r"\1", text))
    except ValueError:
        if not form:
            raise
    return datetime.strptime(text, form)


def spellings(value: Any) -> list[str]:
    """How a value may be written as text, most likely first; none for what is not a single value."""
    if isinstance(value, str):
        stripped = value.strip()
        return [value] if stripped == value else [value, stripped]
    if isinstance(value, bool):
        return ["true", "True", "TRUE"] if value else ["false", "False", "FALSE"]
    if isinstance(value, int) and value.bit_length() < 1024:
        return [str(value), f"{value}.0"]
    if isinstance(value, float) and math.isfinite(value):
        return list(dict.fromkeys([plain(value), repr(value)]))
    if isinstance(value, Decimal | date):
        return [str(value)]
    return []


def plain(number: float) -> str:
    """A number as a person writes it: no ``.0`` after a whole one."""
    if isinstance(number, float) and number.is_integer() and abs(number) < 1e16:
        return str(int(number))
    return str(number)


def iso(seconds: float) -> str:
    """Epoch seconds as an ISO 8601 moment."""
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat()
    except (ValueError, OverflowError, OSError):
        return plain(seconds)


def why_no_number(text: str) -> str:
    """What to say of a text that is not a number."""
    shown = short(text)
    if "," in text and is_number(text.replace(",", "")):
        return f"'{shown}' could be read in two ways: write a number with a dot and without grouping"
    return f"'{shown}' is not a number"


def kind_of(value: Any) -> str:
    """A value's kind in the words of JSON, with a short form of it."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return f"the text '{short(value)}'"
        case int() | float():
            return f"the number {short(_safe_text(value))}"
        case list() | tuple():
            return "a list"
        case dict():
            return "an object"
        case _:
            return f"a value of type {type(value).__name__}"


def _safe_text(value: Any) -> str:
    try:
        return str(value)
    except ValueError:  # Python refuses to write integers of more than 4300 digits
        return "of thousands of digits"


def short(text: str, limit: int = 60) -> str:
    """``text`` fit for a message: cleaned, and cut where it is long."""
    cleaned = clean_string(text[: limit + 1])
    return cleaned if len(cleaned) <= limit else f"{cleaned[:limit]}..."
