"""Experiments, runs and registered models in MLflow, by way of a process of their own.

One experiment a project. One run a training with one nested run a candidate; the winner's run carries
the model, registered under the project's name; ``aliases`` lets its aliases follow the releases.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import select
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from modelwright.errors import StorageFailure
from modelwright.schema.urls import mask_url
from modelwright.train.errors import TrackingUnavailable

VERSION_TAG = "modelwright.version"
_LOG = "tracking.log"
_PATIENCE = 5.0
# What SQLite and the system say when the disk, and not MLflow, is at fault.
_DISK = ("No space left", "disk is full", "disk I/O error", "File too large", "readonly database")
_AUTOFLUSH = re.compile(r"\(raised as a result of Query-invoked autoflush;[^)]*\) ")
# MLflow sends usage figures home unless told not to; a project's training is nobody else's business.
_QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "GIT_PYTHON_REFRESH": "quiet",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
}


class Tracker:
    """The other end of ``track_process``. Requests are answered in order.

    ``post`` sends one and goes on; ``call`` waits for its answer, and so for those before it.
    """

    def __init__(self, process: subprocess.Popen[str], uri: str, log: IO[str]) -> None:
        self._process = process
        self._log = log
        self._waiting = 0
        self.uri = uri
        self.experiment = ""

    @classmethod
    def start(cls, uri: str, *, experiment: str, working: Path) -> Tracker:
        """Start the process and have it open the experiment, without waiting for either.

        Artifacts lie in the working folder where the tracking database does, else where the server
        puts them.
        """
        local = uri.startswith("sqlite:")
        try:
            working.mkdir(parents=True, exist_ok=True)
            log = (working / _LOG).open("w", encoding="utf-8")
        except OSError as error:
            raise StorageFailure.from_os_error(error, "starting to record the experiment") from error
        process = subprocess.Popen(
            [sys.executable, "-m", "modelwright.train.track_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            encoding="utf-8",
            env={**os.environ, **_QUIET, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
            cwd=working,
            # Ctrl+C is for the training, which ends this process by closing its input.
            process_group=0,
        )
        tracker = cls(process, uri, log)
        artifacts = (working / "mlartifacts").resolve().as_uri() if local else None
        tracker.post("open", uri=uri, experiment=experiment, artifacts=artifacts)
        tracker.post("warm")
        return tracker

    def post(self, do: str, **arguments: Any) -> None:
        """Send a request; its failure is told by the next ``call``."""
        self._send({"do": do, **arguments})
        self._waiting += 1

    def call(self, do: str, **arguments: Any) -> dict[str, Any]:
        """Send a request and wait for its answer.

        Raises:
            TrackingUnavailable: It failed, or one posted before it did.
            StorageFailure: It did for want of space.
        """
        self.post(do, **arguments)
        return self.wait()

    def wait(self) -> dict[str, Any]:
        """The answer to the last request, once all are answered; see ``call``."""
        answer: dict[str, Any] = {}
        while self._waiting:
            answer = self._take()
        return answer

    def _take(self) -> dict[str, Any]:
        assert self._process.stdout is not None  # noqa: S101 - made with a pipe
        line = self._process.stdout.readline()
        if not line:
            raise self._unavailable("the process that records it ended")
        self._waiting -= 1
        reply = json.loads(line)
        if "failed" in reply:
            raise self._unavailable(str(reply["failed"]))
        answer: dict[str, Any] = reply["ok"]
        self.experiment = answer.get("experiment", self.experiment)
        return answer

    def raise_if_failed(self) -> None:
        """Take the answers that are there already; raises as ``call`` does."""
        assert self._process.stdout is not None  # noqa: S101 - made with a pipe
        while self._waiting and select.select([self._process.stdout], [], [], 0)[0]:
            self._take()

    def close(self) -> None:
        """Let the process end by itself, with what it was asked done."""
        with contextlib.suppress(OSError):
            if self._process.stdin is not None:
                self._process.stdin.close()
        try:
            self._process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._log.close()

    def abandon(self) -> None:
        """End the process at once; what it has not done yet is not wanted any more."""
        self._process.terminate()
        self.close()

    def _send(self, request: dict[str, Any]) -> None:
        assert self._process.stdin is not None  # noqa: S101 - made with a pipe
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        except OSError as error:
            raise self._unavailable("the process that records it ended") from error

    def _unavailable(self, why: str) -> TrackingUnavailable | StorageFailure:
        place = mask_url(self.uri)
        reason = f"The experiment cannot be recorded at {place}: {_core(why).replace(self.uri, place)}."
        if not self.uri.startswith("sqlite:"):
            remedy = "Start the tracking server, or correct MODELWRIGHT_TRACKING_URI."
            return TrackingUnavailable(reason, remedy)
        remedy = "Make room on the disk and see that the database file can be written."
        kind = StorageFailure if any(word in why for word in _DISK) else TrackingUnavailable
        return kind(reason, remedy)


def _core(why: str) -> str:
    """What happened, without the statement and the links that SQLAlchemy puts around it."""
    for noise in (" [SQL:", " (Background on this error"):
        why = why.partition(noise)[0]
    return _AUTOFLUSH.sub("", why)


def check_reachable(uri: str) -> None:
    """See before a training whether anybody listens at a tracking address.

    Raises:
        TrackingUnavailable: Nobody does.
    """
    address = urlsplit(uri)
    if address.scheme not in ("http", "https"):
        return
    port = address.port or (443 if address.scheme == "https" else 80)
    try:
        socket.create_connection((address.hostname or "", port), timeout=_PATIENCE).close()
    except OSError as error:
        raise TrackingUnavailable(
            f"Nobody answers at the tracking address {mask_url(uri)}: {error.strerror or error}.",
            "Start the tracking server, or correct MODELWRIGHT_TRACKING_URI.",
        ) from error


@contextlib.contextmanager
def tracking(uri: str, *, experiment: str, working: Path) -> Iterator[Tracker]:
    """A tracker for the length of the block."""
    tracker = Tracker.start(uri, experiment=experiment, working=working)
    try:
        yield tracker
    except BaseException:  # also an interruption must not leave the process behind
        tracker.abandon()
        raise
    else:
        tracker.close()
