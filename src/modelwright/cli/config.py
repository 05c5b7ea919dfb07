"""``modelwright config [PATH]``."""

from __future__ import annotations

from modelwright.cli.terminal import Terminal, plain_table
from modelwright.cli.verb import project_argument, verb


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
    Passwords are masked.
    """
    from modelwright.project.load import load
    from modelwright.project.mistakes import ProjectNotFound
    from modelwright.project.settings import resolve

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

    def show() -> None:
        rows = [(entry.name, entry.shown, entry.source, entry.variable) for entry in settings.entries]
        terminal.table(plain_table(("setting", "value", "source", "environment variable"), rows))

    data = {
        entry.name: {
            "value": entry.shown if isinstance(entry.value, str) else entry.value,
            "source": entry.source,
            "variable": entry.variable,
            "description": entry.description,
        }
        for entry in settings.entries
    }
    terminal.result({"settings": data, "warnings": list(settings.warnings)}, show)
