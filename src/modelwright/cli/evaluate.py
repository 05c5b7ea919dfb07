"""``modelwright evaluate URL --data FILE``: labelled rows posted to a running service, and how it did."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from modelwright.cli.asking import api_key_option
from modelwright.cli.progress import working
from modelwright.cli.terminal import Terminal, plain_table
from modelwright.cli.verb import project_option, rows_form_option, verb
from modelwright.errors import ExitCode, ModelwrightError

if TYPE_CHECKING:
    from modelwright.cli.reading import Watch
    from modelwright.project.load import Project
    from modelwright.train.live_check import Asked, Labelled
    from modelwright.train.live_report import Report

LOG = "predictions_log.txt"
_ROWS = frozenset({".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".parquet", ".gz"})


class RowsRefused(ModelwrightError):
    """The service refused rows of the file."""

    code = ExitCode.DATA


@verb(
    "evaluate",
    examples=[
        (
            "modelwright evaluate http://127.0.0.1:5000 --data new.csv --floor accuracy=0.95",
            "100 random rows of it; fails under the floor",
        ),
        (
            "modelwright evaluate http://127.0.0.1:5000 --data new.csv --sample 500 --seed 7",
            "the same rows every time",
        ),
        (
            "MODELWRIGHT_API_KEY=… modelwright evaluate https://models.example --data a.csv --json",
            "with credentials, for programs",
        ),
    ],
)
@click.argument("url")
@click.option(
    "--data",
    metavar="FILE",
    type=click.Path(),
    help="Labelled rows: CSV, TSV, JSON, JSON lines or Parquet. Default: the project's data.",
)
@click.option("--target", metavar="COLUMN", help="Column with the truth. Default: the project's target.")
@click.option(
    "--sample",
    default=100,
    show_default=True,
    type=click.IntRange(1),
    metavar="N",
    help="How many rows, drawn at random.",
)
@click.option(
    "--seed",
    type=click.IntRange(0),
    metavar="N",
    help="Of the draw. Default: another each time, told with the result.",
)
@click.option(
    "--floor",
    "floors",
    multiple=True,
    metavar="METRIC=VALUE",
    help="Fail below it (above it, where less is better); may be repeated.",
)
@click.option(
    "--log",
    default=LOG,
    show_default=True,
    metavar="FILE",
    type=click.Path(),
    help="Append a line to this file.",
)
@click.option("--no-log", is_flag=True, help="Append it nowhere.")
@click.option("--model", default="", metavar="NAME", help="Which of the server's models. Default: its first.")
@click.option(
    "--output", default="", metavar="NAME", help="Which answer, where several models answer together."
)
@api_key_option
@rows_form_option
@project_option
def command(
    terminal: Terminal,
    *,
    url: str,
    data: str | None,
    target: str | None,
    sample: int,
    seed: int | None,
    floors: tuple[str, ...],
    log: str,
    no_log: bool,
    model: str,
    output: str,
    api_key: str | None,
    source_form: str | None,
    project: str | None,
) -> None:
    """Measure a running service with labelled rows.

    Random rows of FILE go to the service at URL one at a time, as its clients send them, and its
    answers are compared with the truth. Without --floor it fails where the answers are surely worse
    than always answering the commonest label. A row that the service refuses is a failure as well.
    """
    from modelwright.client.sync import Client
    from modelwright.train.git import commit_of
    from modelwright.train.live_check import ask, draw, judged, with_numbers
    from modelwright.train.live_report import Report, append, judge

    _check_address(url)
    known = _project(project)
    data = data or _data_of(known)
    wanted = [_floor(each) for each in floors]
    seed = secrets.randbelow(2**31) if seed is None else seed
    with working(terminal, f"Reading {data}") as work:
        rows = with_numbers(draw(_labelled(data, source_form, target, known, work.at), sample, seed))
    if not rows:
        raise RowsRefused(f"{data} holds no rows.", "Name a file with labelled rows.")
    try:
        client = Client(url, api_key=api_key)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="URL") from None
    with client, working(terminal, f"Asking {url}", len(rows)) as work:
        asked = ask(client, rows, model=model, output=output, told=work.at)
    if not asked.answers:
        raise RowsRefused(
            f"The service refused every one of the {asked.refusals} rows.",
            "Check that it is the service the file belongs to.",
            details=asked.refused,
        )
    names = known.file.data.labels if known is not None else {}
    place = known.directory if known is not None else Path(data).absolute().parent
    report = Report.of(
        asked, judged(asked, names=names, seed=seed), url=url, seed=seed, commit=commit_of(place)
    )
    if not no_log:
        append(Path(log), report)
    terminal.result(report.document(), lambda: _show(terminal, report, None if no_log else log))
    _none_refused(asked)
    judge(report, wanted)


def _check_address(url: str) -> None:
    """Words for what stands where the address has to, before rows are read for nothing."""
    if url.startswith(("http://", "https://")):
        return
    path = Path(url)
    if path.is_dir():
        raise click.UsageError(
            f"'{url}' is a folder, no server's address. A project is named with --project."
        )
    if path.exists() or path.suffix.lower() in _ROWS:
        raise click.UsageError(
            f"'{url}' is no server's address. Rows are named with --data: "
            f"modelwright evaluate http://127.0.0.1:5000 --data '{url}'"
        )
    meant = f"http://127.0.0.1:{url}" if url.isdigit() else f"http://{url}"
    raise click.UsageError(f"'{url}' is no server's address. Did you mean '{meant}'?")


def _project(path: str | None) -> Project | None:
    """The project named, or the one here; none is needed."""
    from modelwright.project.load import load
    from modelwright.project.mistakes import ProjectNotFound

    try:
        return load(path)
    except ProjectNotFound:
        if path is not None:
            raise
        return None


def _data_of(project: Project | None) -> str:
    """The file with the project's own rows."""
    from modelwright.data.load import materialise

    if project is None:
        raise click.UsageError("Name labelled rows with --data, or their project with --project.")
    return str(materialise(project.file.data.source, project_dir=project.directory))


def _labelled(
    path: str, form: str | None, target: str | None, known: Project | None, watch: Watch
) -> Iterator[Labelled]:
    """The rows of a file, parted from their truth."""
    from modelwright.cli.rows_in import problem_of, read_file
    from modelwright.schema.columns import TableSchema
    from modelwright.train.live_check import Labelled, TruthUnusable

    column = target or (known.file.data.target if known is not None else None)
    if not column:
        raise click.UsageError(
            "Say with --target which column holds the truth, or name the project with --project."
        )
    missing = known.file.data.missing if known is not None else None
    for row in read_file(path, form, TableSchema(columns=()), missing, watch):
        problem = problem_of(row.values)
        if problem is None and not isinstance(row.values, dict):
            problem = "is not an object by column name"
        if problem is not None:
            raise RowsRefused(f"{path}, {row.place}: {problem}.", "Correct that row.")
        values = dict(row.values)
        if column not in values:
            raise TruthUnusable(
                f"{path} has no column '{column}'.",
                f"Say with --target which of these holds the truth: {', '.join(list(values)[:20])}.",
            )
        truth = values.pop(column)
        yield Labelled(row.place, values, truth)


def _floor(text: str) -> tuple[str, float]:
    from modelwright.schema.catalogue import METRICS

    name, _, value = text.partition("=")
    known = sorted({metric for metrics in METRICS.values() for metric in metrics})
    if name not in known:
        raise click.BadParameter(
            f"'{name}' is no metric. There are: {', '.join(known)}.", param_hint="--floor"
        )
    try:
        return name, float(value)
    except ValueError:
        raise click.BadParameter(
            f"'{text}' is not METRIC=VALUE, such as accuracy=0.95.", param_hint="--floor"
        ) from None


def _show(terminal: Terminal, report: Report, log: str | None) -> None:
    from modelwright.cli.versions import interval

    rows = len(report.asked.answers)
    median, slow = report.milliseconds
    terminal.print(f"Version {report.version} at {report.url} answered {rows:,} rows (seed {report.seed}):")
    found = [(name, interval(metric)) for name, metric in report.measured.metrics.items()]
    terminal.table(plain_table(("metric", "value (95 % interval)"), found))
    terminal.print(f"A request took {median:g} ms (median), {slow:g} ms (95 % of them at most).")
    if report.measured.commonest is not None:
        terminal.say(
            f"Always answering the commonest label would be right in {report.measured.commonest:.4g}."
        )
    if log is not None:
        terminal.say(f"Appended to {log}.")


def _none_refused(asked: Asked) -> None:
    if asked.refusals:
        total = asked.refusals + len(asked.answers)
        raise RowsRefused(
            f"The service refused {asked.refusals} of {total} rows.",
            "Correct the file, or the limits in the project file.",
            details=asked.refused,
        )
