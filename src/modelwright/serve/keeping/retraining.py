"""Starts a worker when a retraining waits or is due, as a process of low priority.

The keeper itself trains nothing and loads nothing of training. Of several hosts' keepers one, elected
by a lease in the store, starts workers; where the training parts are not installed none does, and
jobs wait for a ``modelwright worker`` elsewhere.
"""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

from modelwright.monitor.due import ask, due, open_jobs
from modelwright.serve.projects import ProjectFile
from modelwright.serve.settings import Target
from modelwright.store.errors import StoreUnavailable
from modelwright.store.ports import Store
from modelwright.store.records import JobState

logger = logging.getLogger(__name__)

_LOOK = 1.0  # seconds between looks
_LEASE = 15.0
_REST = (2.0, 60.0)  # after a worker: shortest and longest wait, the longer the oftener a job stays undone
_END = 10.0
_NEEDED = ("sklearn", "mlflow", "dvc", "pyarrow")


def can_train() -> bool:
    """Whether the training parts are installed here; nothing is imported."""
    return all(importlib.util.find_spec(module) is not None for module in _NEEDED)


class Retraining:
    """Looks after the retraining of one project.

    Args:
        target: The project; with its file.
        store: Where its jobs are.
        store_url: The same, for the worker.
    """

    def __init__(self, target: Target, store: Store, store_url: str) -> None:
        self._target = target
        self._store = store
        self._store_url = store_url
        self._owner = f"{socket.gethostname()}-{os.getpid()}"
        self._file = ProjectFile(target.project, target.project_file)
        self._able = can_train()
        self._told = False
        self._next = 0.0
        self._rest = _REST[0]
        self._worker: subprocess.Popen[bytes] | None = None

    def look(self) -> None:
        """Start a worker if there is work and none is at it.

        Raises:
            StoreUnavailable: The store cannot be asked.
        """
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + _LOOK
        if self._worker is not None:
            if self._worker.poll() is None:
                return
            self._ended(self._worker, now)
        elif self._elected() and self._work_waits():
            self._start()

    def close(self) -> None:
        """End the worker, which gives its job back, and let another host's keeper take over at once."""
        self._end_worker()
        with contextlib.suppress(StoreUnavailable):  # then the lease runs out by itself
            self._store.leases.release(self._lease, self._owner)

    def _end_worker(self) -> None:
        if self._worker is None or self._worker.poll() is not None:
            return
        self._worker.terminate()
        try:
            self._worker.wait(_END)
        except subprocess.TimeoutExpired:
            self._worker.kill()
            self._worker.wait()

    def _elected(self) -> bool:
        return self._store.leases.acquire(self._lease, self._owner, seconds=_LEASE)

    @property
    def _lease(self) -> str:
        return f"retraining-keeper:{self._target.project}"

    def _work_waits(self) -> bool:
        waits = bool(open_jobs(self._store, self._target.project))
        if not waits:
            wish = due(self._file.effective(self._store), self._store, self._target.project)
            if wish is not None:
                ask(self._store, self._target.project, wish)
            waits = wish is not None
        if waits and not self._able:
            self._tell(
                "A retraining waits. The training parts are not installed here: run 'modelwright worker' "
                "where they are, or install them with: pip install 'modelwright[train]'"
            )
        return waits and self._able

    def _tell(self, message: str) -> None:
        if not self._told:
            logger.warning("%s: %s", self._target.project, message)
        self._told = True

    def _start(self) -> None:
        self._told = False
        environment = {**os.environ, "MODELWRIGHT_STORE_URL": self._store_url}
        environment["MODELWRIGHT_WORK_DIR"] = self._target.work_dir
        folder = str(Path(self._target.project_file).parent)
        self._worker = subprocess.Popen(
            [sys.executable, "-m", "modelwright", "worker", folder, "--once", "--quiet"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            env=environment,
        )
        with contextlib.suppress(OSError):  # its training lowers itself as well
            os.setpriority(os.PRIO_PROCESS, self._worker.pid, 10)
        logger.info("A retraining of %s begins", self._target.project)

    def _ended(self, worker: subprocess.Popen[bytes], now: float) -> None:
        self._worker = None
        latest = next(iter(self._store.jobs.list(self._target.project, limit=1)), None)
        undone = worker.returncode != 0 or latest is None or latest.state is JobState.QUEUED
        self._rest = min(_REST[1], self._rest * 2) if undone else _REST[0]
        self._next = now + self._rest
        if latest is not None:
            logger.info("The retraining of %s ended: %s", self._target.project, latest.state.value)
