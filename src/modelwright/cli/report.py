"""``modelwright report``: everything about a version in one file to pass on."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from modelwright.cli.progress import working
from modelwright.cli.terminal import Terminal
from modelwright.cli.verb import project_option, verb

if TYPE_CHECKING:
    from modelwright.store.records import VersionRecord


@verb(
    "report",
    examples=[
        ("modelwright report", "of the version that answers, as one HTML file in this folder"),
        ("modelwright report 3 --output out/v3.html", "of version 3, to this place"),
        ("modelwright report --pdf", "as PDF too, where Chromium is installed"),
        ("modelwright report --card", "the model card, as Markdown"),
    ],
)
@click.argument("version", required=False, type=click.IntRange(1))
@project_option
@click.option("--output", metavar="FILE", help="Where to write; by default NAME-vN.html (or .md) here.")
@click.option("--pdf", is_flag=True, help="Also print the page to a PDF beside it, through Chromium.")
@click.option("--card", is_flag=True, help="Write the model card (Markdown) instead of the page.")
def command(  # noqa: PLR0917 - the options of one verb
    terminal: Terminal, version: int | None, project: str | None, output: str | None, pdf: bool, card: bool
) -> None:
    """Write a version's report: one HTML file, or its model card.

    Data, leaderboard, metrics with intervals and plots, what the model lives by, errors worth looking
    at, parity, decision, how to reproduce it, and what became of the version since. The file needs no
    network and nothing beside it.
    """
    from modelwright.cli.context import open_project, opened_store
    from modelwright.cli.extras import need_training
    from modelwright.cli.live import meant
    from modelwright.cli.summary import report_path
    from modelwright.files import write_whole

    if pdf and card:
        raise click.UsageError("A model card is Markdown: leave out --pdf, or --card.")
    need_training()
    from modelwright.train.report.facts import WRITING, kept
    from modelwright.train.report.page import card as card_of
    from modelwright.train.report.page import page
    from modelwright.train.report.since import since

    opened, settings = open_project(terminal, project)
    with working(terminal, "Collecting the facts") as work, opened_store(settings, create=False) as store:
        record = meant(store, opened, version, or_latest=True)
        folder = report_path(settings, record).parent
        facts = kept(folder, record.number)
        after = None if store is None else since(store, opened.name, record.number, now=datetime.now(UTC))
        target = (
            Path(output) if output else Path(f"{opened.name}-v{record.number}.{'md' if card else 'html'}")
        )
        work.step(f"Writing {target}")
        write_whole(target, card_of(facts) if card else page(facts, folder, after), WRITING)
        written = [target]
        if pdf:
            from modelwright.cli.printing import print_page

            work.step(f"Printing {target.with_suffix('.pdf')}")
            written.append(print_page(target, target.with_suffix(".pdf")))
    _tell(terminal, record, written)


def _tell(terminal: Terminal, record: VersionRecord, written: list[Path]) -> None:
    places = [str(path.resolve()) for path in written]

    def show() -> None:
        for place in places:
            terminal.print(place)

    terminal.result({"project": record.project, "version": record.number, "files": places}, show)
