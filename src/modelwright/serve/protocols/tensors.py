"""Tensors of the Open Inference Protocol V2, as JSON and as in KServe's binary tensor data extension."""

from __future__ import annotations

import base64
import math
import struct
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from modelwright.serve.errors import BadBody
from modelwright.serve.protocols.jsonbody import kind_of

DTYPES: dict[str, np.dtype[Any]] = {
    "BOOL": np.dtype("?"),
    "UINT8": np.dtype("<u1"),
    "UINT16": np.dtype("<u2"),
    "UINT32": np.dtype("<u4"),
    "UINT64": np.dtype("<u8"),
    "INT8": np.dtype("<i1"),
    "INT16": np.dtype("<i2"),
    "INT32": np.dtype("<i4"),
    "INT64": np.dtype("<i8"),
    "FP16": np.dtype("<f2"),
    "FP32": np.dtype("<f4"),
    "FP64": np.dtype("<f8"),
}
BYTES = "BYTES"
DATATYPES = (*DTYPES, BYTES)
SIZE = "binary_data_size"

Where = tuple[Any, ...]


class Tensor(msgspec.Struct, kw_only=True):
    """A tensor with its values in row-major order, flat.

    Attributes:
        name: Its name.
        shape: Sides; their product is the number of values.
        datatype: One of ``DATATYPES``.
        values: As JSON would hold them: ``None`` for a missing one.
        parameters: What else is said of it.
    """

    name: str
    shape: tuple[int, ...]
    datatype: str
    values: list[Any]
    parameters: dict[str, Any] = {}


def checked_shape(value: object, where: Where) -> tuple[int, ...]:
    """A tensor's shape. No memory is ever taken on its word: the values must be there.

    Raises:
        BadBody: It is no list of up to four sides.
    """
    if not isinstance(value, list) or len(value) > 4 or not all(_is_side(side) for side in value):
        raise BadBody("Must be a list of whole numbers.", kind="shape_invalid", loc=(*where, "shape"))
    return tuple(value)


def _is_side(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**40


def json_values(data: object, shape: tuple[int, ...], datatype: str, where: Where) -> list[Any]:
    """The values of a tensor's ``data``, nested by its shape or flat in row-major order.

    Raises:
        BadBody: There are more or fewer than the shape says, or one is of another type.
    """
    if not isinstance(data, list):
        raise BadBody(f"Must be a list, not {kind_of(data)}.", kind="list_type", loc=(*where, "data"))
    count = math.prod(shape)
    values = data
    for side in shape[1:]:
        if not all(isinstance(item, list) and len(item) == side for item in values):
            break
        values = [value for item in values for value in item]
    if len(values) != count:
        raise BadBody(
            f"There are {len(values)} values; the shape {list(shape)} has {count}.",
            kind="length_mismatch",
            loc=(*where, "data"),
        )
    return _typed(values, datatype, where)


def _typed(values: list[Any], datatype: str, where: Where) -> list[Any]:
    """The values, where each is of the datatype or null; a BOOL may be 0 and 1, as some clients send it."""
    if datatype == BYTES:
        fits = all(value is None or isinstance(value, str) for value in values)
    elif datatype == "BOOL":
        fits = all(value is None or (value in (0, 1) and not isinstance(value, str)) for value in values)
        values = [value if value is None else bool(value) for value in values] if fits else values
    elif datatype.startswith("FP"):
        fits = all(
            value is None or (isinstance(value, int | float) and not isinstance(value, bool))
            for value in values
        )
    else:
        fits = all(value is None or _whole(value, datatype) for value in values)
    if not fits:
        raise BadBody(f"A value is no {datatype}.", kind="value_type", loc=(*where, "data"))
    return values


def _whole(value: object, datatype: str) -> bool:
    if isinstance(value, bool) or not isinstance(value, int):
        return False
    limits = np.iinfo(DTYPES[datatype])
    return bool(limits.min <= value <= limits.max)


def binary_values(
    data: bytes, shape: tuple[int, ...], datatype: str, where: Where, *, image: bool = False
) -> list[Any]:
    """The values of a tensor's bytes: little-endian, row-major; BYTES each with its length before it.

    There is no null here, so NaN stands for a missing value. For an ``image`` column, bytes that are
    no text are the image itself, and become base64 as in JSON.

    Raises:
        BadBody: There are more or fewer than the shape says, or text is no UTF-8.
    """
    count = math.prod(shape)
    if datatype == BYTES:
        return [_text(element, image, where) for element in _elements(data, count, where)]
    dtype = DTYPES[datatype]
    if len(data) != count * dtype.itemsize:
        raise BadBody(
            f"There are {len(data)} bytes; {count} values of {datatype} have {count * dtype.itemsize}.",
            kind="length_mismatch",
            loc=where,
        )
    if datatype == "BOOL":
        return [byte != 0 for byte in data]
    array = np.frombuffer(data, dtype=dtype)
    values: list[Any] = array.tolist()
    if datatype.startswith("FP") and np.isnan(array).any():
        values = [None if value != value else value for value in values]  # noqa: PLR0124
    return values


def _elements(data: bytes, count: int, where: Where) -> list[bytes]:
    elements: list[bytes] = []
    place = 0
    while place + 4 <= len(data) and len(elements) < count:
        (length,) = struct.unpack_from("<I", data, place)
        if place + 4 + length > len(data):
            break
        elements.append(data[place + 4 : place + 4 + length])
        place += 4 + length
    if len(elements) != count or place != len(data):
        raise BadBody(
            f"The bytes hold {len(elements)} whole elements, up to byte {place} of {len(data)}; "
            f"the shape has {count}.",
            kind="length_mismatch",
            loc=where,
        )
    return elements


def _text(element: bytes, image: bool, where: Where) -> str:
    try:
        return element.decode("utf-8")
    except UnicodeDecodeError:
        if image:
            return base64.b64encode(element).decode("ascii")
        raise BadBody("An element is not UTF-8 text.", kind="value_type", loc=where) from None


def to_binary(values: Sequence[Any], datatype: str) -> bytes:
    """The bytes of a tensor's values; ``None`` is NaN in a floating one, else empty text or zero."""
    if datatype == BYTES:
        encoded = [("" if value is None else str(value)).encode() for value in values]
        return b"".join(struct.pack("<I", len(text)) + text for text in encoded)
    missing = math.nan if datatype.startswith("FP") else 0
    return np.array(
        [missing if value is None else value for value in values], dtype=DTYPES[datatype]
    ).tobytes()
