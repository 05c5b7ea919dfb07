"""Answers as people want them: a table on the terminal, else CSV, JSON, JSON lines or Parquet."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Protocol

from modelwright.cli.output import output_file
from modelwright.cli.rows_in import parquet_library
from modelwright.cli.terminal import Terminal, plain_table

MOST_IN_TABLE = 200
_MOST_PROBABILITIES = 4
Record = dict[str, Any]


class Writer(Protocol):
    """Takes answers batch by batch."""

    def write(self, records: Sequence[Record]) -> None:
        """Take a batch; every record has the same keys."""

    def finish(self) -> None:
        """There are no more."""


@contextmanager
def writer(form: str, path: str | None, terminal: Terminal) -> Iterator[Writer]:
    """A writer of ``form`` to the file ``path``, or to standard output.

    A file appears whole or not at all: it is written beside its place and moved there at the end.

    Raises:
        StorageFailure: The disk is full, or the place cannot be written.
    """
    if path is None or path == "-":
        made = _MAKERS[form](sys.stdout.buffer, terminal)
        yield made
        made.finish()
        sys.stdout.flush()
        return
    with output_file(Path(path)) as draft, draft.open("wb") as stream:
        made = _MAKERS[form](stream, terminal)
        yield made
        made.finish()


class _Table:
    """Rows on the terminal, at most so many."""

    def __init__(self, stream: IO[bytes], terminal: Terminal) -> None:
        del stream
        self._terminal = terminal
        self._records: list[Record] = []
        self._count = 0

    def write(self, records: Sequence[Record]) -> None:
        self._count += len(records)
        self._records += records[: max(0, MOST_IN_TABLE - len(self._records))]

    def finish(self) -> None:
        if not self._records:
            return
        rows = [_flat(_compact(record)) for record in self._records]
        titles = list(dict.fromkeys(title for row in rows for title in row))
        cells = [[_cell(row.get(title)) for title in titles] for row in rows]
        self._terminal.table(plain_table(titles, cells))
        if self._count > len(self._records):
            self._terminal.say(
                f"… and {self._count - len(self._records):,} more rows: write them all with --output FILE."
            )


class _Delimited:
    """CSV or TSV; the probabilities are columns ``p(name)``."""

    delimiter = ","

    def __init__(self, stream: IO[bytes], terminal: Terminal) -> None:
        del terminal
        self._stream = stream
        self._titles: list[str] = []

    def write(self, records: Sequence[Record]) -> None:
        lines = _Lines()
        table = csv.writer(lines, delimiter=self.delimiter, lineterminator="\n")
        rows = [_flat(record) for record in records]
        if rows and not self._titles:
            self._titles = list(rows[0])
            table.writerow(self._titles)
        table.writerows([["" if value is None else value for value in row.values()] for row in rows])
        self._stream.write("".join(lines.parts).encode())

    def finish(self) -> None:
        self._stream.flush()


class _Tabbed(_Delimited):
    delimiter = "\t"


class _Lines:
    """What ``csv.writer`` writes into."""

    def __init__(self) -> None:
        self.parts: list[str] = []

    def write(self, text: str) -> None:
        self.parts.append(text)


class _Json:
    """One JSON list."""

    def __init__(self, stream: IO[bytes], terminal: Terminal) -> None:
        del terminal
        self._stream = stream
        self._begun = False

    def write(self, records: Sequence[Record]) -> None:
        for record in records:
            self._stream.write(b",\n" if self._begun else b"[\n")
            self._stream.write(json.dumps(record, ensure_ascii=False).encode())
            self._begun = True

    def finish(self) -> None:
        self._stream.write(b"\n]\n" if self._begun else b"[]\n")
        self._stream.flush()


class _JsonLines:
    """One JSON object a line."""

    def __init__(self, stream: IO[bytes], terminal: Terminal) -> None:
        del terminal
        self._stream = stream

    def write(self, records: Sequence[Record]) -> None:
        text = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
        self._stream.write(text.encode())

    def finish(self) -> None:
        self._stream.flush()


class _Parquet:
    """A Parquet file, a row group a batch."""

    def __init__(self, stream: IO[bytes], terminal: Terminal) -> None:
        del terminal
        self._arrow = parquet_library()
        self._stream = stream
        self._writer: Any = None

    def write(self, records: Sequence[Record]) -> None:
        rows = [_flat(record) for record in records]
        schema = None if self._writer is None else self._writer.schema
        table = self._arrow.Table.from_pylist(rows, schema=schema)
        if self._writer is None and rows:
            self._writer = self._arrow.parquet.ParquetWriter(self._stream, table.schema)
        if rows:
            self._writer.write_table(table)

    def finish(self) -> None:
        if self._writer is None:
            self._writer = self._arrow.parquet.ParquetWriter(self._stream, self._arrow.schema([]))
        self._writer.close()
        self._stream.flush()


_MAKERS: dict[str, Any] = {
    "table": _Table,
    "csv": _Delimited,
    "tsv": _Tabbed,
    "json": _Json,
    "jsonl": _JsonLines,
    "parquet": _Parquet,
}
FORMS = tuple(_MAKERS)


def _compact(record: Record) -> Record:
    """A record for people: no name that repeats the label, of many probabilities the highest three."""
    if "outputs" in record:
        return record | {"outputs": {name: _compact(answer) for name, answer in record["outputs"].items()}}
    compact = dict(record)
    if compact.get("prediction_name") == str(compact.get("prediction")):
        del compact["prediction_name"]
    probabilities = compact.get("probabilities") or {}
    if len(probabilities) > _MOST_PROBABILITIES:
        top = sorted(probabilities.items(), key=lambda item: -item[1])[:3]
        del compact["probabilities"]
        compact["most probable"] = ", ".join(f"{name} {probability:.1%}" for name, probability in top)
    return compact


def _flat(record: Record) -> Record:
    """A record with one value a key, for tables: ``outputs`` and ``probabilities`` become columns."""
    flat: Record = {}
    for key, value in record.items():
        if key == "outputs":
            for model, answer in value.items():
                flat |= {f"{model}.{inner}": cell for inner, cell in _flat(answer).items()}
        elif key == "probabilities":
            flat |= {f"p({name})": probability for name, probability in value.items()}
        elif key != "warnings":
            flat[key] = value
    return flat


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
