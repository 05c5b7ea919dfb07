"""``modelwright config [PATH]``."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from modelwright.cli import thresholds
from modelwright.cli.terminal import Terminal, plain_table
from modelwright.cli.verb import project_argument, verb

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelwright.monitor.thresholds import Threshold
    from modelwright.project.load import Project
    from modelwright.project.settings import Settings


@verb(
    "config",
    examples=[
        ("modelwright config", "the settings that commands here would use"),
        ("MODELWRIGHT_PORT=8080 modelwright config", "an environment variable is seen at once"),
    ],
)
@project_argument
def command(terminal: Terminal, path: str | None) -> None:
    """Show every setting, its value and its source.

    A setting is found as a flag, in the environment, in the project file, or has its default.
    Passwords are masked. Thresholds of alarms and retraining are told with what was set since: see
    `modelwright thresholds`.
    """
    from modelwright.project.load import load
    from modelwright.project.mistakes import ProjectNotFound
    from modelwright.project.settings import further_variables, resolve

    try:
        project = load(path)
    except ProjectNotFound:
        if path is not None:
            raise
        project = None
        terminal.say("There is no project here: these are the settings without one.")
    settings = resolve(project)
    for warning in settings.warnings:
        terminal.warn(warning)
    held = [] if project is None else _thresholds(terminal, project, settings)
    further = further_variables(os.environ)

    def show() -> None:
        _show_settings(terminal, settings)
        if further:
            terminal.print("\nAlso set in the environment:")
            terminal.print("\n".join(f"  {name}" for name in further))
        if held:
            terminal.print()
            thresholds.show(terminal, held)

    data = {
        entry.name: {
            "value": entry.shown if isinstance(entry.value, str) else entry.value,
            "source": entry.source,
            "variable": entry.variable,
            "description": entry.description,
        }
        for entry in settings.entries
    }
    told = {
        "settings": data,
        "also_set": further,
        "thresholds": thresholds.as_json(held),
        "warnings": list(settings.warnings),
    }
    terminal.result(told, show)


def _show_settings(terminal: Terminal, settings: Settings) -> None:
    """The table; where the terminal is too narrow for paths in one line, without what can be derived."""
    rows = [(entry.name, entry.shown, entry.source, entry.variable) for entry in settings.entries]
    titles = ("setting", "value", "source", "environment variable")
    widths = (max(map(len, column)) + 2 for column in zip(titles, *rows, strict=True))
    if sum(widths) <= terminal.console().width + 2:
        terminal.table(plain_table(titles, rows))
        return
    terminal.table(
        plain_table(
            ("setting", "source", "value"), [(name, source, value) for name, value, source, _ in rows]
        )
    )
    terminal.print("\nVariables: MODELWRIGHT_ and the name in capitals.")


def _thresholds(terminal: Terminal, project: Project, settings: Settings) -> Sequence[Threshold]:
    """Those in force; where the store is away, those of the project file."""
    from modelwright.cli.context import opened_store
    from modelwright.monitor.thresholds import effective
    from modelwright.store.errors import StoreUnavailable

    try:
        with opened_store(settings, create=False) as store:
            overrides = [] if store is None else store.overrides.list(project.name)
    except StoreUnavailable as error:
        terminal.warn(f"Thresholds that were set while the service runs are not known: {error}")
        overrides = []
    return effective(project, overrides).entries
