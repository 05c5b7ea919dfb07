"""``modelwright log``: the prediction log as a file, and its old end cut off."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from modelwright.cli.output import output_file
from modelwright.cli.progress import working
from modelwright.cli.terminal import Terminal
from modelwright.cli.verb import project_option, verb
from modelwright.errors import ExitCode, ModelwrightError

if TYPE_CHECKING:
    from modelwright.store.engine import SqlStore
    from modelwright.store.records import LabelRecord, PredictionRecord

_PAGE = 1000
_COLUMNS = (
    *("prediction_id", "time", "version", "status", "protocol", "role", "client", "latency"),
    *("prediction", "prediction_name", "confidence", "label", "inputs", "outputs", "warnings"),
)
Batches = Iterator[list[dict[str, Any]]]


class TimeUnclear(ModelwrightError):
    """A time or a length of time that cannot be read."""

    code = ExitCode.USAGE


class FormUnknown(ModelwrightError):
    """A file's name does not say what is to be written into it."""

    code = ExitCode.USAGE


@click.group("log")
def command() -> None:
    """Export the prediction log, or cut off its old end."""


@verb(
    "export",
    examples=[
        ("modelwright log export predictions.parquet", "all of it, a row a prediction, with its label"),
        ("modelwright log export may.jsonl --since 2026-05-01 --until 2026-06-01", "JSON lines, of May"),
        (
            "modelwright log export truth.parquet --labelled --version 7",
            "what version 7 is known to be worth",
        ),
    ],
)
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@project_option
@click.option("--since", metavar="TIME", help="From this time on, such as 2026-05-01T12:00.")
@click.option("--until", metavar="TIME", help="Up to this time, without it.")
@click.option("--version", type=click.IntRange(1), help="Of this version only.")
@click.option("--labelled", is_flag=True, help="Only predictions whose truth is known.")
def export(
    terminal: Terminal,
    *,
    file: Path,
    project: str | None,
    since: str | None,
    until: str | None,
    version: int | None,
    labelled: bool,
) -> None:
    """Write the prediction log to FILE: .parquet, .csv or .jsonl.

    Columns: prediction_id, time, version, status, protocol, role, client, latency, prediction,
    prediction_name, confidence, label; and inputs, outputs and warnings as JSON, since their values may be
    of any type. FILE appears whole or not at all.
    """
    from modelwright.cli.context import open_project, opened_store

    opened, settings = open_project(terminal, project)
    limits: dict[str, Any] = {
        "since": _moment(since),
        "until": _moment(until),
        "version": version,
        "labelled": True if labelled else None,
    }
    with opened_store(settings, create=False) as store:
        batches = iter(()) if store is None else _batches(store, opened.name, limits)
        with working(terminal, f"Writing {file}", _most(store, opened.name, limits)) as work:
            count = _write(file, batches, work.at)
    terminal.result(
        {"file": str(file), "predictions": count}, lambda: terminal.print(f"{count:,} predictions in {file}")
    )


@verb(
    "prune",
    examples=[
        ("modelwright log prune --older-than 90d", "keep three months"),
        ("modelwright log prune --keep 1000000", "keep the newest million"),
    ],
)
@project_option
@click.option("--older-than", metavar="TIME", help="Delete predictions older than this: 12h, 90d.")
@click.option("--keep", type=click.IntRange(0), help="Delete all but the newest so many.")
def prune(terminal: Terminal, *, project: str | None, older_than: str | None, keep: int | None) -> None:
    """Delete old predictions, with their labels, for good. A server does it by itself with --keep-days."""
    from modelwright.cli.context import open_project, opened_store
    from modelwright.project.durations import seconds

    if older_than is None and keep is None:
        raise TimeUnclear("Nothing says which predictions to delete.", "Give --older-than or --keep.")
    opened, settings = open_project(terminal, project)
    try:
        oldest = None if older_than is None else datetime.now(UTC) - timedelta(seconds=seconds(older_than))
    except (ValueError, OverflowError) as error:
        raise TimeUnclear(f"'{older_than}' is no length of time.", "Write it like 12h or 90d.") from error
    with opened_store(settings, create=False) as store:
        gone = 0
        if store is not None:
            total = _to_go(store, opened.name, oldest, keep)
            with working(terminal, "Deleting old predictions", total) as work:
                gone = store.predictions.prune(opened.name, older_than=oldest, keep=keep, told=work.at)
    terminal.result({"deleted": gone}, lambda: terminal.print(f"{gone:,} predictions deleted"))


for _verb in (export, prune):
    command.add_command(_verb)


def _most(store: SqlStore | None, project: str, limits: dict[str, Any]) -> int | None:
    """How many predictions an export holds at most; ``None`` where only reading them would tell."""
    if store is None or limits["labelled"]:
        return None
    count = store.predictions.count(project, version=limits["version"], since=limits["since"])
    if limits["until"] is None:
        return count
    return count - store.predictions.count(project, version=limits["version"], since=limits["until"])


def _to_go(store: SqlStore, project: str, oldest: datetime | None, keep: int | None) -> int:
    """How many predictions pruning will delete."""
    count = store.predictions.count(project)
    stay = count if oldest is None else store.predictions.count(project, since=oldest)
    return count - (stay if keep is None else min(stay, keep))


def _batches(store: SqlStore, project: str, limits: dict[str, Any]) -> Batches:
    """The log, newest first, page by page: a log of millions does not fit in memory."""
    before: str | None = None
    while True:
        page = store.predictions.history(project, limit=_PAGE, before=before, **limits)
        if not page:
            return
        labels = store.labels.latest(project, [record.id for record in page])
        yield [_row(record, labels.get(record.id)) for record in page]
        before = page[-1].id


def _row(record: PredictionRecord, label: LabelRecord | None) -> dict[str, Any]:
    outputs = record.outputs if isinstance(record.outputs, dict) else {}
    prediction = outputs.get("prediction")
    return {
        "prediction_id": record.id,
        "time": record.time,
        "version": record.version,
        "status": record.status,
        "protocol": record.protocol,
        "role": record.role,
        "client": record.client,
        "latency": record.latency,
        "prediction": None if prediction is None else _text(prediction),
        "prediction_name": outputs.get("prediction_name"),
        "confidence": outputs.get("confidence"),
        "label": None if label is None else _text(label.target),
        "inputs": _json(record.inputs),
        "outputs": _json(record.outputs),
        "warnings": _json(list(record.warnings)),
    }


def _text(value: Any) -> str:
    return value if isinstance(value, str) else _json(value)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def _write(file: Path, batches: Batches, told: Callable[[int], None]) -> int:
    """Write all batches, telling how many rows so far; how many rows in all.

    Raises:
        FormUnknown: The file's name does not say in which form.
        StorageFailure: The disk is full, or the place cannot be written.
        MissingExtra: Parquet needs pyarrow.
    """
    maker = _MAKERS.get(file.suffix.lower())
    if maker is None:
        raise FormUnknown(
            f"The name {file} does not say in which form the log is to be written.",
            "Let it end in .parquet, .csv or .jsonl.",
        )
    count = 0
    with output_file(file) as draft, draft.open("wb") as stream, closing(maker(stream)) as sink:
        next(sink)
        for batch in batches:
            sink.send(batch)
            count += len(batch)
            told(count)
    return count


def _csv(stream: BinaryIO) -> Any:
    with TextIOWrapper(stream, encoding="utf-8", newline="", write_through=True) as text:
        writer = csv.writer(text)
        writer.writerow(_COLUMNS)
        while True:
            rows: Sequence[dict[str, Any]] = yield
            writer.writerows([[_cell(row[name]) for name in _COLUMNS] for row in rows])


def _cell(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def _json_lines(stream: BinaryIO) -> Any:
    while True:
        rows: Sequence[dict[str, Any]] = yield
        for row in rows:
            plain = row | {"time": row["time"].isoformat()}
            for name in ("inputs", "outputs", "warnings"):
                plain[name] = json.loads(row[name])
            stream.write(_json(plain).encode() + b"\n")


def _parquet(stream: BinaryIO) -> Any:
    from modelwright.cli.rows_in import parquet_library

    arrow = parquet_library()
    text = arrow.string()
    kinds = {
        "time": arrow.timestamp("us", "UTC"),
        "version": arrow.int64(),
        "status": arrow.int64(),
        "latency": arrow.float64(),
        "confidence": arrow.float64(),
    }
    schema = arrow.schema([(name, kinds.get(name, text)) for name in _COLUMNS])
    with arrow.parquet.ParquetWriter(stream, schema) as writer:
        while True:
            rows: Sequence[dict[str, Any]] = yield
            writer.write_table(arrow.Table.from_pylist(list(rows), schema=schema))


_MAKERS = {".parquet": _parquet, ".pq": _parquet, ".csv": _csv, ".jsonl": _json_lines, ".ndjson": _json_lines}


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise TimeUnclear(f"'{text}' is no time.", "Write it like 2026-05-01 or 2026-05-01T12:00.") from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)
