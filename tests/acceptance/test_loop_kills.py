"""kill -9 of whoever has a part in a retraining, at each state of its job: the loop goes on, once."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from acceptance.program import Server, command, environment, post, train
from modelwright.store.engine import open_store
from modelwright.store.records import JobState
from servers import free_port
from serving import eventually
from unit.retrain.conftest import NAMES, csv, rows

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
PATIENCE = 240.0
ENDS = {JobState.PROMOTED, JobState.REJECTED}
SAMPLES = 40


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """A small project with its first version."""
    folder = tmp_path_factory.mktemp("kills") / "shop"
    folder.mkdir()
    (folder / "data.csv").write_text(csv(rows(200, 0, wrong=0.1)))
    (folder / "project.yaml").write_text(yaml.safe_dump({
        "name": "shop",
        "data": {"source": "data.csv", "target": "label"},
        "train": {"candidates": [{"decision_tree": {"max_depth": 3}}], "metric": "accuracy"},
        "retrain": {"new_samples": SAMPLES, "cooldown": "1h", "proof": "not_worse", "watch": False},
    }))  # fmt: skip
    first = train("up", folder, "--no-serve", "--json")
    assert first.code == 0, first.err
    return folder


class Loop:
    """A served project that is given what it retrains for, and whose parts can be killed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.log = (folder / "server.log").open("w+")
        self.store = open_store(path=folder / ".modelwright" / "store.db")
        self.server = self._started()

    def _started(self) -> Server:
        import subprocess

        process = subprocess.Popen(
            command("serve", self.folder, "--port", str(self.port)),
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=self.log,
            start_new_session=True,
        )
        server = Server(process, f"http://127.0.0.1:{self.port}", self.log, self.log)
        server.wait(PATIENCE)
        return server

    def give(self, count: int = SAMPLES, *, wrong: bool = False) -> None:
        """Samples enough for a retraining, over HTTP."""
        samples = [
            {
                "features": {name: row[name] for name in NAMES},
                "target": {"yes": "no", "no": "yes"}[row["label"]] if wrong else row["label"],
            }
            for row in rows(count, 2)
        ]
        status, answer = post(f"{self.server.url}/add_training_data", {"samples": samples}, timeout=60)
        assert status == 201, answer

    def state(self) -> JobState | None:
        jobs = self.store.jobs.list("shop")
        return jobs[0].state if jobs else None

    def reaches(self, state: JobState) -> None:
        """Wait until the job is there, or already further."""
        order = [JobState.QUEUED, JobState.TRAINING, JobState.JUDGED, *ENDS]
        eventually(
            lambda: (now := self.state()) is not None and order.index(now) >= order.index(state),
            seconds=PATIENCE,
        )

    def kill(self, victim: str) -> None:
        """SIGKILL; a server is started again, as a service manager would."""
        parts = _processes(self.folder, self.server.process.pid)
        for pid in parts[victim]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if victim == "server":
            self.server.process.wait()
            self.server = self._started()

    def close(self) -> None:
        self.server.stop()
        self.store.close()
        self.log.close()


def _processes(folder: Path, server: int) -> dict[str, list[int]]:
    """Who is at work on the project, by their part."""
    found: dict[str, list[int]] = {"trainer": [], "keeper": [], "server": [server]}
    children = _tree(server)
    for pid in children:
        line = _command(pid)
        if "retrain.child" in line or ("worker" in line and str(folder) in line):
            found["trainer"].append(pid)
        elif "serve.child" in line and not _listens(pid):
            found["keeper"].append(pid)
        if "serve.child" in line:
            found["server"].append(pid)
    # A server that is killed leaves its worker behind, which its own death would take along in a container.
    found["server"] += found["trainer"]
    return found


def _tree(pid: int) -> list[int]:
    listed: list[int] = []
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in map(int, (task / "children").read_text().split()):
                listed += [child, *_tree(child)]
    return listed


def _command(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    return ""


def _listens(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return any("socket:" in str(each.readlink()) for each in Path(f"/proc/{pid}/fd").iterdir())
    return False


STATES = (JobState.QUEUED, JobState.TRAINING, JobState.JUDGED)


@pytest.mark.parametrize("victim", ["trainer", "keeper", "server"])
def test_killed_at_every_state_the_job_is_done_once(trained, tmp_path, victim):
    """One version, one duel, one release; each sample used once; one champion; and it answers."""
    loop = Loop(Path(shutil.copytree(trained, tmp_path / "shop")))
    try:
        loop.give()
        for state in STATES:
            loop.reaches(state)
            loop.kill(victim)
            time.sleep(0.2)
        eventually(lambda: loop.state() in ENDS, seconds=PATIENCE)
        store: Any = loop.store
        (job,) = store.jobs.list("shop")
        assert job.state is JobState.PROMOTED, job.error
        assert [version.number for version in store.versions.list("shop")] == [job.version, 1]
        assert [release.version for release in store.releases.list("shop")] == [job.version, 1]
        assert {sample.used_by_version for sample in store.samples.list("shop")} == {job.version}
        assert len(store.samples.list("shop")) == SAMPLES
        assert len(store.events.list("shop", kind="duel")) == 1
        eventually(lambda: _version(loop) == job.version, seconds=30)
    finally:
        loop.close()


def _version(loop: Loop) -> Callable[[], Any] | int:
    row = {"size": 10.0, "colour": "red", "flag": True}
    with contextlib.suppress(OSError):
        status, answer = post(f"{loop.server.url}/predict", {"features": row})
        return int(answer["model_version"]) if status == 200 else 0
    return 0


def test_poisoned_rows_over_http_leave_the_champion(trained, tmp_path):
    """Wrong truths at a high rate make a worse version, and nobody ever gets its answers."""
    loop = Loop(Path(shutil.copytree(trained, tmp_path / "shop")))
    try:
        loop.give(160, wrong=True)
        eventually(lambda: loop.state() in ENDS, seconds=PATIENCE)
        (job,) = loop.store.jobs.list("shop")
        assert job.state is JobState.REJECTED
        assert "worse" in job.error
        assert loop.store.releases.current("shop").version == 1
        assert _version(loop) == 1
    finally:
        loop.close()
