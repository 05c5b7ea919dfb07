"""``modelwright init NAME``."""

from __future__ import annotations

from pathlib import Path

import click

from modelwright.cli.terminal import Terminal
from modelwright.cli.verb import verb


@verb(
    "init",
    examples=[
        ("modelwright init fraud", "makes the folder fraud with a commented project.yaml"),
        ("modelwright init .", "makes this folder a project, named after it"),
    ],
)
@click.argument("name")
def command(terminal: Terminal, name: str) -> None:
    """Start a project in a new folder.

    NAME is the folder, and the project is called like it. Nothing that is there is overwritten.
    """
    from modelwright.project.write import slug, start_project

    directory = Path(name).expanduser()
    project = slug(directory.resolve().name)
    written = start_project(directory, project)

    def show() -> None:
        terminal.print(f"Made the project '{project}' in {directory}:")
        for path in written:
            terminal.print(f"  {path}")
        terminal.say("Next: put your data into data/, name it in project.yaml, then run: modelwright up")

    terminal.result({"project": project, "files": [str(path) for path in written]}, show)
