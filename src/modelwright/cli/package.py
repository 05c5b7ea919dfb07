"""``modelwright package PROJECT``: a version as an ordinary Python package."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from modelwright.cli.progress import working
from modelwright.cli.terminal import Terminal
from modelwright.cli.verb import project_argument, verb

if TYPE_CHECKING:
    from modelwright.project.load import Project

_TESTED = 200
_OWN = (".py", ".yaml", ".yml", ".md", ".toml")


@verb(
    "package",
    examples=[
        ("modelwright package examples/titanic", "the live version, into the folder titanic-model"),
        ("modelwright package --version 3 --output dist/model", "version 3, there"),
        ("python -m build titanic-model", "makes the wheel"),
    ],
)
@project_argument
@click.option(
    "--version", type=click.IntRange(1), metavar="N", help="Package this version, not the live one."
)
@click.option(
    "--output", "-o", metavar="DIR", type=click.Path(), help="Folder to write. Default: NAME-model."
)
@click.option("--replace", is_flag=True, help="Write over an earlier package there.")
def command(
    terminal: Terminal, *, path: str | None, version: int | None, output: str | None, replace: bool
) -> None:
    """Make a Python package of a version.

    The package holds the bundle and the code that reads it; it installs with pip where neither
    Modelwright nor a training library is, and predicts: make_prediction(input_data=…). With it come
    its tests, a service on port 8002, tox.ini and a Procfile. The same version gives the same bytes.
    """
    from modelwright.bundle.read import verify
    from modelwright.cli.context import open_project, opened_store
    from modelwright.cli.extras import need_training
    from modelwright.cli.live import live_bundle
    from modelwright.deploy.python_package.render import Version, write
    from modelwright.schema.missing import SPELLINGS

    need_training()
    from modelwright.train.held_out import held_out

    live = live_bundle(terminal, path, version)
    manifest = verify(live.path)
    project, settings = open_project(terminal, path)
    with opened_store(settings, create=False) as store:
        record = None if store is None else store.versions.get(project.name, manifest.version)
    assert record is not None  # noqa: S101 - live_bundle found it
    missing = project.file.data.missing
    with working(terminal, "Finding the held-out rows for its tests") as work:
        made = Version(
            manifest=manifest,
            bundle=live.path,
            missing=SPELLINGS if missing is None else missing,
            held_out=held_out(project, record, settings=settings, most=_TESTED),
            training=_own_files(project),
        )
        folder = Path(output) if output else Path(made.distribution)
        work.step(f"Writing {folder}")
        written = write(folder, made, replace=replace)

    def show() -> None:
        terminal.print(
            f"Packaged version {manifest.version} of '{project.name}' as {made.distribution} {made.number} "
            f"({len(written)} files) in {folder}"
        )
        terminal.say(f"Next: python -m build {folder}   or: pip install ./{folder}   or: tox -c {folder}")

    terminal.result(
        {
            "project": project.name,
            "model_version": manifest.version,
            "distribution": made.distribution,
            "module": made.module,
            "version": made.number,
            "folder": str(folder),
            "files": [str(name) for name in written],
        },
        show,
    )


def _own_files(project: Project) -> dict[str, bytes]:
    """The files beside the project's, that a training needs; its data is left where it is.

    Of several sources the one that is there now stays: a package made from real rows must not be
    made again from synthetic ones where those are absent.
    """
    from modelwright.project.sources import settled

    found = {
        path.name: path.read_bytes()
        for path in sorted(project.directory.iterdir())
        if path.is_file() and path.suffix in _OWN and not path.name.startswith(".")
    }
    source = project.file.data.source
    if isinstance(source, str) and project.path.name in found:
        found[project.path.name] = settled(found[project.path.name].decode("utf-8-sig"), source).encode()
    return found
