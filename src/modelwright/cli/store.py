"""``modelwright store``: where a project's record is kept, and how it gets to another database."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from modelwright.cli.progress import working
from modelwright.cli.terminal import Terminal, plain_table
from modelwright.cli.verb import project_argument, verb
from modelwright.errors import Busy
from modelwright.project.settings import PLACE
from modelwright.schema.urls import mask_url

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelwright.project.settings import Settings
    from modelwright.store.copying import Copied
    from modelwright.store.survey import Survey

_VARIABLE = "MODELWRIGHT_STORE_URL"
_NEEDS = {
    "": "as this release needs them",
    "upgrade": "of an older release; the next command that writes brings them up",
    "newer release": "of a newer release of Modelwright than this one",
}


class Served(Busy):
    """A server of this project runs: what it answers while the store is copied would not be in the copy."""


@click.group("store")
def command() -> None:
    """Show where the record is kept, or copy it to another database."""


@verb(
    "show",
    examples=[
        ("modelwright store show", "of the project here: where, how much, since when"),
        ("modelwright store show examples/iris --json", "for programs"),
    ],
)
@project_argument
def show(terminal: Terminal, path: str | None) -> None:
    """Show where a project's store is, what is in it, and how large its tables are.

    Nothing in it is changed.
    """
    from modelwright.cli.context import open_project
    from modelwright.store.survey import survey

    _, settings = open_project(terminal, path)
    with working(terminal, "Looking at the store"):
        found = survey(settings.store_url)
    source = settings.entry("store_url").source
    terminal.result(_as_json(found, source), lambda: _print(terminal, found, source))


@verb(
    "copy",
    examples=[
        ("modelwright store copy --to postgresql://ann@db.example.org/iris", "from here to PostgreSQL"),
        ("modelwright store copy --to sqlite:////backup/iris.db", "or into a file, to go back or to keep"),
    ],
)
@project_argument
@click.option(
    "--to",
    "target",
    required=True,
    metavar="URL",
    help="An empty database: postgresql://user@host/database or sqlite:////path/to/file.db. {project} in it "
    "stands for the project's name.",
)
def copy(terminal: Terminal, path: str | None, target: str) -> None:
    """Copy all that is in a project's store into an empty one at URL, between SQLite and PostgreSQL.

    Everything of the store comes along, of every project in it: versions, releases, predictions, labels,
    samples, jobs, events, keys, features and what the monitors remember. Stop servers and workers first.
    The copy is compared with the original before it becomes visible; an interrupted one leaves nothing
    behind. The original is not changed.
    """
    from modelwright.cli.context import open_project
    from modelwright.project import lock
    from modelwright.project.settings import own_url
    from modelwright.store.copying import copy_store

    project, settings = open_project(terminal, path)
    place = own_url(target, project, "--to")
    with (
        lock.hold(settings.work_dir),
        _undelivered(settings.work_dir / "journal") as waiting,
        working(terminal, "Copying the store") as work,
    ):
        copied = copy_store(settings.store_url, place, told=work.reached)
    terminal.result(
        {
            **{"source": copied.source, "target": copied.target, "undelivered": waiting},
            "tables": {
                name: {"rows": copied.rows[name], "digest": copied.digests[name]} for name in copied.rows
            },
        },
        lambda: _tell(terminal, copied, _line(copied, target, settings), _elsewhere(settings, waiting)),
    )


for _verb in (show, copy):
    command.add_command(_verb)


@contextmanager
def _undelivered(root: Path) -> Iterator[int]:
    """Let nobody deliver journals meanwhile; how many predictions and events may wait in them.

    Raises:
        Served: A server is at it.
    """
    from modelwright.serve.journal.reader import Tail, journals
    from modelwright.serve.keeping.delivery import take_lock

    handle = take_lock(root)
    if handle < 0:
        raise Served(
            f"A server runs on {root.parent}: what it answers from now on would not be in the copy.",
            "Stop it (Ctrl+C where it runs, or kill its process), copy, and start it with the new address.",
        )
    try:
        found = 0
        for directory in journals(root):
            tail = Tail(directory)
            while items := tail.peek():
                found += len(items)
                tail.advance()
        yield found
    finally:
        os.close(handle)


def _as_json(found: Survey, source: str) -> dict[str, Any]:
    import msgspec

    return {**msgspec.to_builtins(found), "source": source}


def _print(terminal: Terminal, found: Survey, source: str) -> None:
    from modelwright.figures import size

    terminal.print(f"{found.kind}: {found.where}  ({source})")
    about = "" if found.bytes is None else f", {size(found.bytes)} in all"
    terminal.print(f"Tables are at revision {found.revision}, {_NEEDS[found.needs]}{about}.\n")
    if found.projects:
        terminal.table(
            plain_table(
                ("project", "versions", "predictions", "oldest", "newest"),
                [
                    (
                        each.name,
                        f"{each.versions:,}",
                        f"{each.predictions:,}",
                        f"{each.oldest:%Y-%m-%d %H:%M:%S}" if each.oldest else "—",
                        f"{each.newest:%Y-%m-%d %H:%M:%S}" if each.newest else "—",
                    )
                    for each in found.projects
                ],
                right=("versions", "predictions"),
            )
        )
        terminal.print()
    terminal.table(
        plain_table(
            ("table", "rows", "size"),
            [
                (each.name, f"{each.rows:,}", "—" if each.bytes is None else size(each.bytes))
                for each in found.tables
            ],
            right=("rows", "size"),
        )
    )


def _tell(terminal: Terminal, copied: Copied, line: str, elsewhere: Sequence[tuple[str, str, str]]) -> None:
    rows = sum(copied.rows.values())
    terminal.print(f"Copied {rows:,} rows of {len(copied.rows)} tables, and compared them:")
    terminal.print(f"  from {copied.source}, which was not changed")
    terminal.print(f"  to   {copied.target}\n")
    terminal.print("From now on, wherever this project is served, trained or looked at:\n")
    terminal.print(f"  {line}\n")
    if "***" in line:
        terminal.print("with the password where *** stands.\n")
    terminal.print("Not in the store, and still where they were:")
    for what, where, remark in elsewhere:
        terminal.print(f"  {what:<9} {where}{f'  ({remark})' if remark else ''}")


def _line(copied: Copied, given: str, settings: Settings) -> str:
    """The very line that makes commands use the copy."""
    if copied.target == str(settings.work_dir / "store.db"):
        return f"unset {_VARIABLE}"
    url = copied.target if "://" in copied.target else f"sqlite:///{copied.target}"
    if PLACE in given:  # one line for all projects
        url = mask_url(given)
    return f"export {_VARIABLE}={shlex.quote(url)}"


def _elsewhere(settings: Settings, waiting: int) -> list[tuple[str, str, str]]:
    bundles = settings.bundles_url or str(settings.work_dir / "bundles")
    found = [
        (
            "bundles",
            bundles,
            "" if settings.bundles_url else "other hosts need them: MODELWRIGHT_BUNDLES_URL",
        ),
        ("runs", settings.entry("tracking_uri").shown, "MLflow's own"),
        ("data", "the project's folder and DVC's remote", "as before"),
    ]
    if waiting:
        place = str(settings.work_dir / "journal")
        told = (
            f"{waiting:,} entries wait; the next modelwright serve here brings what is missing into the store"
        )
        found.append(("journals", place, told))
    return found
