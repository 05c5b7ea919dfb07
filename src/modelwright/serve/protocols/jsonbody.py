"""JSON as a careful server reads it: UTF-8, finite numbers, no name twice in an object, not too deep."""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec

from modelwright.serve.errors import BadBody, TooLarge

_BOM = b"\xef\xbb\xbf"
_DIGITS = bytes(ord("0") if character in b"0123456789" else ord(" ") for character in range(256))
_LONG = b"0" * 19  # once all digits are 0: a number that is perhaps beyond 64 bits
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_MOST_VALUES = 2_500_000  # ten thousand rows of 250 columns; as Python objects they take 250 MB at the most
_decode = msgspec.json.decode


def parse(body: bytes) -> Any:
    """The value of a JSON body.

    A name that stands twice in an object is refused: which of the two counts is not agreed on
    between programs (RFC 8259, 4), so a proxy may have judged by the one and we by the other. A whole
    number beyond 64 bits becomes a floating one, as in most programs: logs and models hold no others.

    Raises:
        BadBody: It is no JSON, or has a duplicate name, a number that is none, or too many levels.
        TooLarge: It has more values than any request needs; they would take many times the body's memory.
    """
    if body.startswith(_BOM):
        body = body[len(_BOM) :]
    if body.count(b",") > _MOST_VALUES and _STRING.sub(b"", body).count(b",") > _MOST_VALUES:
        raise TooLarge(f"The body has more than {_MOST_VALUES} values.", "Send fewer rows at once.")
    try:
        value = _decode(body)
    except RecursionError:
        raise BadBody("The JSON is nested too deeply.") from None
    except UnicodeDecodeError as error:
        raise BadBody(f"The body is not UTF-8 (byte {error.start}).") from None
    except msgspec.DecodeError as error:
        raise BadBody(_worded(body, str(error))) from None
    # Each member has a colon, and strings may have more of them: where the counts are equal, no name
    # stands twice. Else a slower parser tells.
    if body.count(b":") != _members(value):
        _refuse_duplicates(body)
    return _narrowed(value) if _LONG in body.translate(_DIGITS) else value


def parse_object(body: bytes) -> dict[str, Any]:
    """The value of a JSON body that must be an object.

    Raises:
        BadBody: See ``parse``, or it is another kind of value.
    """
    value = parse(body)
    if not isinstance(value, dict):
        raise BadBody(f"The body must be a JSON object, not {kind_of(value)}.", kind="dict_type")
    return value


def kind_of(value: object) -> str:
    """What a JSON value is, for a message."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return "a string"
    if isinstance(value, dict):
        return "an object"
    return "a list" if isinstance(value, list) else "a number"


def _worded(body: bytes, message: str) -> str:
    if not body.strip():
        return "The body is empty."
    place = re.search(r"\(byte ([0-9]+)\)", message)
    if place and re.match(rb"-?(NaN|Infinity|inf|nan)", body[int(place[1]) :][:10]):
        return "NaN and Infinity are no JSON; send null for a missing value."
    return f"The body is not valid JSON: {message}."


def _members(value: Any) -> int:
    """How many members all objects in ``value`` have."""
    total = 0
    stack: list[Any] = [value] if isinstance(value, dict | list) else []
    while stack:
        part = stack.pop()
        if type(part) is dict:
            total += len(part)
            part = part.values()
        for inner in part:
            kind = type(inner)
            if kind is dict or kind is list:
                stack.append(inner)
    return total


def _narrowed(value: Any) -> Any:
    """``value`` with every whole number within 64 bits, the others as floating ones; in place."""
    whole = {"value": value}
    stack: list[Any] = [whole]
    while stack:
        part = stack.pop()
        places = part.items() if isinstance(part, dict) else enumerate(part)
        for place, inner in list(places):
            if isinstance(inner, dict | list):
                stack.append(inner)
            elif isinstance(inner, int) and not -(2**63) <= inner < 2**64:
                part[place] = _floating(inner)
    return whole["value"]


def _floating(number: int) -> float:
    try:
        return float(number)
    except OverflowError:
        raise BadBody("A number in the body is out of range.") from None


def _refuse_duplicates(body: bytes) -> None:
    json.loads(body.decode(), object_pairs_hook=_distinct)


def _distinct(pairs: list[tuple[str, Any]]) -> None:
    seen: set[str] = set()
    for name, _ in pairs:
        if name in seen:
            raise BadBody(f"The name {name[:100]!r} stands twice in one object.", kind="duplicate_key")
        seen.add(name)
