"""The thresholds that hold for what is served: a project file that is read again when it changed."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

import msgspec

from modelwright.errors import ModelwrightError
from modelwright.monitor.standing import LiveView
from modelwright.serve.settings import Target

if TYPE_CHECKING:
    from modelwright.monitor.thresholds import Effective
    from modelwright.project.load import Project
    from modelwright.store.ports import Store

logger = logging.getLogger(__name__)


class WatchedProject(msgspec.Struct, frozen=True, kw_only=True):
    """What the store says of a served project.

    Attributes:
        new_samples_pending: Labelled rows that wait to be trained on.
        retrain_threshold: From how many on a retraining starts.
        live: What the monitors saw last.
        latest_job: State of the newest retraining; "" where there was none.
    """

    new_samples_pending: int
    retrain_threshold: int | None = None
    live: LiveView | None = None
    latest_job: str = ""


class ProjectFile:
    """A project's file; a broken one leaves the last good one in force. Threads may share it.

    Attributes:
        name: The project's.
        path: Where the file is; "" where it is not here.
    """

    def __init__(self, name: str, path: str) -> None:
        self.name = name
        self.path = path
        self._stamp = 0
        self._project: Project | None = None
        self._lock = Lock()

    def project(self) -> Project | None:
        """The project, or ``None`` where it never was here."""
        if not self.path:
            return None
        with self._lock:
            try:
                stamp = Path(self.path).stat().st_mtime_ns
            except OSError:
                return self._project
            if stamp != self._stamp:
                self._stamp = stamp
                self._read()
            return self._project

    def effective(self, store: Store) -> Effective:
        """What holds now: the file with what was set since, or without a file the defaults.

        Raises:
            StoreUnavailable: The store cannot be asked.
        """
        from modelwright.monitor.thresholds import effective

        return effective(self.project(), store.overrides.list(self.name))

    def _read(self) -> None:
        # Imported here: a worker that nobody asks for thresholds does without pydantic and YAML.
        from modelwright.project.load import load

        try:
            self._project = load(self.path)
        except ModelwrightError as error:
            logger.warning("The project file has mistakes; the thresholds stay as they were: %s", error)


class Projects:
    """The files of all that is served.

    Args:
        targets: What is served.
    """

    def __init__(self, targets: Sequence[Target]) -> None:
        self._files = {target.project: ProjectFile(target.project, target.project_file) for target in targets}

    def path(self, project: str) -> str:
        """Where its file is; "" where it is not here."""
        return self._files[project].path if project in self._files else ""

    def why_not_taken_up(self, project: str) -> str:
        """Why rows sent for training are of no use; empty where they are of use, or its file is not here."""
        from modelwright.project.sending import why_not_taken_up

        found = self._files[project].project() if project in self._files else None
        return "" if found is None else why_not_taken_up(found.file)

    def effective(self, store: Store, project: str) -> Effective:
        """What holds for ``project`` now.

        Raises:
            StoreUnavailable: The store cannot be asked.
        """
        return self._files.get(project, ProjectFile(project, "")).effective(store)
