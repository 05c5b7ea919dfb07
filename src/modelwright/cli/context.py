"""What verbs about a project open first: the project, its settings, its store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from modelwright.errors import ExitCode, ModelwrightError
from modelwright.project.load import Project, load
from modelwright.project.settings import Settings, resolve

if TYPE_CHECKING:
    from modelwright.cli.terminal import Terminal
    from modelwright.store.engine import SqlStore
    from modelwright.store.records import VersionRecord


class NothingTrained(ModelwrightError):
    """The project has no version yet, or none that may be served."""

    code = ExitCode.USAGE


def open_project(
    terminal: Terminal, path: str | None, flags: dict[str, object] | None = None
) -> tuple[Project, Settings]:
    """The project at ``path`` with its settings; what is odd about them is told."""
    from modelwright.cli.known import remember

    project = load(path)
    remember(project.path)
    settings = resolve(project, flags=flags)
    for warning in settings.warnings:
        terminal.warn(warning)
    return project, settings


@contextmanager
def opened_store(settings: Settings, *, create: bool = True) -> Iterator[SqlStore | None]:
    """The store of the settings, closed afterwards.

    Args:
        settings: Where it is.
        create: Whether a SQLite file that is not there is made; else it gives ``None``.
    """
    from modelwright.store.engine import open_store

    if not create and absent(settings.store_url):
        yield None
        return
    store = open_store(settings.store_url)
    try:
        yield store
    finally:
        store.close()


def bundle_path(settings: Settings, record: VersionRecord) -> Path:
    """Where the bundle of a version lies."""
    return settings.work_dir / record.bundle


def nothing_trained(project: Project) -> NothingTrained:
    """The error where a version is needed and there is none."""
    return NothingTrained(
        f"Project '{project.name}' has no version yet.",
        "Train one with: modelwright train (or: modelwright up)",
    )


def absent(url: str) -> bool:
    """Whether a store is a SQLite file that is not there."""
    return url.startswith("sqlite:///") and not Path(url.removeprefix("sqlite:///")).exists()
