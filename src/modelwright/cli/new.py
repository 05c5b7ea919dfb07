"""``modelwright new NAME --like EXAMPLE``."""

from __future__ import annotations

from pathlib import Path

import click

from modelwright.cli.terminal import Terminal
from modelwright.cli.verb import verb


@verb(
    "new",
    examples=[
        ("modelwright new flowers --like iris", "a project of your own in the folder flowers"),
        ("modelwright new --list", "which examples there are"),
    ],
)
@click.argument("name", required=False)
@click.option("--like", metavar="EXAMPLE", help="The example to begin with.")
@click.option("--list", "listed", is_flag=True, help="Name the examples there are.")
def command(terminal: Terminal, name: str | None, like: str | None, *, listed: bool) -> None:
    """Begin a project of your own from an example.

    NAME is the folder, and the project is called like it. The example's files are copied, without its
    data: data.source in project.yaml names yours; until then rows are made up by its make_data.py.
    """
    from modelwright.project.examples import begin_like, examples
    from modelwright.project.write import slug

    if listed:
        known = {key: _about(path) for key, path in examples().items()}
        terminal.result(
            known, lambda: terminal.print("\n".join(f"{key:<12} {text}" for key, text in known.items()))
        )
        return
    if name is None or like is None:
        raise click.UsageError("Say what to call it and which example to begin with: new flowers --like iris")
    directory = Path(name).expanduser()
    project = slug(directory.resolve().name)
    written = begin_like(directory, project, like)

    def show() -> None:
        terminal.print(f"Began the project '{project}' in {directory}, like the example {like}:")
        for path in written:
            terminal.print(f"  {path}")
        made = (directory / "make_data.py").is_file()
        mine = "   (on made-up rows; for your own, name them in data.source first)" if made else ""
        terminal.say(f"Next: modelwright up {directory}{mine}")

    terminal.result({"project": project, "like": like, "files": [str(path) for path in written]}, show)


def _about(path: Path) -> str:
    """The first line of an example's project file, which says what it is."""
    first = (path / "project.yaml").read_text(encoding="utf-8").partition("\n")[0]
    return first.removeprefix("#").strip()
