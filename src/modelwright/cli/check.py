"""``modelwright check [PATH]``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelwright.cli.terminal import Terminal
from modelwright.cli.verb import project_argument, verb

if TYPE_CHECKING:
    from modelwright.project.load import Project


@verb(
    "check",
    examples=[
        ("modelwright check", "checks the project here"),
        ("modelwright check examples/iris", ""),
        ("modelwright check --json | jq .", "for an editor or a pipeline"),
    ],
)
@project_argument
def command(terminal: Terminal, path: str | None) -> None:
    """Tell every mistake in a project file.

    Each with its line, its key and what would be right. Exit status 3 where there is one.
    """
    from modelwright.project.load import load

    project = load(path)
    missing = _missing_source(project)
    if missing:
        terminal.warn(missing)

    def show() -> None:
        terminal.print(f"{project.path} is in order.")

    warnings = [missing] if missing else []
    terminal.result({"project": project.name, "path": str(project.path), "warnings": warnings}, show)


def _missing_source(project: Project) -> str | None:
    """What to say where the data is a local file that is not there."""
    from modelwright.project.sources import is_path

    source = project.file.data.source
    if not isinstance(source, str) or not is_path(source) or project.resolve(source).exists():
        return None
    line = project.lines.get("data.source", 0)
    return f"line {line}: data.source: there is no file {project.resolve(source)} yet."
