"""Parquet, folders of Parquet and JSON lines into an Arrow table, and any table into canonical types."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pa_dataset
import pyarrow.json as pa_json
import pyarrow.parquet as pa_parquet

from modelwright.data.cells import one_chunk
from modelwright.data.faults import DataUnreadable, shorten
from modelwright.data.lending import lend
from modelwright.data.tap import Tap, open_bytes

LONGEST_LINE = 4 << 20
"""Bytes: a JSON line must fit into one block."""


def read_parquet(path: Path) -> pa.Table:
    """Read one Parquet file, gzip too.

    Raises:
        DataUnreadable: It is absent, damaged or no Parquet file.
    """
    with open_bytes(path) as stream:
        try:
            packed = path.suffix.lower() == ".gz"
            return pa_parquet.read_table(pa.BufferReader(stream.read()) if packed else pa.OSFile(str(path)))
        except (pa.ArrowException, OSError, EOFError) as error:
            raise DataUnreadable(
                f"The file {path} is no complete Parquet file: {_first_line(error)}",
                "Write or fetch it again.",
            ) from error


def read_folder(path: Path) -> pa.Table:
    """Read a folder of Parquet files as one table, in the order of their paths.

    Raises:
        DataUnreadable: There is none in it, one is damaged, or their columns do not fit together.
    """
    files = sorted(file for file in path.rglob("*.parquet") if file.is_file())
    if not files:
        raise DataUnreadable(
            f"The folder {path} holds no .parquet file.", "Name a file, or a folder of Parquet files."
        )
    try:
        schemas = [pa_parquet.read_schema(file) for file in files]
        schema = pa.unify_schemas(schemas, promote_options="permissive")
        dataset = pa_dataset.dataset([str(file) for file in files], schema=schema, format="parquet")
        return dataset.to_table()
    except (pa.ArrowException, OSError) as error:
        raise DataUnreadable(
            f"The Parquet files in {path} cannot be read as one table: {_first_line(error)}",
            "Give all files the same columns, each with the same type.",
        ) from error


def read_json_lines(path: Path) -> pa.Table:
    """Read a file of one JSON object per line, gzip too; nested objects become ``outer.inner`` columns.

    Raises:
        DataUnreadable: It is empty or damaged, a line is no object, or a column changes its type.
    """
    try:
        options = pa_json.ReadOptions(block_size=LONGEST_LINE)
        with Tap(path) as tap:
            table = lend(tap, lambda stream: pa_json.read_json(stream, read_options=options))
    except pa.ArrowInvalid as error:
        raise _explain_json(path, error) from error
    if not table.num_columns or not table.num_rows:
        raise DataUnreadable(f"The file {path} is empty.", "Name a file with one JSON object per line.")
    return table


def _explain_json(path: Path, error: pa.ArrowInvalid) -> DataUnreadable:
    for number, line in _lines(path):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except ValueError as problem:
            return DataUnreadable(
                f"In {path} line {number:,} is no JSON: {problem}.", "Each line must be one JSON object."
            )
        if not isinstance(value, dict):
            return DataUnreadable(
                f"In {path} line {number:,} is no JSON object but {line[:40].decode('utf-8', 'replace')!r}.",
                'Each line must be one JSON object, such as {"age": 41, "label": "yes"}.',
            )
    if not path.stat().st_size:
        return DataUnreadable(f"The file {path} is empty.", "Name a file with one JSON object per line.")
    return DataUnreadable(
        f"The file {path} is no table: {_first_line(error)}", "Give each key values of one type in all lines."
    )


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    with open_bytes(path) as stream:
        yield from enumerate(stream, start=1)


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def canonical(table: pa.Table) -> pa.Table:
    """The same table with few column types: int64, float64, bool, string, timestamp[us, UTC].

    Structs are flattened to ``outer.inner``. Columns of other types (lists, bytes) stay and are
    reported by inference. Every column is one chunk.

    Raises:
        DataUnreadable: Two columns have one name.
    """
    while any(pa.types.is_struct(field.type) for field in table.schema):
        table = table.flatten()
    names = table.column_names
    twice = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
    if twice:
        raise DataUnreadable(
            f"More than one column is called {shorten(twice, 5)}.", "Give every column a name of its own."
        )
    columns = [one_chunk(_canonical_column(column)) for column in table.columns]
    return pa.table(columns, names=names)


def _canonical_column(column: pa.ChunkedArray) -> pa.ChunkedArray:
    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.cast(kind.value_type)
        kind = column.type
    target = _target_type(kind)
    if target is None:
        return _sound(column)
    if target == kind:
        return column
    if pa.types.is_timestamp(kind) and kind.tz is None:
        column = column.cast(pa.timestamp("us"), safe=False)
        return pc.assume_timezone(column, "UTC")
    return column.cast(target, safe=not pa.types.is_timestamp(target))


def _sound(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A nested column, emptied if Arrow's JSON reader made it ill-formed (it does of ``[null, null]``)."""
    try:
        column.validate()
    except pa.ArrowInvalid:
        return pa.chunked_array([pa.nulls(len(column), pa.list_(pa.string()))])
    return column


def _target_type(kind: pa.DataType) -> pa.DataType | None:
    if pa.types.is_integer(kind):
        return pa.float64() if kind == pa.uint64() else pa.int64()
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return pa.float64()
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        return pa.timestamp("us", "UTC")
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind) or pa.types.is_null(kind):
        return pa.large_string() if pa.types.is_large_string(kind) else pa.string()
    return None
