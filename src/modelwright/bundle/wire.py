"""Protocol-buffer bytes written straight from arrays, for what is too long to be Python objects.

A forest's attributes are millions of numbers; in protobuf's own objects each of them lies in memory
several times over before a graph is written. Here an array becomes its bytes at once.
Source: https://protobuf.dev/programming-guides/encoding and ``onnx.proto`` (field numbers).
"""

from __future__ import annotations

import numpy as np

_VARINT, _LENGTH = 0, 2
_MOST_BYTES = 10  # of a varint: 64 bits, seven a byte

_NAME, _FLOATS, _INTS, _TYPE = 1, 7, 8, 20  # of an ONNX AttributeProto
_TYPE_FLOATS, _TYPE_INTS = 6, 7


def varint(value: int) -> bytes:
    """One whole number of 0 or more: seven bits a byte, the lowest first."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def varints(values: np.ndarray) -> bytes:
    """All of an integer array, one after the other; negative numbers as two's complement of 64 bits."""
    rest = np.ascontiguousarray(values, dtype=np.int64).view(np.uint64)
    if not rest.size:
        return b""
    width = max(1, -(-int(rest.max()).bit_length() // 7))
    out = np.empty((rest.size, min(width, _MOST_BYTES)), dtype=np.uint8)
    used = np.ones(out.shape, dtype=np.bool_)
    for place in range(out.shape[1]):
        out[:, place] = rest & np.uint64(0x7F)
        rest = rest >> np.uint64(7)
        more = rest > 0
        out[more, place] |= 0x80
        used[:, place + 1 : place + 2] = more[:, None]
    return out[used].tobytes()


def message(field: int, data: bytes) -> bytes:
    """A field of a message that holds ``data``: a text, bytes, another message, or packed numbers."""
    return b"".join((varint(field << 3 | _LENGTH), varint(len(data)), data))


def number(field: int, value: int) -> bytes:
    """A field that holds one whole number of 0 or more."""
    return varint(field << 3 | _VARINT) + varint(value)


def numbers_attribute(name: str, values: np.ndarray) -> bytes:
    """An ONNX AttributeProto: INTS of integers or booleans, FLOATS (rounded to float32) of others."""
    if values.dtype.kind in "iub":
        body, kind = message(_INTS, varints(values)), _TYPE_INTS
    else:
        body = message(_FLOATS, np.ascontiguousarray(values, dtype="<f4").tobytes())
        kind = _TYPE_FLOATS
    return message(_NAME, name.encode()) + body + number(_TYPE, kind)
