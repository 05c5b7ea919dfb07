"""How a delimited text file is written: its delimiter, header, decimal sign, and columns of codes."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from modelwright.data.faults import DataUnreadable, shorten
from modelwright.data.tap import Tap

HEAD = 1 << 20
_RECORDS = 500
_DELIMITERS = ",;\t|"
_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*")
_DECIMAL_COMMA = re.compile(r"\s*[+-]?\d+,\d+\s*")
_DECIMAL_POINT = re.compile(r"\s*[+-]?\d+\.\d+\s*")
_CODE = re.compile(r"0\d+")


class Dialect(NamedTuple):
    """How one file is written.

    Attributes:
        delimiter: What stands between cells.
        names: Column names; a nameless one is called by its place.
        decimal: ``.`` or ``,``.
        codes: Columns with leading zeros ("0042"): strings, though they look like numbers.
        head: The first bytes of the file, whole records where possible.
    """

    delimiter: str
    names: tuple[str, ...]
    decimal: str
    codes: frozenset[str]
    head: bytes


def sniff(path: Path) -> Dialect:
    """Look at the first mebibyte of a delimited file.

    Raises:
        DataUnreadable: It is empty, has a header only, no header, or the same column name twice.
    """
    head, whole = _read_head(path)
    text = head.removeprefix(codecs.BOM_UTF8).decode("utf-8", errors="ignore")
    if not text.strip():
        raise DataUnreadable(f"The file {path} is empty.", "Name a file with a header line and rows of data.")
    delimiter = _delimiter(text, path)
    records = _records(text, delimiter, whole=whole)
    names = _names(records[0], path)
    rows = [record for record in records[1:] if len(record) == len(names)]
    if len(records) < 2 and whole:
        raise DataUnreadable(
            f"The file {path} has a header line but no rows.", "Name a file that has rows below the header."
        )
    columns = list(zip(*rows, strict=True)) or [()] * len(names)
    codes = frozenset(
        name for name, cells in zip(names, columns, strict=True) if any(map(_CODE.fullmatch, cells))
    )
    return Dialect(delimiter, names, _decimal(columns, delimiter), codes, head)


def _read_head(path: Path) -> tuple[bytes, bool]:
    """The first bytes, up to a line end, and whether they are the whole file."""
    blocks = []
    size = 0
    with Tap(path) as tap:
        while size < HEAD and (block := tap.read(HEAD - size)):
            blocks.append(block)
            size += len(block)
    head = b"".join(blocks)
    whole = size < HEAD
    return (head if whole else head[: head.rfind(b"\n") + 1]), whole


def _records(text: str, delimiter: str, *, whole: bool) -> list[list[str]]:
    """The first records; the last one is left out unless the text is the ``whole`` file."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        records = [record for record in islice(reader, _RECORDS) if record]
    except csv.Error:
        # A cell beyond the csv module's limit: the typed reader words it, with the line.
        return [text.split("\n", 1)[0].rstrip("\r").split(delimiter), []]
    return records[:-1] if not whole and 2 < len(records) < _RECORDS else records


def _delimiter(text: str, path: Path) -> str:
    """The delimiter by which most records have as many cells as the header, the most cells winning."""
    if {".tsv", ".tab"} & {suffix.lower() for suffix in path.suffixes}:
        return "\t"
    best, best_score = ",", (0.0, 0)
    for delimiter in _DELIMITERS:
        widths = [len(record) for record in _records(text, delimiter, whole=False)[:100]]
        score = (round(widths.count(widths[0]) / len(widths), 1), widths[0])
        if widths[0] > 1 and score > best_score:
            best, best_score = delimiter, score
    return best


def _names(header: list[str], path: Path) -> tuple[str, ...]:
    names = tuple(name if name.strip() else f"Unnamed: {place}" for place, name in enumerate(header))
    twice = [name for name, count in Counter(names).items() if count > 1]
    if (twice and all(_NUMBER.fullmatch(name) for name in twice)) or 2 * sum(
        map(bool, map(_DECIMAL_POINT.fullmatch, names))
    ) >= len(names):
        raise DataUnreadable(
            f"The first line of {path} looks like data, not like column names: {shorten(names, 5)}.",
            "Put a line with the column names at the top of the file.",
        )
    if twice:
        raise DataUnreadable(
            f"The file {path} has more than one column called {shorten(twice, 5)}.",
            "Give every column a name of its own in the header line.",
        )
    return names


def _decimal(columns: list[tuple[str, ...]], delimiter: str) -> str:
    """A comma, where some column is written so and none with a point."""
    if delimiter == ",":
        return "."
    with_comma = any(cells and all(map(_DECIMAL_COMMA.fullmatch, filter(None, cells))) for cells in columns)
    with_point = any(any(map(_DECIMAL_POINT.fullmatch, cells)) for cells in columns)
    return "," if with_comma and not with_point else "."
