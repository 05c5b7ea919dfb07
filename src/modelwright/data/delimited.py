"""Delimited text into an Arrow table: typed, streamed, and talkative when it is damaged.

The types come from the head of the file. The file is then streamed with these types; where a later
cell refuses its column's type, that type is loosened (whole → decimal → text) and the reading starts
again. After a few such surprises the whole file's types are inferred at once, which takes more
memory. So a well-behaved file of any size costs little more than the table it becomes.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pc_csv

from modelwright.data.dialect import Dialect, sniff
from modelwright.data.faults import DataUnreadable
from modelwright.data.lending import lend
from modelwright.data.tap import Tap

BLOCK = 1 << 20
LONGEST_RECORD = BLOCK
"""Bytes: a record must fit into one block."""
_SURPRISES = 6
_COLUMN = re.compile(r"In CSV column #(\d+)")


def read_delimited(path: Path, spellings: Sequence[str]) -> tuple[pa.Table, frozenset[str]]:
    """Read a CSV or TSV file, gzip too.

    Args:
        path: The file.
        spellings: What a missing number may be written as, beside the empty cell.

    Returns:
        The table (int64, float64 and string columns, one chunk each; strings as they stand, empty
        ones null), and the columns of codes that must stay strings.

    Raises:
        DataUnreadable: The file is absent, empty, damaged, or not such a table.
    """
    dialect = sniff(path)
    types = _head_types(dialect, spellings)
    try:
        return _read(path, dialect, types, spellings), dialect.codes
    except pa.ArrowInvalid as error:
        raise _explain(path, dialect, error) from error


def _read(path: Path, dialect: Dialect, types: dict[str, pa.DataType], spellings: Sequence[str]) -> pa.Table:
    for _ in range(_SURPRISES):
        try:
            return _stream(path, dialect, types, spellings)
        except pa.ArrowInvalid as error:
            found = _COLUMN.search(str(error))
            if found is None:
                raise
            name = dialect.names[int(found[1])]
            types[name] = pa.float64() if types[name] == pa.int64() else pa.string()
    strings = {name: kind for name, kind in types.items() if kind == pa.string()}
    with Tap(path) as tap:
        table = lend(tap, lambda stream: pc_csv.read_csv(stream, **_options(dialect, strings, spellings)))
    table = table.cast(pa.schema([(field.name, _plain(field.type)) for field in table.schema]))
    return table.combine_chunks()


def _stream(
    path: Path, dialect: Dialect, types: dict[str, pa.DataType], spellings: Sequence[str]
) -> pa.Table:
    with Tap(path) as tap:
        table = lend(tap, lambda stream: _gathered(stream, _options(dialect, types, spellings)))
        if tap.quotes % 2:
            _check_quotes(path, dialect)
    pa.default_memory_pool().release_unused()
    return table


def _gathered(stream: Any, options: dict[str, Any]) -> pa.Table:
    reader = pc_csv.open_csv(stream, **options)
    return gather(reader, reader.schema)


def gather(batches: Iterator[pa.RecordBatch], schema: pa.Schema) -> pa.Table:
    """One table of one chunk a column, never holding more than one column twice."""
    columns: list[list[pa.Array]] = [[] for _ in schema]
    for batch in batches:
        for place, column in enumerate(batch.columns):
            columns[place].append(column)
    whole = []
    for place, field in enumerate(schema):
        chunks, columns[place] = columns[place], []
        kind = pa.large_string() if sum(chunk.nbytes for chunk in chunks) > 2**31 - 2**20 else field.type
        if field.type == pa.string() and kind != field.type:
            chunks = [chunk.cast(kind) for chunk in chunks]
        whole.append(pa.concat_arrays(chunks) if chunks else pa.array([], field.type))
    return pa.table(whole, names=schema.names)


def _head_types(dialect: Dialect, spellings: Sequence[str]) -> dict[str, pa.DataType]:
    try:
        options = _options(dialect, dict.fromkeys(dialect.codes, pa.string()), spellings)
        head = lend(io.BytesIO(dialect.head), lambda stream: pc_csv.read_csv(stream, **options))
    except pa.ArrowInvalid:
        return dict.fromkeys(dialect.names, pa.string())
    return {field.name: _plain(field.type) for field in head.schema}


def _plain(kind: pa.DataType) -> pa.DataType:
    """Numbers stay; everything else stays as it is spelled, to be understood column by column."""
    return kind if kind in {pa.int64(), pa.float64()} else pa.string()


def _options(dialect: Dialect, types: dict[str, pa.DataType], spellings: Sequence[str]) -> dict[str, Any]:
    return {
        "read_options": _reading(dialect),
        "parse_options": _parsing(dialect),
        "convert_options": _converting(dialect, types, spellings),
    }


def _reading(dialect: Dialect) -> pc_csv.ReadOptions:
    return pc_csv.ReadOptions(block_size=BLOCK, column_names=list(dialect.names), skip_rows_after_names=1)


def _parsing(dialect: Dialect) -> pc_csv.ParseOptions:
    # Quoted line ends are legal, and cutting a file inside one would misread it without a word.
    return pc_csv.ParseOptions(delimiter=dialect.delimiter, newlines_in_values=True)


def _converting(
    dialect: Dialect, types: dict[str, pa.DataType], spellings: Sequence[str]
) -> pc_csv.ConvertOptions:
    return pc_csv.ConvertOptions(
        column_types=types,
        null_values=["", *spellings],
        strings_can_be_null=False,
        # Spelled booleans and dates keep their spelling.
        true_values=[],
        false_values=[],
        timestamp_parsers=[],
        decimal_point=dialect.decimal,
    )


def _check_quotes(path: Path, dialect: Dialect) -> None:
    """Refuse a file whose last quoted cell is never closed; the parser would swallow the rest."""
    starts = {ord("\n"), ord("\r"), ord(dialect.delimiter)}
    opened = 0  # line of the quote that is open now, 0 if none is
    cell = 0  # line where the present quoted cell began: a doubled quote closes and opens again
    base, closed, last = 0, -2, ord("\n")
    with Tap(path) as tap:
        line = 1
        while block := tap.read(BLOCK):
            counted = 0
            for found in re.finditer(rb'"', block):
                at = found.start()
                line += block.count(b"\n", counted, at)
                counted = at
                before = block[at - 1] if at else last
                if opened:
                    opened, closed = 0, base + at
                elif closed == base + at - 1:
                    opened = cell
                elif before in starts or base + at == 0:
                    opened = cell = line
            line += block.count(b"\n", counted)
            base, last = base + len(block), block[-1]
    if opened:
        raise _unclosed(path, opened)


def _unclosed(path: Path, line: int) -> DataUnreadable:
    return DataUnreadable(
        f"In {path} a double quote that opens in line {line:,} is never closed.",
        'Close it, or double it if it is part of the value: "".',
    )


def _explain(path: Path, dialect: Dialect, error: pa.ArrowInvalid) -> DataUnreadable:
    """Find the record the parser stumbled over, with its line."""
    message = str(error)
    if "straddl" in message or "exceeds" in message:
        _check_quotes(path, dialect)
        return _too_long(path, dialect)
    wrong: list[str] = []
    more = 0
    width = len(dialect.names)
    for line, record in _lines(path, dialect):
        if record and len(record) != width:
            if len(wrong) < 5:
                wrong.append(f"line {line:,}: {len(record)} cells, {_excerpt(record, dialect)}")
            else:
                more += 1
    if not wrong:
        return DataUnreadable(f"The file {path} is no table: {message}.", "Check how it was written.")
    if more:
        wrong.append(f"and {more:,} more lines")
    return DataUnreadable(
        f"In {path} some lines do not have {width} cells as the header has.",
        f"Correct these lines; a value that holds {dialect.delimiter!r} must stand in double quotes.",
        details=wrong,
    )


def _too_long(path: Path, dialect: Dialect) -> DataUnreadable:
    start = 1
    for line, record in _lines(path, dialect):
        size = sum(map(len, record))
        if size > LONGEST_RECORD // 2:
            longest = max(range(len(record)), key=lambda place: len(record[place]))
            name = dialect.names[longest] if longest < len(dialect.names) else f"#{longest + 1}"
            return DataUnreadable(
                f"In {path} line {start:,} holds {size:,} characters, {len(record[longest]):,} of them in "
                f"column {name!r}; a row may have {LONGEST_RECORD >> 20} MiB.",
                "Look for a double quote that is not closed; keep long documents in files of their own.",
            )
        start = line + 1
    return DataUnreadable(
        f"In {path} a line is longer than {LONGEST_RECORD >> 20} MiB.", "Check where lines end."
    )


def _lines(path: Path, dialect: Dialect) -> Iterator[tuple[int, list[str]]]:
    """Each record with the number of its (last) line."""
    before = csv.field_size_limit(1 << 30)
    try:
        with Tap(path) as tap:
            lines = _text_lines(tap)
            reader = csv.reader(lines, delimiter=dialect.delimiter)
            try:
                for record in reader:
                    yield reader.line_num, record
            except csv.Error:
                return  # what comes now is beyond the csv module: the parser's own words must do
    finally:
        csv.field_size_limit(before)


def _text_lines(tap: Tap) -> Iterator[str]:
    rest = b""
    while block := tap.read(BLOCK):
        *lines, rest = (rest + block).split(b"\n")
        for line in lines:
            yield line.decode("utf-8", "replace") + "\n"
    if rest:
        yield rest.decode("utf-8", "replace")


def _excerpt(record: list[str], dialect: Dialect) -> str:
    text = dialect.delimiter.join(record)
    return repr(text[:60] + ("…" if len(text) > 60 else ""))
