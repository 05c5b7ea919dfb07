"""What stands in a journal, as values, and their bytes (msgpack).

A group is what one turn of a worker's event loop had to say; it is one frame of a segment. Every
segment starts with the contexts its entries refer to, so each can be read alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec


class Context(msgspec.Struct, frozen=True, array_like=True, tag="c"):
    """What many entries share.

    Attributes:
        number: What entries call it.
        project, version: Who answered.
        names: Input columns, so that a row may be a list.
        role: "champion", "challenger" or "canary".
    """

    number: int
    project: str
    version: int
    names: tuple[str, ...]
    role: str = "champion"


class Entry(msgspec.Struct, array_like=True, tag="p"):
    """One answered or refused row.

    Attributes:
        context: Number of its context.
        id: Prediction id.
        given: Whether the client gave the id.
        time: Microseconds since the epoch, UTC.
        status: HTTP status.
        inputs: The row: values in the order of the context's names, or a mapping, or as it was sent.
        reply: The JSON answer of this row, as it left.
        latency: Seconds in the server.
        client: Who asked.
        protocol: How.
    """

    context: int
    id: str
    given: bool
    time: int
    status: int
    inputs: Any
    reply: bytes
    latency: float
    client: str
    protocol: str


class Note(msgspec.Struct, frozen=True, array_like=True, tag="n"):
    """An event a worker wants recorded."""

    project: str
    kind: str
    message: str
    data: dict[str, Any]


Item = Context | Entry | Note

_encoder = msgspec.msgpack.Encoder()
_NOT_PACKED = (TypeError, ValueError, OverflowError, RecursionError)  # UnicodeEncodeError is a ValueError
_LEVELS = 50
_decoder = msgspec.msgpack.Decoder(list[Item])


def pack(items: Sequence[Item]) -> bytes:
    """The bytes of a group.

    What a client sent may hold what msgpack has no form for (an integer of 30 digits, half a surrogate
    pair, a thousand levels); such inputs are put into words, as one row must not cost the others their log.
    """
    try:
        return _encoder.encode(items)
    except _NOT_PACKED:
        return _encoder.encode([_worded(item) if isinstance(item, Entry) else item for item in items])


def _worded(entry: Entry) -> Entry:
    try:
        _encoder.encode(entry.inputs)
    except _NOT_PACKED:
        return msgspec.structs.replace(entry, inputs=_plain(entry.inputs, _LEVELS))
    return entry


def _plain(value: Any, levels: int) -> Any:
    """``value`` of plain things only."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, int) and value.bit_length() > 63:
        return float(value) if value.bit_length() < 1000 else "(an integer of many digits)"
    if value is None or isinstance(value, bool | int | float):
        return value
    return _plain_nested(value, levels)


def _plain_nested(value: Any, levels: int) -> Any:
    if levels == 0:
        return "(nested too deeply)"
    if isinstance(value, dict):
        return {str(_plain(key, 0)): _plain(each, levels - 1) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each, levels - 1) for each in value]
    return repr(value)[:200]


def unpack(payload: bytes) -> list[Item]:
    """The group of some bytes.

    Raises:
        msgspec.DecodeError: They are none.
    """
    return _decoder.decode(payload)
