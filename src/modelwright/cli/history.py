"""``modelwright history``: what happened in a project, in the order it happened."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from modelwright.cli.terminal import Terminal, plain_table
from modelwright.cli.verb import project_argument, verb

if TYPE_CHECKING:
    from modelwright.store.ports import Store

_RELEASE = "release"


class Happening(NamedTuple):
    """A release or an event.

    Attributes:
        time: When, UTC.
        kind: "release", or the event's kind.
        message: A sentence.
        data: What a program may want to know.
    """

    time: datetime
    kind: str
    message: str
    data: dict[str, Any]


@verb(
    "history",
    examples=[
        ("modelwright history", "of the project here, the newest last"),
        ("modelwright history examples/fraud --kind release --limit 5", "the last five promotions"),
        ("modelwright history --json | jq '.[-1]'", "the latest thing that happened"),
    ],
)
@project_argument
@click.option("--kind", multiple=True, help="Only this kind: 'release', or a kind of event. May be repeated.")
@click.option(
    "--limit", default=50, show_default=True, type=click.IntRange(1), metavar="N", help="How many, at most."
)
def command(terminal: Terminal, path: str | None, kind: tuple[str, ...], limit: int) -> None:
    """Tell what happened, the newest last.

    A release is a version that became the one that answers. Events are what the parts of the
    product noted: versions trained, promotions, alarms, retrainings, labels that could not be used.
    """
    from modelwright.cli.context import open_project, opened_store

    project, settings = open_project(terminal, path)
    with opened_store(settings, create=False) as store:
        found = [] if store is None else happenings(store, project.name, kinds=kind, limit=limit)

    def show() -> None:
        if found:
            _print(terminal, found)
        elif kind:
            terminal.say(f"Nothing of kind {' or '.join(map(repr, kind))} happened in '{project.name}' yet.")
        else:
            terminal.say(f"Nothing happened in project '{project.name}' yet.")

    terminal.result([{**each._asdict(), "time": each.time.isoformat()} for each in found], show)


def happenings(
    store: Store, project: str, *, kinds: tuple[str, ...] = (), limit: int = 50
) -> list[Happening]:
    """The newest ``limit`` of these kinds (all, if none is named), the newest last."""
    found: list[Happening] = []
    if not kinds or _RELEASE in kinds:
        found += [
            Happening(
                release.released,
                _RELEASE,
                f"Version {release.version} answers from now on ({release.actor}): {release.reason}",
                {"sequence": release.sequence, "version": release.version, "actor": release.actor},
            )
            for release in store.releases.list(project, limit=limit)
        ]
    for kind in [None] if not kinds else [kind for kind in kinds if kind != _RELEASE]:
        found += [
            Happening(event.time, event.kind, event.message, event.data)
            for event in store.events.list(project, kind=kind, limit=limit)
        ]
    found.reverse()  # what has the same time stays in the order it was written
    return sorted(found, key=lambda each: each.time)[-limit:]


def _print(terminal: Terminal, found: list[Happening]) -> None:
    rows = [
        (each.time.astimezone().strftime("%Y-%m-%d %H:%M:%S"), each.kind, " ".join(each.message.split()))
        for each in found
    ]
    terminal.table(plain_table(("time", "what", ""), rows))
