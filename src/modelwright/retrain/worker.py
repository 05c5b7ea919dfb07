"""Takes a project's retraining jobs, one at a time, and does each in a process of its own.

Who works holds the lease ``retrain:PROJECT``, so one job of a project is at work wherever its workers
run. The job has a lease as well: a worker that was killed leaves both, and when they have run out
another takes the job up where it was left. The worker itself loads no training library.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import msgspec

from modelwright.errors import ExitCode, StorageFailure
from modelwright.monitor.aliases import Follower
from modelwright.monitor.due import ask, due, open_jobs
from modelwright.monitor.thresholds import effective
from modelwright.project.load import Project
from modelwright.project.settings import Settings
from modelwright.store.errors import IllegalMove, StoreUnavailable
from modelwright.store.ports import Store
from modelwright.store.records import JobRecord, JobState

logger = logging.getLogger(__name__)

LEASE_SECONDS = 30.0
FAILED = "retrain_failed"
_ATTEMPTS = 3  # a training that something kills (the kernel for want of memory) is tried again


@dataclass(frozen=True)
class _Ending:
    """How a job's process ended: exit status, last word on a failure, whether the job was lost to us."""

    status: int
    failed: str
    lost: bool


class Worker:
    """Does a project's jobs.

    Args:
        project: Whose jobs.
        settings: Where its store and bundles are.
        store: Opened.
        lease_seconds: How long a job stays a killed worker's.
        stop: Set when the worker should end; the job at work is given back.
        told: Told of the job at work what is done of it, from 0 to 1, and the name of its step.
    """

    def __init__(
        self,
        project: Project,
        settings: Settings,
        store: Store,
        *,
        lease_seconds: float = LEASE_SECONDS,
        stop: threading.Event | None = None,
        told: Callable[[float, str], None] = lambda *_: None,
    ) -> None:
        self._project = project
        self._settings = settings
        self._store = store
        self._seconds = lease_seconds
        self._stop = stop or threading.Event()
        self._told = told
        self.aliases = Follower(
            store,
            project.name,
            project_file=str(project.path),
            work_dir=str(settings.work_dir),
            store_url=settings.store_url,
        )
        self.owner = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"

    def run(self, *, poll: float, reload: Callable[[], Project]) -> None:
        """Work until told to stop.

        Args:
            poll: Seconds between looks.
            reload: Gives the project as its file says now: thresholds change while a worker runs.
        """
        while not self._stop.is_set():
            try:
                self._project = reload()
                self.aliases.look()
                job = self.run_once()
                worked = job is not None and job.state is not JobState.QUEUED
            except StoreUnavailable as error:
                logger.warning("The store is away; the worker waits: %s", error)
                worked = False
            if not worked:
                self._stop.wait(poll)
        self.aliases.close()

    def run_once(self) -> JobRecord | None:
        """Do the next job, if there is one or one is due; the job as it ended.

        ``None`` means there is nothing to do, or that another worker of the project is at work.

        Raises:
            StoreUnavailable: The store cannot be asked.
        """
        lease = f"retrain:{self._project.name}"
        if not self._store.leases.acquire(lease, self.owner, seconds=self._seconds):
            return None
        try:
            held = effective(self._project, self._store.overrides.list(self._project.name))
            wish = due(held, self._store, self._project.name)
            if wish is not None:
                ask(self._store, self._project.name, wish)
            taken = self._take()
            return None if taken is None else self._do(*taken, lease)
        finally:
            with contextlib.suppress(StoreUnavailable):
                self._store.leases.release(lease, self.owner)

    def _take(self) -> tuple[JobRecord, str] | None:
        """The next job, with the name it is leased under."""
        for id in open_jobs(self._store, self._project.name):
            job = self._store.jobs.get(id)
            if job is not None and job.state is JobState.JUDGED:
                # Left by a killed worker: nobody else can be at work while we hold the project's lease.
                return job, job.lease_owner
        taken = self._store.jobs.take(self._project.name, self.owner, seconds=self._seconds)
        return None if taken is None else (taken, self.owner)

    def _do(self, job: JobRecord, owner: str, lease: str) -> JobRecord | None:
        for attempt in range(1, _ATTEMPTS + 1):
            ending = self._attempt(job, owner, lease)
            if self._stop.is_set() or ending.lost:
                break
            if ending.status >= 0 or attempt == _ATTEMPTS:
                self._settle(job, ending)
                break
            logger.warning("The training of job %s was killed (%d); it is tried again", job.id, ending.status)
        return self._store.jobs.get(job.id)

    def _attempt(self, job: JobRecord, owner: str, lease: str) -> _Ending:
        process = self._start(job, owner)
        try:
            return self._attend(process, job, owner, lease)
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    with contextlib.suppress(OSError):
                        pipe.close()
            if self._stop.is_set():
                self._give_back(job)

    def _start(self, job: JobRecord, owner: str) -> subprocess.Popen[bytes]:
        told = {
            "project": str(self._project.path),
            "work_dir": str(self._settings.work_dir),
            "store_url": self._settings.store_url,
            "job": job.id,
            "owner": owner,
            "lease_seconds": self._seconds,
        }
        with self._log(job) as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "modelwright.retrain.child"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
                start_new_session=True,
            )
        assert process.stdin is not None  # noqa: S101 - made with a pipe
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(json.dumps(told).encode() + b"\n")
            process.stdin.flush()
        return process

    def _log(self, job: JobRecord) -> IO[bytes]:
        path = log_file(self._settings.work_dir, job.id)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            return path.open("ab")
        except OSError as error:
            raise StorageFailure.from_os_error(error, "starting a retraining") from error

    def _attend(self, process: subprocess.Popen[bytes], job: JobRecord, owner: str, lease: str) -> _Ending:
        """Keep the leases while it works, and hear what it says."""
        assert process.stdout is not None  # noqa: S101 - made with a pipe
        os.set_blocking(process.stdout.fileno(), False)
        heard, failed, progress, renewed = b"", "", None, 0.0
        while not self._stop.is_set():
            if time.monotonic() - renewed >= self._seconds / 4:
                if not self._renew(job, owner, lease, progress):
                    return _Ending(0, "", lost=True)
                renewed = time.monotonic()
            if not select.select([process.stdout], [], [], min(0.5, self._seconds / 8))[0]:
                continue
            data = process.stdout.read()
            if not data:
                break
            *lines, heard = (heard + data).split(b"\n")
            for word in map(_word, lines):
                failed = str(word.get("failed", failed))
                if "progress" in word:
                    progress, renewed = float(word["progress"]), 0.0
                    self._told(progress, str(word.get("stage", "")))
        return _Ending(0 if self._stop.is_set() else process.wait(), failed, lost=False)

    def _renew(self, job: JobRecord, owner: str, lease: str, progress: float | None) -> bool:
        """Whether the job is still ours: neither cancelled nor, after a long sleep, another's."""
        try:
            mine = self._store.leases.acquire(lease, self.owner, seconds=self._seconds)
            renewed = mine and self._store.jobs.renew(job.id, owner, seconds=self._seconds, progress=progress)
        except StoreUnavailable as error:
            logger.warning("The store is away; the training goes on: %s", error)
            return True
        if renewed:
            return True
        now = self._store.jobs.get(job.id)
        ended = now is not None and now.state in {JobState.PROMOTED, JobState.REJECTED}
        return mine and ended  # its process has written its end, and only records it yet

    def _settle(self, job: JobRecord, ending: _Ending) -> None:
        """End a job whose process ended without ending it; a busy project's job waits again."""
        now = self._store.jobs.get(job.id)
        if now is None or ending.status == 0:
            return
        if ending.status == ExitCode.BUSY:
            self._give_back(now)
            return
        reason = ending.failed or self._unsaid(job, ending.status)
        with contextlib.suppress(IllegalMove):  # it did end, or was cancelled
            self._store.jobs.move(job.id, JobState.FAILED, error=reason)
            self._store.events.add(
                job.project, FAILED, f"A retraining failed: {reason}", {"job": job.id, "reason": reason}
            )

    def _unsaid(self, job: JobRecord, status: int) -> str:
        if status < 0:
            name = signal.Signals(-status).name
            return f"Its process was killed {_ATTEMPTS} times ({name}); often memory is short."
        return f"Its process ended with status {status}; see {log_file(self._settings.work_dir, job.id)}."

    def _give_back(self, job: JobRecord) -> None:
        with contextlib.suppress(IllegalMove, StoreUnavailable):
            self._store.jobs.move(job.id, JobState.QUEUED)


def log_file(work_dir: Path, job: str) -> Path:
    """Where a job's process writes what its libraries say."""
    return work_dir / "retrain" / f"{job}.log"


def _word(line: bytes) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(line)
    except msgspec.DecodeError:
        return {}
    return found if isinstance(found, dict) else {}
