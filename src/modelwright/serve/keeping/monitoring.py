"""The process that runs the monitors, apart from the keeper: judging must never make delivery wait.

Of several hosts' monitors one, elected by a lease in the store, watches a project. What is live it
reads where the workers read it; predictions and labels it reads from the store.
"""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path

from modelwright.errors import ModelwrightError
from modelwright.monitor.monitors import Monitors, Watched
from modelwright.serve.keeping.stores import Stores
from modelwright.serve.live import Assigned, LiveFile
from modelwright.serve.priority import leave_cores_to, step_back
from modelwright.serve.processes import announce
from modelwright.serve.projects import ProjectFile
from modelwright.serve.settings import Child, Target
from modelwright.store import clock
from modelwright.store.errors import StoreUnavailable
from modelwright.store.ports import Store

logger = logging.getLogger(__name__)

_LOOK = 0.5  # seconds between looks
_LEASE = 15.0
_RENEW = 5.0
_PATIENCE = (0.5, 10.0)  # shortest and longest wait after the store was away
_FAULT = 30.0
_NICE = 5


class ProjectMonitors:
    """The monitors of one served project, and whether they are this process's to run.

    Args:
        target: The project.
        store: Where its log is.
        live: The file that says what is live.
        work_dir: The server's working folder.
    """

    def __init__(self, target: Target, store: Store, live: Path, work_dir: str) -> None:
        self._target = target
        self._store = store
        self._live = LiveFile(live)
        self._assigned: Assigned | None = None
        self._monitors = Monitors(
            store, target.project, pictures=Path(target.work_dir or work_dir) / "alarms"
        )
        self._owner = f"{socket.gethostname()}-{os.getpid()}"
        self._renewed = 0.0
        self._next = 0.0
        self._file = ProjectFile(target.project, target.project_file)
        self._told = ""

    def look(self) -> bool:
        """Look, if it is time; whether there was much to do, so that more may wait.

        Raises:
            StoreUnavailable: The store cannot be asked.
        """
        now = time.monotonic()
        if now < self._next:
            return False
        self._next = now + _LOOK
        for each in self._live.changed() or ():
            if each.name == self._target.name:
                self._assigned = each
        if self._assigned is None or not self._elected(now):
            return False
        try:
            return self._monitors.look(_watched(self._assigned), self._file.effective(self._store)) > 0
        except StoreUnavailable:
            raise
        except ModelwrightError as error:
            self._tell(f"The monitors of {self._target.project} wait: {error}")
            self._next = now + _FAULT
        # One project's fault must not end the monitors of the others, nor be tried again without rest.
        except Exception:
            logger.exception("The monitors of %s failed and rest for a while", self._target.project)
            self._monitors.forget()
            self._next = now + _FAULT
        return False

    def close(self) -> None:
        """Let another host's monitors take over at once."""
        try:
            self._store.leases.release(self._lease, self._owner)
        except StoreUnavailable:
            logger.debug("The lease on monitors runs out by itself")

    @property
    def _lease(self) -> str:
        return f"monitors of {self._target.project}"

    def _elected(self, now: float) -> bool:
        if self._renewed and now - self._renewed < _RENEW:
            return True
        held = self._store.leases.acquire(self._lease, self._owner, seconds=_LEASE)
        if not held or now - self._renewed > _LEASE:
            self._monitors.forget()
        self._renewed = now if held else 0.0
        return held

    def _tell(self, message: str) -> None:
        if message != self._told:
            logger.warning(message)
        self._told = message


def _watched(assigned: Assigned) -> Watched:
    beside = [Path(each.bundle) for each in (assigned.canary, assigned.shadow) if each is not None]
    return Watched(
        version=assigned.version,
        bundle=Path(assigned.bundle),
        since=assigned.released or clock.now(),
        beside=tuple(dict.fromkeys(beside)),
    )


def run_monitor(child: Child, stopped: Callable[[float], bool]) -> None:
    """Be the monitors until told to stop.

    Args:
        child: What this process is told.
        stopped: Waits so many seconds; whether to stop.
    """
    step_back(_NICE)
    leave_cores_to(child.settings.workers)
    stores = _opened(child, stopped)
    if stores is None:
        return
    announce(Path(child.run_dir), "monitor", 0)
    settings = child.settings
    projects = [
        ProjectMonitors(target, stores.of(target.project), child.live, settings.work_dir)
        for target in settings.targets
    ]
    away, wait = 0.0, 0.0
    while not stopped(wait):
        try:
            busy = [each.look() for each in projects]
            away, wait = 0.0, 0.02 if any(busy) else _LOOK / 2
        except StoreUnavailable as error:
            if not away:
                logger.warning("The store is away; the monitors wait: %s", error)
            away = wait = min(_PATIENCE[1], max(_PATIENCE[0], away * 2))
    for each in projects:
        each.close()
    stores.close()


def _opened(child: Child, stopped: Callable[[float], bool]) -> Stores | None:
    """The stores, as soon as they answer; ``None`` if the server was stopped before."""
    wait = _PATIENCE[0]
    while True:
        try:
            return Stores(child.settings.store_url, child.settings.store_urls)
        except StoreUnavailable as error:
            logger.warning("The store is away; the monitors wait: %s", error)
        if stopped(wait):
            return None
        wait = min(wait * 2, _PATIENCE[1])
