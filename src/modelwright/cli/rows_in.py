"""Rows to be answered, as people have them: a file, standard input, or words on the command line.

Everything streams, but for a JSON document, which is read whole. Each row comes with where it stands.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import math
import sys
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import IO, Any, cast

from modelwright.cli.decimal_sign import with_points
from modelwright.cli.reading import Watch, counted, watched
from modelwright.errors import ExitCode, MissingExtra, ModelwrightError
from modelwright.project.nearby import remedy
from modelwright.schema.columns import Kind, TableSchema
from modelwright.schema.missing import AMONG_NUMBERS, SPELLINGS

FORMS = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".txt": "csv",
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
}
_NUMBERS = frozenset({Kind.NUMERIC, Kind.INTEGER})
_BATCH = 2048
_LONGEST_PATH = 4096
_LONGEST_FIELD = 2**31 - 1


class InputUnreadable(ModelwrightError):
    """What was given as rows cannot be read."""

    code = ExitCode.DATA


@dataclass(frozen=True, slots=True)
class Row:
    """A row and where it stands ("line 7", "row 3")."""

    place: str
    values: Any


def form_of(path: str) -> str | None:
    """The form that a file's name tells, also with ``.gz`` behind it."""
    suffixes = [suffix.lower() for suffix in Path(path).suffixes]
    if suffixes and suffixes[-1] == ".gz":
        suffixes.pop()
    return FORMS.get(suffixes[-1]) if suffixes else None


def read_words(words: Sequence[str], schema: TableSchema) -> Iterator[Row]:
    """Rows from the command line: ``name=value`` words make one row, a JSON word is one or more.

    Raises:
        InputUnreadable: A word is neither, or is JSON that cannot be understood.
    """
    pairs: dict[str, str | None] = {}
    for word in words:
        if word.lstrip()[:1] in ("{", "["):
            yield from _from_document(_json(word, "the command line"))
        elif "=" in word:
            name, value = _pair(word, schema)
            pairs[name] = value or None
        else:
            raise InputUnreadable(
                f"'{word}' is no file, no JSON, and no name=value.",
                f"{remedy(Path(word))} A row is written like: "
                + " ".join(_example(name) for name in schema.names[:3]),
            )
    if pairs:
        yield from with_images(iter([Row("the row", pairs)]), schema, Path())


def read_file(
    path: str,
    form: str | None,
    schema: TableSchema,
    missing: Sequence[str] | None,
    watch: Watch | None = None,
) -> Iterator[Row]:
    """Rows of a file, or of standard input where ``path`` is ``-``.

    Args:
        path: The file, or a folder of Parquet files.
        form: csv, tsv, json, jsonl or parquet; told by the name, or for standard input by its first
            character, where not given.
        schema: What the bundle expects, to know which text is a number.
        missing: Spellings of a missing value; the usual ones where not given.
        watch: Told now and then how far the reading is, of how much: bytes, or rows.

    Raises:
        InputUnreadable: It is absent, damaged, or not of its form; the line is named.
    """
    if Path(path).is_dir():
        yield from _folder(path, schema, missing, watch)
        return
    rows = _file_rows(path, form, schema, missing, watch)
    yield from with_images(rows, schema, Path() if path == "-" else Path(path).parent)


def with_images(rows: Iterator[Row], schema: TableSchema, folder: Path) -> Iterator[Row]:
    """Rows with the images in them that they name by their files' paths, as a client would send them."""
    names = [column.name for column in schema if column.kind is Kind.IMAGE]
    if not names:
        yield from rows
        return
    from modelwright.bundle.pictures import data_url

    for row in rows:
        values = row.values
        if isinstance(values, dict):
            for name in names:
                file = _image_file(values.get(name), folder)
                if file is not None:
                    values = {**values, name: data_url(file.read_bytes())}
        yield Row(row.place, values)


def _image_file(value: object, folder: Path) -> Path | None:
    """The file that a cell names, if it is one; a path is short, and base64 of an image is not."""
    if not isinstance(value, str) or not 0 < len(value) <= _LONGEST_PATH:
        return None
    try:
        file = folder / Path(value).expanduser()
        return file if file.is_file() else None
    except (OSError, ValueError, RuntimeError):  # no path at all
        return None


def _absent(path: str) -> InputUnreadable:
    return InputUnreadable(f"There is no file {_name(path)}.", remedy(Path(path)))


def _file_rows(
    path: str,
    form: str | None,
    schema: TableSchema,
    missing: Sequence[str] | None,
    watch: Watch | None,
) -> Iterator[Row]:
    form = form or (None if path == "-" else form_of(path))
    if form is None and path != "-":
        if not Path(path).exists():
            raise _absent(path)
        raise InputUnreadable(
            f"The form of {path} is not known by its name.",
            f"Say it with --from: {', '.join(dict.fromkeys(FORMS.values()))}.",
        )
    try:
        with _opened(path) as stream:
            if form is None:
                form = _sniff(stream)
            rows = _READERS[form](stream, path, schema, missing)
            yield from rows if watch is None else _told(rows, form, stream, watch)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InputUnreadable(
            f"{_name(path)} is damaged: {error}.", "Get the file again; its end may be missing."
        ) from error
    except UnicodeDecodeError as error:
        raise InputUnreadable(
            f"{_name(path)} is not UTF-8 text (byte 0x{error.object[error.start]:02x}).",
            "Save it as UTF-8, or convert it with: iconv -f latin1 -t utf-8",
        ) from error
    except FileNotFoundError as error:
        raise _absent(path) from error
    except OSError as error:
        raise InputUnreadable(
            f"{_name(path)} cannot be read: {error.strerror or error}.", "Check the path."
        ) from error


def _told(rows: Iterator[Row], form: str, stream: IO[bytes], watch: Watch) -> Iterator[Row]:
    """The rows, while ``watch`` is told; where the whole is read before the first row, rows count."""
    if form == "json":
        every = list(rows)
        return counted(iter(every), len(every), watch)
    if form == "parquet" and stream.seekable():
        return counted(rows, _parquet_rows(stream), watch)
    return watched(rows, stream, watch)


def _parquet_rows(stream: IO[bytes]) -> int:
    """How many rows a Parquet file has; 0 where that cannot be read, which its reader words."""
    pyarrow = parquet_library()
    try:
        return int(pyarrow.parquet.ParquetFile(stream).metadata.num_rows)
    except (pyarrow.ArrowException, OSError):
        return 0


def _folder(
    path: str, schema: TableSchema, missing: Sequence[str] | None, watch: Watch | None
) -> Iterator[Row]:
    """The rows of a folder's Parquet files, in the order of their paths, as training reads them."""
    files = sorted(file for file in Path(path).rglob("*.parquet") if file.is_file())
    if not files:
        raise InputUnreadable(f"The folder {path} holds no .parquet file.", "Name a file.")
    for number, file in enumerate(files):
        if watch is not None:
            watch(number, len(files))
        for row in read_file(str(file), "parquet", schema, missing):
            yield Row(f"{file.relative_to(path)}, {row.place}", row.values)


def _opened(path: str) -> IO[bytes]:
    if path == "-":
        return io.BufferedReader(cast("io.RawIOBase", _Keep(sys.stdin.buffer)))
    if path.lower().endswith(".gz"):
        return cast("IO[bytes]", gzip.open(path, "rb"))
    return Path(path).open("rb")


class _Keep(io.RawIOBase):
    """Standard input that stays open when its reader is closed."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def _sniff(stream: IO[bytes]) -> str:
    head = cast("io.BufferedReader", stream).peek(4096)
    if head.startswith(b"PAR1"):
        return "parquet"
    first = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    if first == b"[":
        return "json"
    return "jsonl" if first == b"{" else "csv"


def _name(path: str) -> str:
    return "Standard input" if path == "-" else path


def _delimited(
    stream: IO[bytes], path: str, schema: TableSchema, missing: Sequence[str] | None, *, tab: bool = False
) -> Iterator[Row]:
    csv.field_size_limit(_LONGEST_FIELD)
    with io.TextIOWrapper(stream, encoding="utf-8-sig", newline="") as text:
        yield from _cells(text, path, schema, missing, tab=tab)


def _cells(
    text: IO[str], path: str, schema: TableSchema, missing: Sequence[str] | None, *, tab: bool
) -> Iterator[Row]:
    first = text.readline()
    if not first.strip():
        raise InputUnreadable(f"{_name(path)} is empty.", "Its first line must name the columns.")
    delimiter = "\t" if tab else _delimiter(first, schema)
    lines = csv.reader(_again(first, text), delimiter=delimiter)
    try:
        names = [name if name.strip() else f"Unnamed: {place}" for place, name in enumerate(next(lines))]
        known = [name for name in names if name in schema.names]
        if not known and schema.names:
            raise InputUnreadable(
                f"The first line of {_name(path)} names none of the model's columns.",
                f"It must name the columns: {_listed(schema.names)}",
                details=[f"first line: {first.strip()[:200]}"],
            )
        converters = [_converter(name, schema, missing) for name in names]
        rows = _numbered(lines)
        if delimiter != ",":
            rows = with_points(rows, [place for place, name in enumerate(names) if _numeric(name, schema)])
        for line, cells in rows:
            place = f"line {line}"
            if not cells:
                continue
            if len(cells) != len(names):
                problem = f"has {len(cells)} cells where the first line names {len(names)} columns"
                yield Row(place, _Broken(problem))
                continue
            yield Row(place, {
                name: convert(cell) for name, convert, cell in zip(names, converters, cells, strict=True)
            })  # fmt: skip
    except csv.Error as error:
        raise InputUnreadable(
            f"{_name(path)}, line {lines.line_num}: {error}.", "Check the quotes in that line."
        ) from error


def _numbered(lines: Any) -> Iterator[tuple[int, list[str]]]:
    """The rows of a ``csv.reader``, each with the line where it begins."""
    before = lines.line_num
    for cells in lines:
        yield before + 1, cells
        before = lines.line_num


def _numeric(name: str, schema: TableSchema) -> bool:
    return name in schema.names and schema.column(name).kind in _NUMBERS


@dataclass(frozen=True, slots=True)
class _Broken:
    """Stands for a row that is none, with what is wrong with it."""

    problem: str


def problem_of(values: Any) -> str | None:
    """Why a row's values are none at all, or ``None`` where they can be read."""
    return values.problem if isinstance(values, _Broken) else None


def _again(first: str, rest: Iterator[str]) -> Iterator[str]:
    yield first
    yield from rest


def _delimiter(header: str, schema: TableSchema) -> str:
    """The delimiter by which the first line names the most of the model's columns."""
    names = set(schema.names)

    def known(delimiter: str) -> tuple[int, int]:
        cells = next(csv.reader([header], delimiter=delimiter))
        return len(names.intersection(cells)), len(cells)

    return max(",;\t|", key=known)


def _converter(name: str, schema: TableSchema, missing: Sequence[str] | None) -> Callable[[str], Any]:
    """Text of a cell to what the row reader takes for granted; what is unclear stays text."""
    numeric = _numeric(name, schema)
    usual = AMONG_NUMBERS if numeric else SPELLINGS
    blank = frozenset(usual if missing is None else missing)

    def text(cell: str) -> str | None:
        return None if cell.strip() in blank else cell

    def number(cell: str) -> float | str | None:
        try:
            value = float(cell)
        except ValueError:
            return text(cell)
        return value if math.isfinite(value) and "_" not in cell and cell not in blank else text(cell)

    return number if numeric else text


def _document(
    stream: IO[bytes], path: str, schema: TableSchema, missing: Sequence[str] | None
) -> Iterator[Row]:
    del schema, missing
    yield from _from_document(_json(stream.read().decode("utf-8-sig"), _name(path)))


def _lines(stream: IO[bytes], path: str, schema: TableSchema, missing: Sequence[str] | None) -> Iterator[Row]:
    del schema, missing
    with io.TextIOWrapper(stream, encoding="utf-8-sig") as text:
        yield from _json_lines(text, path)


def _json_lines(text: IO[str], path: str) -> Iterator[Row]:
    for number, line in enumerate(text, 1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            if number == 1 and line.strip() == "{":
                # a document over several lines, not a row a line
                yield from _from_document(_json(line + text.read(), _name(path)))
                return
            yield Row(f"line {number}", _Broken(f"is not JSON: {error}"))
            continue
        for row in _from_document(value):
            yield Row(f"line {number}", row.values)


def _json(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise InputUnreadable(
            f"{where[0].upper()}{where[1:]} is not JSON: {error.msg} "
            f"(line {error.lineno}, column {error.colno}).",
            'Write a row as {"column": value, …}, or several as [row, row, …].',
        ) from error
    except RecursionError:
        raise InputUnreadable(f"{where[0].upper()}{where[1:]} is nested too deeply.") from None


def _from_document(value: Any) -> Iterator[Row]:
    """The rows of a JSON value: a row, a list of rows, or one of the bodies that ``/predict`` takes."""
    if isinstance(value, dict):
        for key in ("instances", "features", "input"):
            if key in value and set(value) <= {key, "id"}:
                value = value[key]
                break
    several = isinstance(value, list) and bool(value) and all(isinstance(row, dict | list) for row in value)
    if not several:
        yield Row("the row", value)
        return
    for number, row in enumerate(value, 1):
        inner = row.get("features") if isinstance(row, dict) and set(row) <= {"features", "id"} else None
        yield Row(f"row {number}", row if inner is None else inner)


def _parquet(
    stream: IO[bytes], path: str, schema: TableSchema, missing: Sequence[str] | None
) -> Iterator[Row]:
    del schema, missing
    pyarrow = parquet_library()
    source = stream if cast("io.BufferedReader", stream).seekable() else pyarrow.BufferReader(stream.read())
    try:
        file = pyarrow.parquet.ParquetFile(source)
        number = 0
        for batch in file.iter_batches(_BATCH):
            for row in batch.to_pylist():
                number += 1
                yield Row(f"row {number}", {name: _plain(value) for name, value in row.items()})
    except (pyarrow.ArrowException, OSError) as error:
        raise InputUnreadable(
            f"{_name(path)} is no Parquet file, or is damaged: {error}.", "Write it again."
        ) from error


def parquet_library() -> Any:
    """PyArrow with its Parquet part.

    Raises:
        MissingExtra: It is not installed.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ModuleNotFoundError:
        raise MissingExtra("pyarrow", "parquet") from None
    return pyarrow


def _plain(value: Any) -> Any:
    """A cell of Arrow's as JSON would carry it."""
    if isinstance(value, float):
        return None if math.isnan(value) else value
    if isinstance(value, Decimal):
        return float(value)
    return value.isoformat() if isinstance(value, datetime | date) else value


def _pair(word: str, schema: TableSchema) -> tuple[str, str]:
    """``name=value``; a name that itself has ``=`` in it is recognised by the schema."""
    for name in sorted(schema.names, key=len, reverse=True):
        if word.startswith(f"{name}="):
            return name, word[len(name) + 1 :]
    name, _, value = word.partition("=")
    return name, value


def _example(name: str) -> str:
    return f"'{name}=…'" if not name.isidentifier() else f"{name}=…"


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return ", ".join(names[:10]) + more


def _tabbed(
    stream: IO[bytes], path: str, schema: TableSchema, missing: Sequence[str] | None
) -> Iterator[Row]:
    yield from _delimited(stream, path, schema, missing, tab=True)


_READERS: dict[str, Callable[[IO[bytes], str, TableSchema, Sequence[str] | None], Iterator[Row]]] = {
    "csv": _delimited,
    "tsv": _tabbed,
    "json": _document,
    "jsonl": _lines,
    "parquet": _parquet,
}
