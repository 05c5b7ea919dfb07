"""``modelwright predict``: answer rows here, without a server, by the code that the server answers with."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from modelwright.cli.progress import working
from modelwright.cli.terminal import Terminal
from modelwright.cli.verb import project_option, rows_form_option, verb

if TYPE_CHECKING:
    from modelwright.bundle.read import Bundle
    from modelwright.cli.live import LiveBundle
    from modelwright.cli.reading import Watch
    from modelwright.cli.rows_in import Row

_OUT = ("table", "csv", "tsv", "json", "jsonl", "parquet")


@verb(
    "predict",
    examples=[
        ("modelwright predict rows.csv", "a table on the terminal, CSV into a pipe"),
        ("modelwright predict rows.csv --output answers.parquet", "the form follows from the name"),
        ("modelwright predict Amount=12.5 V1=-1.3", "one row in words; what is absent is missing"),
        ("""modelwright predict '{"Amount": 12.5, "V1": -1.3}'""", "one row in JSON"),
        ("zcat rows.csv.gz | modelwright predict - --bundle v3 > answers.csv", "without a project"),
    ],
)
@click.argument("rows", nargs=-1, required=True, type=click.Path(allow_dash=True))
@project_option
@click.option(
    "--bundle",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Answer with this bundle; no project needed.",
)
@click.option(
    "--version", type=click.IntRange(1), metavar="N", help="Answer with this version, not the live one."
)
@click.option("--output", "-o", type=click.Path(), metavar="FILE", help="Write the answers into this file.")
@click.option(
    "--format",
    "form",
    type=click.Choice(_OUT),
    metavar="FORM",
    help=f"Form of the answers: {', '.join(_OUT)}.",
)
@rows_form_option
@click.option("--skip-invalid", is_flag=True, help="Leave out rows that do not fit, and say how many.")
def command(
    terminal: Terminal,
    *,
    rows: tuple[str, ...],
    project: str | None,
    bundle: Path | None,
    version: int | None,
    output: str | None,
    form: str | None,
    source_form: str | None,
    skip_invalid: bool,
) -> None:
    """Answer rows from a file or the command line.

    ROWS is a file (CSV, TSV, JSON, JSON lines, Parquet; also .gz), a folder of Parquet, "-" for
    standard input, or a row written as name=value words or as JSON. The live version answers, unless
    --version or --bundle says otherwise. A row that does not fit is told with its line, and nothing
    is written.
    """
    from modelwright.bundle.read import open_bundle
    from modelwright.cli import rows_out
    from modelwright.cli.answering import Answering
    from modelwright.cli.live import live_bundle

    if bundle is not None and (version is not None or project is not None):
        raise click.UsageError("--bundle stands alone, without --version and --project.")
    form = form or _form(terminal, output)
    missing: Sequence[str] | None = None
    live: LiveBundle | None = None
    if bundle is None:
        live = live_bundle(terminal, project, version)
        bundle, missing = live.path, live.project.file.data.missing
    opened = open_bundle(bundle) if live is None else live.open()
    run = Answering(opened, skip_invalid=skip_invalid)
    # Answers that run over the terminal show by themselves that something is done.
    shown = output in (None, "-") and form != "table" and sys.stdout.isatty()
    with rows_out.writer(form, output, terminal) as writer:
        with working(terminal, f"Answering {_told(rows)}", hidden=shown) as work:
            run.answer(_rows(rows, source_form, opened, missing, work.at), writer)
        run.judge()
    run.tell(terminal)
    if output not in (None, "-"):
        terminal.say(f"Wrote {run.answered:,} answers to {output}.")


def _form(terminal: Terminal, output: str | None) -> str:
    from modelwright.cli.rows_in import form_of

    if output not in (None, "-"):
        known = form_of(str(output))
        if known is None or str(output).endswith(".gz"):
            raise click.UsageError(f"The form of {output} is not known by its name: say it with --format.")
        return known
    if terminal.json:
        return "json"
    return "table" if sys.stdout.isatty() else "csv"


def _told(words: Sequence[str]) -> str:
    return "standard input" if words[0] == "-" else words[0]


def _rows(
    words: Sequence[str], form: str | None, bundle: Bundle, missing: Sequence[str] | None, watch: Watch
) -> Iterator[Row]:
    from modelwright.cli.rows_in import InputUnreadable, read_file, read_words

    schema = bundle.schema.inputs
    if len(words) == 1 and (words[0] == "-" or Path(words[0]).exists() or form is not None):
        return read_file(words[0], form, schema, missing, watch)
    files = [word for word in words if Path(word).is_file()]
    if len(files) > 1:
        raise InputUnreadable(f"{len(files)} files were given.", "Name one at a time.")
    return read_words(words, schema)
