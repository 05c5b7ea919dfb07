"""Which bundle of a project is meant: the live version's, or a named one's."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from modelwright.cli.context import (
    NothingTrained,
    bundle_path,
    nothing_trained,
    open_project,
    opened_store,
)
from modelwright.store.errors import UnknownVersion

if TYPE_CHECKING:
    from modelwright.bundle.lookup import Known
    from modelwright.bundle.read import Bundle
    from modelwright.cli.terminal import Terminal
    from modelwright.project.load import Project
    from modelwright.store.ports import Store
    from modelwright.store.records import VersionRecord


@dataclass(frozen=True)
class LiveBundle:
    """A version's bundle folder, the project it is of, and what is known of the keys it looks up."""

    path: Path
    project: Project
    known: Known | None = None

    def open(self) -> Bundle:
        """The bundle, ready to answer as a server would."""
        from modelwright.bundle.read import open_bundle

        bundle = open_bundle(self.path)
        if bundle.rows.joiner is not None:
            bundle.rows.joiner.known = self.known
        return bundle


def live_bundle(terminal: Terminal, path: str | None, version: int | None) -> LiveBundle:
    """The bundle of the live version of the project at ``path``, or of version ``version``.

    Raises:
        NothingTrained: There is no version, or none is live.
        UnknownVersion: There is no such version.
    """
    project, settings = open_project(terminal, path)
    with opened_store(settings, create=False) as store:
        record = meant(store, project, version)
        known = _known(project, store)
    return LiveBundle(path=bundle_path(settings, record), project=project, known=known)


def _known(project: Project, store: Store | None) -> Known | None:
    if project.file.online is None or store is None:
        return None
    from modelwright.serve.online import read_known

    return read_known(store, project.name)


def meant(
    store: Store | None, project: Project, version: int | None, *, or_latest: bool = False
) -> VersionRecord:
    """The record of the live version, or of version ``version``.

    Args:
        store: The project's; ``None`` where there is none yet.
        project: Whose version.
        version: Its number; by default the live one.
        or_latest: Where none is live, take the newest.

    Raises:
        NothingTrained: There is no version, or none is live.
        UnknownVersion: There is no such version.
    """
    latest = None if store is None else store.versions.latest(project.name)
    if store is None or latest is None:
        raise nothing_trained(project)
    if version is None:
        release = store.releases.current(project.name)
        if release is None and or_latest:
            return latest
        if release is None:
            raise NothingTrained(
                f"No version of project '{project.name}' is live.",
                f"Promote one (modelwright promote {latest.number}), or name it with --version.",
            )
        version = release.version
    record = store.versions.get(project.name, version)
    if record is None:
        raise UnknownVersion(project.name, version, latest.number)
    return record
