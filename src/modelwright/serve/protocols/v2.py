"""The Open Inference Protocol V2 (KServe, Triton, MLServer): requests of ``POST /v2/models/{name}/infer``.

Inputs are one tensor per column, of shape [N] or [N, 1], named as the column; or one tensor of shape
[N, columns], of any name, where all columns are numbers (or the tensor is of BYTES). Tensors are JSON,
or bytes after the JSON (the binary tensor data extension).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from modelwright.schema.columns import Kind, TableSchema
from modelwright.serve.errors import BadBody, Unsupported
from modelwright.serve.protocols import jsonbody
from modelwright.serve.protocols.call import (
    JSON,
    MOST_ROWS,
    Call,
    Row,
    request_id,
    row_ids,
    rows_limited,
    rows_of_columns,
)
from modelwright.serve.protocols.media import media_type, only_utf8
from modelwright.serve.protocols.tensors import (
    BYTES,
    DATATYPES,
    SIZE,
    Tensor,
    Where,
    binary_values,
    checked_shape,
    json_values,
)

HEADER_LENGTH = "inference-header-content-length"
OCTETS = "application/octet-stream"
_TYPES = frozenset({JSON, OCTETS, "application/x-www-form-urlencoded"})  # the last: plain ``curl -d``
_NUMBERS = frozenset({Kind.NUMERIC, Kind.INTEGER, Kind.BOOLEAN})
_MOST_TENSORS = 10_000


class Wanted(msgspec.Struct, frozen=True):
    """An output the client asks for, and whether as bytes."""

    name: str
    binary: bool


class V2Call(Call, kw_only=True):
    """A call with what the protocol says beside the rows.

    Attributes:
        echo: The request's ``id``, to be sent back; ``None`` if it had none.
        wanted: Outputs asked for; none means all.
        binary: All outputs as bytes where none is asked for by name.
    """

    echo: str | None = None
    wanted: tuple[Wanted, ...] = ()
    binary: bool = False


def read(
    body: bytes, headers: Mapping[str, str], schema: TableSchema, *, most_rows: int = MOST_ROWS
) -> V2Call:
    """The call in a body of ``/infer``; arguments and errors as in ``predict.read``."""
    kind, parameters = media_type(headers, JSON)
    if kind not in _TYPES:
        raise Unsupported(f"A body of type {kind[:80]!r} is not read here.", f"Send {JSON}.")
    only_utf8(parameters)
    head, tail = _divided(body, headers.get(HEADER_LENGTH))
    value = jsonbody.parse_object(head)
    tensors = _tensors(value.get("inputs"), tail, schema)
    rows = _rows(tensors, schema)
    rows_limited(len(rows), most_rows)
    echo = value.get("id")
    if echo is not None and not isinstance(echo, str):
        raise BadBody("Must be a string.", kind="string_type", loc=("body", "id"))
    wanted, binary = _wanted(value)
    return V2Call(
        rows=rows,
        ids=row_ids(request_id(echo or None, headers), len(rows)),
        echo=echo,
        wanted=wanted,
        binary=binary,
    )


def _divided(body: bytes, length: str | None) -> tuple[bytes, bytes | None]:
    """The JSON and the bytes after it; ``None`` where all is JSON."""
    if length is None:
        return body, None
    if not (length.isascii() and length.isdigit()) or len(length) > 15 or not 0 < int(length) <= len(body):
        raise BadBody(
            "Must be the length of the JSON at the body's begin.",
            kind="header_length_invalid",
            loc=("header", HEADER_LENGTH),
        )
    return body[: int(length)], body[int(length) :]


def _tensors(inputs: object, tail: bytes | None, schema: TableSchema) -> list[Tensor]:
    if not isinstance(inputs, list) or not inputs:
        raise BadBody("Must be a list of tensors.", kind="list_type", loc=("body", "inputs"))
    if len(inputs) > _MOST_TENSORS:
        raise BadBody("There are too many tensors.", kind="too_long", loc=("body", "inputs"))
    images = {column.name for column in schema if column.kind is Kind.IMAGE}
    tensors: list[Tensor] = []
    start = 0
    for place, item in enumerate(inputs):
        where: Where = ("body", "inputs", place)
        tensor = _described(item, where)
        size = tensor.parameters.get(SIZE)
        if size is None:
            tensor.values = json_values(item.get("data"), tensor.shape, tensor.datatype, where)
        else:
            piece = _piece(tail, start, size, where)
            image = tensor.name in images
            tensor.values = binary_values(piece, tensor.shape, tensor.datatype, where, image=image)
            start += len(piece)
        tensors.append(tensor)
    if tail is not None and start != len(tail):
        raise BadBody(
            f"After the JSON there are {len(tail)} bytes; the inputs account for {start}.",
            kind="length_mismatch",
        )
    return tensors


def _described(item: object, where: Where) -> Tensor:
    if not isinstance(item, dict):
        raise BadBody(
            f"A tensor must be an object, not {jsonbody.kind_of(item)}.", kind="dict_type", loc=where
        )
    name = item.get("name")
    if not isinstance(name, str):
        raise BadBody("A tensor must have a name.", kind="string_type", loc=(*where, "name"))
    datatype = item.get("datatype")
    if datatype not in DATATYPES:
        raise BadBody(
            f"A datatype is one of {', '.join(DATATYPES)}.", kind="datatype_unknown", loc=(*where, "datatype")
        )
    parameters = _parameters(item, where)
    if "shared_memory_region" in parameters:
        raise BadBody("Shared memory is not read here; send the data.", kind="unsupported", loc=where)
    shape = checked_shape(item.get("shape"), where)
    return Tensor(name=name, shape=shape, datatype=datatype, values=[], parameters=parameters)


def _parameters(item: dict[str, Any], where: Where) -> dict[str, Any]:
    parameters = item.get("parameters")
    if parameters is None:
        return {}
    if not isinstance(parameters, dict):
        raise BadBody("Must be an object.", kind="dict_type", loc=(*where, "parameters"))
    return parameters


def _piece(tail: bytes | None, start: int, size: object, where: Where) -> bytes:
    if tail is None:
        raise BadBody(
            f"Binary data needs the header {HEADER_LENGTH}.", kind="header_length_invalid", loc=where
        )
    if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= len(tail) - start:
        raise BadBody(f"The {SIZE} is no length of bytes that are there.", kind="length_mismatch", loc=where)
    return tail[start : start + size]


def _rows(tensors: list[Tensor], schema: TableSchema) -> list[Row]:
    first = tensors[0]
    width = len(schema.columns)
    one_column = width == 1 and first.name in schema.names
    if len(tensors) == 1 and len(first.shape) == 2 and first.shape[1] == width and not one_column:
        return _packed(first, schema)
    columns: dict[str, list[Any]] = {}
    for place, tensor in enumerate(tensors):
        where: Where = ("body", "inputs", place)
        if tensor.name in columns:
            raise BadBody(f"There are two tensors {tensor.name[:100]!r}.", kind="duplicate_key", loc=where)
        if tensor.name not in schema.names and tensor.name not in schema.lineage:
            raise BadBody(_unknown(tensor, schema), kind="tensor_unknown", loc=(*where, "name"))
        if len(tensor.shape) == 0 or any(side != 1 for side in tensor.shape[1:]):
            raise BadBody(
                f"The shape of a column is [rows] or [rows, 1], not {list(tensor.shape)}.",
                kind="shape_invalid",
                loc=(*where, "shape"),
            )
        columns[tensor.name] = tensor.values
    return rows_of_columns(columns)


def _unknown(tensor: Tensor, schema: TableSchema) -> str:
    names = ", ".join(repr(name) for name in schema.names[:8])
    more = ", …" if len(schema.names) > 8 else ""
    return (
        f"There is no input {tensor.name[:100]!r}. Send one tensor per column ({names}{more}), "
        f"or one of shape [rows, {len(schema.names)}] with them in this order."
    )


def _packed(tensor: Tensor, schema: TableSchema) -> list[Row]:
    if tensor.datatype != BYTES:
        for column in schema:
            if column.kind not in _NUMBERS:
                raise BadBody(
                    f"The column {column.name!r} holds no numbers, so a tensor of {tensor.datatype} cannot "
                    "carry all columns; send one tensor per column.",
                    kind="tensor_packed",
                    loc=("body", "inputs", 0),
                )
    width = tensor.shape[1]
    values = tensor.values
    return [values[start : start + width] for start in range(0, len(values), width)]


def _wanted(value: dict[str, Any]) -> tuple[tuple[Wanted, ...], bool]:
    binary = _parameters(value, ("body",)).get("binary_data_output", False) is True
    outputs = value.get("outputs")
    if outputs is None:
        return (), binary
    if not isinstance(outputs, list) or len(outputs) > _MOST_TENSORS:
        raise BadBody("Must be a list of outputs.", kind="list_type", loc=("body", "outputs"))
    wanted = []
    for place, item in enumerate(outputs):
        where: Where = ("body", "outputs", place)
        if not isinstance(item, dict) or not isinstance(item.get("name"), str):
            raise BadBody("An output must be an object with a name.", kind="dict_type", loc=where)
        parameters = _parameters(item, where)
        for extension in ("classification", "shared_memory_region"):
            if extension in parameters:
                raise BadBody(f"The {extension} extension is not offered.", kind="unsupported", loc=where)
        wanted.append(Wanted(item["name"], parameters.get("binary_data", binary) is True))
    return tuple(wanted), binary
