"""The worker: leases, killed processes, cancelling."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from modelwright.retrain.worker import Worker, log_file
from modelwright.store.records import JobState
from serving import eventually
from unit.retrain.conftest import Served, rows

pytestmark = pytest.mark.slow
ENDS = {JobState.PROMOTED, JobState.REJECTED}
LEASE = 4.0
SCRIPT = """
import sys
from modelwright.project.load import load
from modelwright.project.settings import resolve
from modelwright.retrain.worker import Worker
from modelwright.store.engine import open_store
project = load(sys.argv[1])
settings = resolve(project)
with open_store(settings.store_url) as store:
    Worker(project, settings, store, lease_seconds=float(sys.argv[2])).run_once()
"""


until = partial(eventually, seconds=180)


def started(served: Served) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(served.project.path), str(LEASE)], env=environment
    )


def state(served: Served, job: str) -> JobState:
    return served.store.jobs.get(job).state


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.parametrize("at", [JobState.TRAINING, JobState.JUDGED])
def test_a_killed_workers_job_is_taken_up_again_and_done_once(served, at):
    """SIGKILL here: the training dies too, another worker ends the job, nothing is there twice."""
    served.again(proof="not_worse")
    served.give(rows(40, 2))
    job = served.store.jobs.add("shop", trigger="manual", reason="test")
    first = started(served)
    try:
        until(lambda: state(served, job.id) is at)
        (training,) = until(lambda: children(first.pid))
    finally:
        first.kill()
        first.wait()
    until(lambda: not Path(f"/proc/{training}").exists() or "Z" in Path(f"/proc/{training}/stat").read_text())
    worker = Worker(served.project, served.settings, served.store, lease_seconds=LEASE)
    ended = until(lambda: (done := worker.run_once()) is not None and done.state in ENDS and done)
    assert (ended.id, ended.state) == (job.id, JobState.PROMOTED)
    assert [version.number for version in served.store.versions.list("shop")] == [ended.version, 1]
    assert [release.version for release in served.store.releases.list("shop")] == [ended.version, 1]
    assert {sample.used_by_version for sample in served.store.samples.list("shop")} == {ended.version}
    assert worker.run_once() is None


def test_a_killed_training_is_tried_again(served):
    """The kernel ends the training; the worker starts it anew and the job ends well."""
    served.give(rows(20, 2))
    done: list[Any] = []
    worker = Worker(served.project, served.settings, served.store)
    thread = threading.Thread(target=lambda: done.append(worker.run_once()))
    thread.start()
    job = until(lambda: served.store.jobs.list("shop"))[0]
    log = log_file(served.settings.work_dir, job.id)
    victim = until(lambda: log.exists() and children_of_thread(job.id))
    os.kill(victim, signal.SIGKILL)
    thread.join(240)
    assert done[0].state in ENDS
    assert done[0].trigger == "new_samples"


def children_of_thread(job: str) -> int | None:
    """The training that this test process started."""
    del job
    for task in Path("/proc/self/task").iterdir():
        for child in (task / "children").read_text().split():
            if "modelwright.retrain.child" in Path(f"/proc/{child}/cmdline").read_text():
                return int(child)
    return None


def test_a_cancelled_job_ends_its_training(served):
    """The process is gone within a lease's quarter, and nothing was registered or released."""
    served.give(rows(20, 2))
    job = served.store.jobs.add("shop", trigger="manual", reason="test")
    done: list[Any] = []
    worker = Worker(served.project, served.settings, served.store, lease_seconds=LEASE)
    thread = threading.Thread(target=lambda: done.append(worker.run_once()))
    thread.start()
    until(lambda: state(served, job.id) is JobState.TRAINING)
    served.store.jobs.move(job.id, JobState.CANCELLED)
    thread.join(60)
    assert not thread.is_alive()
    assert done[0].state is JobState.CANCELLED
    assert served.store.releases.current("shop").version == 1
    assert served.store.samples.pending("shop") == 20


def test_two_workers_of_a_project_do_one_job_at_a_time(served):
    """While one holds the project, another finds nothing to do."""
    served.store.jobs.add("shop", trigger="manual", reason="test")
    assert served.store.leases.acquire("retrain:shop", "another", seconds=60)
    worker = Worker(served.project, served.settings, served.store)
    assert worker.run_once() is None
    assert served.store.jobs.list("shop")[0].state is JobState.QUEUED


def test_a_job_that_fails_says_why_and_leaves_the_champion(served):
    """Damaged base data end the job as failed with the reason; samples wait for the next one."""
    (served.project.directory / "data.csv").write_bytes(b"size,colour\n\xff\xfe")
    served.give(rows(20, 2))
    ended = Worker(served.project, served.settings, served.store).run_once()
    assert ended.state is JobState.FAILED
    assert "data.csv" in ended.error
    (event,) = served.store.events.list("shop", kind="retrain_failed")
    assert event.data["job"] == ended.id
    assert served.store.samples.pending("shop") == 20
    assert served.store.releases.current("shop").version == 1
