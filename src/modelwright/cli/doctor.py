"""``modelwright doctor [PATH]``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from modelwright.cli.progress import working
from modelwright.cli.terminal import Terminal
from modelwright.cli.verb import project_argument, verb
from modelwright.errors import ModelwrightError

if TYPE_CHECKING:
    from modelwright.cli.findings import Finding

_MARKS = {"ok": ("ok", "green"), "note": ("note", "yellow"), "problem": ("PROBLEM", "red")}


@verb(
    "doctor",
    examples=[
        ("modelwright doctor", "looks at the installation and the project here"),
        ("modelwright doctor examples/iris", ""),
        ("modelwright doctor --json | jq '.findings[] | select(.status != \"ok\")'", ""),
    ],
)
@project_argument
def command(terminal: Terminal, path: str | None) -> None:
    """Find what is missing, and say what to do.

    What is installed, whether project, data, store, tracking and port are usable, and whether there
    is room on the disk. Exit status 1 where there is a problem.
    """
    with working(terminal, "Examining"):
        findings = list(_examine(path))
    problems = sum(finding.status == "problem" for finding in findings)

    def show() -> None:
        for finding in findings:
            _print(terminal, finding)
        terminal.print()
        words = (
            "no problem was" if not problems else f"{problems} problem{'s were' if problems > 1 else ' was'}"
        )
        terminal.print(f"{words[0].upper()}{words[1:]} found.")

    terminal.result({"problems": problems, "findings": [asdict(finding) for finding in findings]}, show)
    if problems:
        raise click.exceptions.Exit(1)


def _print(terminal: Terminal, finding: Finding) -> None:
    word, colour = _MARKS[finding.status]
    terminal.print(f"{click.style(f'{word:<8}', fg=colour)} {finding.area:<10} {finding.text}")
    if finding.remedy:
        terminal.print(f"{'':<19} {finding.remedy}")


def _examine(path: str | None) -> Iterator[Finding]:
    from modelwright.cli import findings
    from modelwright.cli.findings import Finding
    from modelwright.project.load import load
    from modelwright.project.mistakes import ProjectNotFound
    from modelwright.project.settings import resolve

    yield from findings.installation()
    try:
        project = load(path)
        settings = resolve(project)
    except ProjectNotFound as error:
        status = "note" if path is None else "problem"
        yield Finding("project", status, error.reason, error.instruction)  # type: ignore[arg-type]
        return
    except ModelwrightError as error:
        details = "".join(f"\n{'':<22}{detail}" for detail in error.details)
        yield Finding("project", "problem", f"{error.reason}{details}", error.instruction)
        return
    yield Finding("project", "ok", f"{project.path} ({project.name})")
    for warning in settings.warnings:
        yield Finding("settings", "note", warning)
    yield from findings.data(project)
    yield from findings.places(project, settings)
    yield from findings.store(project, settings)
    yield from findings.tracking(settings)
    yield from findings.port(settings)
