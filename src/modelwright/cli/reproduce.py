"""``modelwright reproduce VERSION``: a version made again from what was recorded, and compared."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from modelwright.cli.terminal import Terminal
from modelwright.cli.verb import project_option, verb

if TYPE_CHECKING:
    from modelwright.train.reproduce import Reproduction


@verb(
    "reproduce",
    examples=[
        ("modelwright reproduce 7", "make version 7 again, and compare"),
        ("modelwright reproduce 7 -p examples/fraud --json", "exit status 1 if it differs"),
        ("modelwright reproduce 7 --keep /tmp/again", "leave the second bundle there"),
    ],
)
@click.argument("version", type=click.IntRange(1))
@project_option
@click.option("--keep", metavar="FOLDER", type=click.Path(), help="Leave the bundle made now there.")
def command(terminal: Terminal, version: int, project: str | None, keep: str | None) -> None:
    """Make a version again from what was recorded, and compare.

    Trains from the recorded rows (by their md5, out of DVC's cache), the project file and features.py
    as they were, and compares the bundles by content hash. Says what differs: libraries, machine,
    code, the files of the bundle. Nothing is registered. Exit status 1 where the bundles differ.
    """
    from modelwright.cli.context import nothing_trained, open_project, opened_store
    from modelwright.cli.training import drawn
    from modelwright.train.reproduce import reproduce

    opened, settings = open_project(terminal, project)
    with opened_store(settings, create=False) as store:
        if store is None:
            raise nothing_trained(opened)
        with drawn(terminal, opened.name, work_dir=settings.work_dir) as progress:
            found = reproduce(
                opened,
                version,
                store=store,
                settings=settings,
                progress=progress,
                keep=None if keep is None else Path(keep),
            )
    terminal.result(asdict(found), lambda: _print(terminal, found))
    if not found.same:
        raise click.exceptions.Exit(1)


def _print(terminal: Terminal, found: Reproduction) -> None:
    verdict = "is the same bundle" if found.same else "is another bundle"
    terminal.print(
        f"Version {found.version} of '{found.project}' made again {verdict} ({found.seconds:.1f} s)"
    )
    terminal.print(f"  recorded  {found.recorded}")
    terminal.print(f"  now       {found.found}")
    terminal.print(f"  made from {found.origin}")
    for title, lines in (("not as it was", found.changed), ("differing", found.differences)):
        if lines:
            terminal.print()
            terminal.print(f"{title[0].upper()}{title[1:]}:")
            for line in lines:
                terminal.print(f"  {line}")
    if not found.same and not found.changed:
        terminal.print()
        terminal.print(
            "Nothing that was recorded is different. A search for settings that ended by time "
            "(train.search.timeout) is not repeatable: let it end by train.search.trials."
        )
