"""``modelwright thresholds``: what starts a retraining or an alarm, who said so, and setting it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from modelwright.cli.terminal import Terminal, plain_table
from modelwright.cli.verb import project_argument, verb

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelwright.monitor.thresholds import Threshold


@verb(
    "thresholds",
    examples=[
        ("modelwright thresholds", "what holds in the project here, and where each value is from"),
        ("modelwright thresholds --set retrain.new_samples=50 --reason 'too often'", "from now on"),
        ("modelwright thresholds --set retrain.quality.f1=0.9 --set retrain.cooldown=6h", "several"),
        ("modelwright thresholds --set retrain.new_samples=", "back to what the project file says"),
    ],
)
@project_argument
@click.option("--set", "changes", multiple=True, metavar="NAME=VALUE", help="Set one; may be repeated.")
@click.option("--reason", default="", metavar="TEXT", help="Why, for the record.")
def command(terminal: Terminal, *, path: str | None, changes: tuple[str, ...], reason: str) -> None:
    """Show or set the thresholds of alarms and retraining.

    What is set holds at once, also in a server that runs, until it is set back; the project file stays
    as it is. Each change is an event with your name and reason: see `modelwright history`.
    """
    from modelwright.cli.actor import actor
    from modelwright.cli.context import open_project, opened_store
    from modelwright.monitor.thresholds import change, effective

    project, settings = open_project(terminal, path)
    values = dict(_pair(text) for text in changes)
    with opened_store(settings, create=bool(values)) as store:
        if store is None:
            held = effective(project)
        elif values:
            held, event = change(store, project.name, str(project.path), values, actor=actor(), reason=reason)
            terminal.say(event.message)
        else:
            held = effective(project, store.overrides.list(project.name))
    terminal.result(as_json(held.entries), lambda: show(terminal, held.entries))


def show(terminal: Terminal, entries: Sequence[Threshold]) -> None:
    """The thresholds as a table."""
    rows = [(entry.name, spoken(entry.value), entry.source) for entry in entries]
    terminal.table(plain_table(("threshold", "value", "source"), rows))


def as_json(entries: Sequence[Threshold]) -> list[dict[str, Any]]:
    """The same for scripts."""
    import msgspec

    return [msgspec.structs.asdict(entry) for entry in entries]


def spoken(value: Any) -> str:
    """A value as a person writes it."""
    if value is None:
        return "not asked for"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def _pair(text: str) -> tuple[str, Any]:
    from modelwright.monitor.thresholds import read_value

    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise click.BadParameter(
            f"'{text}' is not of the form NAME=VALUE, such as retrain.new_samples=50.", param_hint="--set"
        )
    return name.strip(), read_value(value)
