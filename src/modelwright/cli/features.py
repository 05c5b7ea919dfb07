"""``modelwright features``: what is looked up for a request, brought into the store."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from modelwright.cli.progress import working
from modelwright.cli.terminal import Terminal
from modelwright.cli.verb import project_argument, project_option, verb
from modelwright.errors import ExitCode, ModelwrightError

if TYPE_CHECKING:
    from modelwright.store.records import GenerationRecord
    from modelwright.train.online import Update


class NothingKnown(ModelwrightError):
    """No features, or none of that key, are in the store."""

    code = ExitCode.USAGE


@click.group("features")
def command() -> None:
    """Bring what is looked up for requests into the store."""


@verb(
    "update",
    examples=[
        ("modelwright features update examples/cardholders", "as of the last day of the data"),
        ("modelwright features update --at 2016-06-30", "as it was known on that day"),
    ],
)
@project_argument
@click.option(
    "--at",
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]),
    help="The moment to know things of, UTC. Default: the data's own last.",
)
def update(terminal: Terminal, path: str | None, at: datetime | None) -> None:
    """Compute every key's features anew and put them in place of those in the store.

    Running servers take the new ones within two seconds, all at once. Over unchanged data nothing
    is changed.
    """
    from modelwright.cli.context import open_project, opened_store
    from modelwright.project import lock
    from modelwright.train.online import update_features

    project, settings = open_project(terminal, path)
    with lock.hold(settings.work_dir), opened_store(settings) as store:
        assert store is not None  # noqa: S101 - it is made where it is not there
        with working(terminal, "Reading the data") as work:
            moment = None if at is None else at.replace(tzinfo=UTC)
            done = update_features(project, store, at=moment, told=work.step)
    assert project.file.online is not None  # noqa: S101 - update_features refused otherwise
    terminal.result(
        {
            **_as_json(done.generation),
            "changed": done.changed,
            "added": done.added,
            "altered": done.altered,
            "removed": done.removed,
        },
        lambda: terminal.print(told(done, project.file.online.key)),  # type: ignore[union-attr]
    )


@verb(
    "show",
    examples=[
        ("modelwright features show", "which generation there is"),
        ("modelwright features show -p examples/cardholders '************8407'", "what is known of one key"),
    ],
)
@click.argument("key", required=False)
@project_option
def show(terminal: Terminal, key: str | None, project: str | None) -> None:
    """Show which features are in the store, or what is known of KEY."""
    from modelwright.cli.context import open_project, opened_store

    found, settings = open_project(terminal, project)
    with opened_store(settings, create=False) as store:
        generation = None if store is None else store.online.current(found.name)
        if generation is None or store is None:
            raise NothingKnown(
                f"No features of {found.name} are in the store.", "Bring them: modelwright features update"
            )
        if key is None:
            terminal.result(_as_json(generation), lambda: terminal.print(_about(generation)))
            return
        values = store.online.get(found.name, [key]).get(key)
    if values is None:
        raise NothingKnown(f"Nothing is known of {key!r}.", "Keys are spelled as in the data.")
    known = dict(zip(generation.names, values, strict=True))
    widest = max(map(len, known), default=0)
    lines = "\n".join(f"{name.ljust(widest)}  {_shown(value)}" for name, value in known.items())
    terminal.result({"key": key, "as_of": generation.as_of, "features": known}, lambda: terminal.print(lines))


for _verb in (update, show):
    command.add_command(_verb)


def told(done: Update, key: str) -> str:
    """An update in a sentence."""
    as_of = f", as of {_day(done.generation)}" if done.generation.as_of else ""
    about = f"{done.generation.keys:,} {key}s{as_of}"
    if not done.changed:
        return f"Nothing changed: the store knows {about} (generation {done.generation.sequence})."
    return (
        f"The store knows {about} (generation {done.generation.sequence}): {done.added:,} new, "
        f"{done.altered:,} changed, {done.removed:,} gone."
    )


def _about(generation: GenerationRecord) -> str:
    as_of = f", as of {_day(generation)}" if generation.as_of else ""
    return (
        f"Generation {generation.sequence}: {generation.keys:,} keys{as_of}, written "
        f"{generation.created:%Y-%m-%d %H:%M:%S} UTC.\n{', '.join(generation.names)}"
    )


def _as_json(generation: GenerationRecord) -> dict[str, Any]:
    return {
        "project": generation.project,
        "generation": generation.sequence,
        "keys": generation.keys,
        "as_of": generation.as_of,
        "created": generation.created.isoformat(),
        "features": list(generation.names),
    }


def _day(generation: GenerationRecord) -> str:
    return generation.as_of.removesuffix("T00:00:00+00:00")


def _shown(value: Any) -> str:
    return "—" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
