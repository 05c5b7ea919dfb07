"""Tables in bodies: CSV with a header and without, Parquet, NumPy arrays.

These formats have no ``null`` of JSON, or another one beside it, so here an empty cell and a NaN are a
missing value; whether a column may have one is the schema's affair. Infinity stays, to be refused.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from modelwright.errors import MissingExtra
from modelwright.schema.columns import Kind, TableSchema
from modelwright.serve.errors import BadBody, TooLarge, Unsupported
from modelwright.serve.protocols.call import MOST_ROWS, Row, rows_limited

CSV = "text/csv"
PARQUET = "application/vnd.apache.parquet"
NPY = "application/x-npy"

# The format's fixed beginning, and what is needed of the Python literal that its header is (NEP 1). NumPy's
# own reader evaluates and, if need be, tokenizes that literal, which is more than a stranger's bytes deserve.
_NPY = re.compile(rb"\x93NUMPY(?:\x01\x00(?P<short>..)|[\x02\x03]\x00(?P<long>.{4}))", re.DOTALL)
_DESCR = re.compile(rb"'descr'\s*:\s*'((?:\|[bu]1|\|i1|[<>][iu][1248]|[<>]f[248]|[<>]U[0-9]{1,6}))'")
_ORDER = re.compile(rb"'fortran_order'\s*:\s*(True|False)")
_SHAPE = re.compile(rb"'shape'\s*:\s*\(([0-9]{0,15}(?:,\s*[0-9]{1,15}){0,3},?\s*)\)")

_NUMBERS = frozenset({Kind.NUMERIC, Kind.INTEGER})
_MOST_UNPACKED = 256 * 2**20  # bytes a Parquet file may hold; it is compressed, the body's limit says little
_BATCH = 1_024
_MOST_COLUMNS = 500_000


def read_csv(body: bytes, schema: TableSchema, *, most_rows: int = MOST_ROWS) -> list[Row]:
    """Rows of a CSV (RFC 4180).

    With a header (MLflow's CSV) if each cell of the first line is the name of a column and none twice,
    whatever their order; else (SageMaker's CSV) all lines are rows in the order of the schema. A
    header that leaves nullable columns out is one too; a stray cell in it makes the difference known.

    Raises:
        BadBody: It is no UTF-8 or no CSV, or a line is longer or shorter than the header.
        TooLarge: Too many rows.
    """
    lines = _csv_lines(body)
    first = next(lines, None)
    if first is None:
        rows_limited(0, most_rows)
        return []
    header = _header(first, schema)
    names = header or list(schema.names)
    numeric = [name in schema.names and schema.column(name).kind in _NUMBERS for name in names]
    rows: list[Row] = []
    if header is None:
        rows.append(_cells(first, numeric))
    for cells in lines:
        if len(rows) >= most_rows:
            raise TooLarge(f"The request has more than {most_rows} rows.", "Send them in several requests.")
        values = _cells(cells, numeric)
        if header is None:
            rows.append(values)
        elif len(cells) == len(header):
            row = dict(zip(header, values, strict=True))
            row.pop("", None)  # the index that pandas writes
            rows.append(row)
        else:
            raise BadBody(
                f"Row {len(rows)} has {len(cells)} cells; the header has {len(header)}.",
                kind="csv_invalid",
                loc=("body", len(rows)),
            )
    rows_limited(len(rows), most_rows)
    return rows


def _csv_lines(body: bytes) -> Iterator[list[str]]:
    # The module's limit on a cell is 128 KiB and for the whole process; a text may be longer, and the
    # limit on bodies stands before this. It is only ever raised.
    if len(body) > csv.field_size_limit():
        csv.field_size_limit(len(body))
    # Decoded as it is read: most that are refused for their length are so in their first lines.
    reader = csv.reader(_narrow(io.TextIOWrapper(io.BytesIO(body), "utf-8-sig", newline="")), strict=True)
    try:
        for cells in reader:
            if cells:
                yield cells
    except UnicodeDecodeError:
        raise BadBody(f"The body is not UTF-8 (byte {_undecodable(body)}).", kind="csv_invalid") from None
    except csv.Error as error:
        raise BadBody(f"Line {reader.line_num} is no CSV: {error}.", kind="csv_invalid") from None


def _narrow(lines: Iterable[str]) -> Iterator[str]:
    """The lines; one of more commas than any table has columns is refused before it becomes cells."""
    for line in lines:
        if len(line) > _MOST_COLUMNS and line.count(",") > _MOST_COLUMNS:
            raise TooLarge(f"A line has more than {_MOST_COLUMNS} commas.", "Send the columns of the model.")
        yield line


def _undecodable(body: bytes) -> int:
    """Where UTF-8 ends."""
    try:
        body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return error.start
    return len(body)


def _header(cells: Sequence[str], schema: TableSchema) -> list[str] | None:
    """The first line's names if it is a header."""
    names = [cell if cell in schema.names else cell.strip() for cell in cells]
    known = sum(name in schema.names for name in names)
    if not known or len(set(names)) < len(names):
        return None
    extra = [name for name in names if name not in schema.names]
    if all(name == "" or name in schema.lineage for name in extra) or known * 2 > len(names):
        return names
    return None


def _cells(cells: Sequence[str], numeric: Sequence[bool]) -> list[Any]:
    values: list[Any] = [cell if cell != "" else None for cell in cells]
    for place, is_number in enumerate(numeric[: len(values)]):
        if is_number and values[place] is not None and values[place].strip().lower() in {"", "nan"}:
            values[place] = None
    return values


def read_npy(body: bytes, schema: TableSchema, *, most_rows: int = MOST_ROWS) -> list[Row]:
    """Rows of a NumPy file (NEP 1): a 2-D array of rows, or a 1-D array that is one row.

    The array is a view of the body: nothing is unpickled or evaluated, and no memory is taken on the
    word of the header.

    Raises:
        BadBody: It is broken, of another shape, or holds objects.
        TooLarge: Too many rows.
    """
    array = _npy(body)
    if array.ndim == 1:
        array = array.reshape(1, -1)
    if array.ndim != 2 or array.shape[1] != len(schema.columns):
        raise BadBody(
            f"The array has the shape {list(array.shape)}; [rows, {len(schema.columns)}] is wanted: "
            f"{_listed(schema.names)}.",
            kind="npy_invalid",
        )
    rows_limited(len(array), most_rows)
    return array_rows(array)


def array_rows(array: np.ndarray) -> list[Row]:
    """A 2-D array's rows as JSON would hold them; NaN becomes ``None``."""
    rows: list[Row] = array.tolist()
    if array.dtype.kind == "f" and np.isnan(array).any():
        rows = [[None if value != value else value for value in row] for row in rows]  # noqa: PLR0124
    return rows


def _npy(body: bytes) -> np.ndarray:
    found = _NPY.match(body)
    if found is None:
        raise BadBody("The body is no NumPy file.", kind="npy_invalid")
    start = found.end() + int.from_bytes(found["short"] or found["long"], "little")
    header = body[found.end() : start]
    kind, order, sides = (pattern.search(header) for pattern in (_DESCR, _ORDER, _SHAPE))
    if kind is None or order is None or sides is None:
        raise BadBody(
            "The NumPy file's header is broken, or its values are none of numbers, booleans and strings.",
            kind="npy_invalid",
        )
    dtype = np.dtype(kind[1].decode())
    shape = tuple(int(side) for side in sides[1].split(b",") if side.strip())
    count = math.prod(shape)
    if count * dtype.itemsize != len(body) - start:
        raise BadBody("The NumPy file is longer or shorter than its header says.", kind="npy_invalid")
    if not count or not dtype.itemsize:
        return np.empty((0, 0))
    flat = np.frombuffer(body, dtype=dtype, count=count, offset=start)
    if dtype.kind == "U":
        _only_characters(flat)
    return flat.reshape(shape, order="F" if order[1] == b"True" else "C")


def _only_characters(array: np.ndarray) -> None:
    """Refuse numbers that are no characters where there should be some: NumPy does not look."""
    native = array.astype(array.dtype.newbyteorder("="))
    points = native.view(np.uint32)
    if ((points > 0x10FFFF) | ((points >= 0xD800) & (points <= 0xDFFF))).any():
        raise BadBody("A string of the NumPy file holds what is no character.", kind="npy_invalid")


def read_parquet(body: bytes, *, most_rows: int = MOST_ROWS) -> list[Row]:
    """Rows of a Parquet file, by column name.

    Raises:
        BadBody: It is broken, or has nested columns.
        TooLarge: Too many rows, or too much once unpacked.
        Unsupported: The package that reads it is not installed; the reason names the extra.
    """
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ModuleNotFoundError:
        missing = MissingExtra("pyarrow", "parquet")
        raise Unsupported(
            f"Parquet cannot be read by this server. {missing.reason}", missing.instruction
        ) from None
    try:
        file = parquet.ParquetFile(pa.BufferReader(body))
        metadata = file.metadata
        rows_limited(metadata.num_rows, most_rows)
        _unpacked_limited(
            sum(metadata.row_group(group).total_byte_size for group in range(metadata.num_row_groups))
        )
        rows: list[Row] = []
        for batch in file.iter_batches(batch_size=_BATCH):
            rows.extend(_batch_rows(pa.Table.from_batches([batch])))
            rows_limited(len(rows), most_rows)
    except (pa.ArrowException, OSError, ValueError, OverflowError, MemoryError) as error:
        first_line = str(error).partition("\n")[0]
        raise BadBody(f"The body is no Parquet file: {first_line[:200]}", kind="parquet_invalid") from None
    rows_limited(len(rows), most_rows)
    return rows


def _batch_rows(table: Any) -> Iterator[Row]:
    _unpacked_limited(table.nbytes)
    names = [str(name) for name in table.column_names]
    if len(set(names)) < len(names):
        raise BadBody("Two columns have one name.", kind="duplicate_key")
    columns = [_plain_values(table.column(place)) for place in range(len(names))]
    for values in zip(*columns, strict=True):
        yield dict(zip(names, values, strict=True))


def _unpacked_limited(size: int) -> None:
    if size > _MOST_UNPACKED:
        raise TooLarge(
            f"The Parquet file holds more than {_MOST_UNPACKED // 2**20} MiB.", "Send it in several requests."
        )


def _plain_values(column: Any) -> list[Any]:
    """A column's values as JSON would hold them."""
    return [_plain(value) for value in column.to_pylist()]


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return None if value != value else value  # noqa: PLR0124
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if isinstance(value, bytes):
        return _image(value)
    if hasattr(value, "as_integer_ratio"):  # decimals
        return float(value)
    raise BadBody("A column holds nested or binary values.", kind="parquet_invalid")


def _image(value: bytes) -> str:
    import base64

    return base64.b64encode(value).decode("ascii")


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:8]) + (", …" if len(names) > 8 else "")
