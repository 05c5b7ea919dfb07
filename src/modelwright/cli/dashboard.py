"""``modelwright dashboard [PATH]...``: pages about all projects of this machine, served or not."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from modelwright.cli.terminal import Terminal
from modelwright.cli.verb import verb
from modelwright.errors import ExitCode, ModelwrightError

if TYPE_CHECKING:
    from modelwright.serve.dashboard.machine import Shown

_PORT = 5080


class NothingToShow(ModelwrightError):
    """No project with a store was found."""

    code = ExitCode.USAGE


@verb(
    "dashboard",
    examples=[
        ("modelwright dashboard", "every project worked in on this machine, and those below this folder"),
        ("modelwright dashboard ~/models --port 0", "those below a folder, on any free port"),
        ("modelwright dashboard examples/iris", "one project"),
    ],
)
@click.argument("paths", nargs=-1, metavar="[PATH]...", type=click.Path(path_type=Path))
@click.option(
    "--port", type=click.IntRange(0, 65535), default=_PORT, show_default=True, help="Port; 0 takes any."
)
def command(terminal: Terminal, *, paths: tuple[Path, ...], port: int) -> None:
    """Show all projects of this machine in a browser.

    The pages are read from the projects' stores, and listen on this machine only. A server that runs
    shows its own projects at /dashboard too, where questions can be tried.
    """
    from modelwright.cli.known import below, remembered
    from modelwright.serve.dashboard.machine import Machine, show

    files = list(dict.fromkeys(below(paths) if paths else [*remembered(), *below([Path.cwd()])]))
    projects = _shown(terminal, files)
    if not projects:
        raise NothingToShow(
            "No project with a trained version was found" + (" there." if paths else " on this machine."),
            "Train one with 'modelwright up', or name the folder that projects lie in.",
        )

    def ready(url: str) -> None:
        names = [each.name for each in projects]
        terminal.result(
            {"url": url, "projects": names},
            lambda: terminal.print(f"Showing {', '.join(names)} at {url}   Stop: Ctrl+C"),
        )
        sys.stdout.flush()

    show(Machine(projects, projects[0].work_dir), port=port, on_ready=ready)


def _shown(terminal: Terminal, files: list[Path]) -> list[Shown]:
    """Those that have a store; what is wrong with others is told, and they are left out."""
    from modelwright.cli.context import absent
    from modelwright.project.load import load
    from modelwright.project.settings import resolve
    from modelwright.serve.dashboard.machine import Shown

    found = []
    for file in files:
        try:
            project = load(file)
            settings = resolve(project)
        except ModelwrightError as error:
            terminal.warn(f"{file} is left out: {error.reason}")
            continue
        if not absent(settings.store_url):
            found.append(Shown(project.name, project.path, settings.work_dir, settings.store_url))
    return found
