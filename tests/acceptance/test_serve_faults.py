"""What breaks around a server: processes killed, databases gone, disks full or failing, clocks set back.

Whatever happens, an answer that reached a client is in the log, once.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from load import BODIES, Load, Received
from modelwright.store.engine import open_store
from servers import PostgresServer
from serving import IRIS, SETOSA, SOURCE, Server, eventually, iris_project

pytestmark = pytest.mark.slow

KILLS = 10

needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="looks at processes through /proc")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with a released version."""
    return make_project(tmp_path)


def make_project(folder: Path, url: str = "") -> Path:
    """A project with a released version in ``folder``."""
    return iris_project(folder, trees=2, url=url)


def records_of(url: str, received: Iterable[Received]) -> dict[str, Any]:
    """What the store holds of answers, by id."""
    with open_store(url) as store:
        return dict(store.predictions.get_many("iris", [each.id for each in received]))


def assert_recorded(project: Path, received: list[Received], *, lost: int, url: str = "") -> None:
    """Every answer is in the log as it was given, and the log has nothing it should not have."""
    url = url or f"sqlite:///{project / '.modelwright' / 'store.db'}"
    answered = [each for each in received if each.status in {200, 400}]
    records = records_of(url, answered)
    missing = [each for each in answered if each.id not in records]
    assert not missing, f"{len(missing)} of {len(answered)} are not in the log, the first: {missing[0]}"
    for each in answered:
        record = records[each.id]
        assert record.status == each.status
        if each.status == 200:
            assert record.outputs["prediction"] == each.document["prediction"]
            assert record.version == each.document["model_version"]
            assert record.inputs == dict(zip(IRIS, each.sent["features"], strict=True))
    with open_store(url) as store:
        count = store.predictions.count("iris")
    # What was written when its connection broke, or its disk, is in the log under an id nobody got.
    assert len(records) <= count <= len(records) + lost
    assert not list((project / ".modelwright" / "journal").glob("set-aside*"))


def delivered(work_dir: Path) -> bool:
    """Whether no journal of a dead worker is left."""
    return not [path for path in (work_dir / "journal").iterdir() if path.is_dir()]


def kill(pids: Iterable[int]) -> None:
    """``kill -9``."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def announced(project: Path, role: str, count: int = 1, *, but: Iterable[int] = ()) -> list[int]:
    """The ids of ``count`` processes that serve now, others than ``but``; empty until there are so many."""
    found = []
    for path in (project / ".modelwright" / "run").glob(f"*/{role}-*.pid"):
        with contextlib.suppress(OSError, ValueError):
            pid = int(path.read_text())
            os.kill(pid, 0)
            if pid not in but:
                found.append(pid)
    return sorted(found) if len(found) >= count else []


@needs_linux
def test_workers_killed_under_load_lose_no_answer(project: Path) -> None:
    """Ten times a worker is killed: the others answer on, it comes back, and the log has all."""
    killed: list[int] = []
    with Server("--workers", "2", cwd=project) as server:
        with Load(server.url) as load:
            for turn in range(KILLS):
                workers = eventually(lambda: announced(project, "worker", 2, but=killed), seconds=20)
                load.wait_for(20)
                killed.append(workers[turn % 2])
                kill(killed[-1:])
                load.wait_for(20)
            eventually(lambda: announced(project, "worker", 2, but=killed), seconds=20)
            load.wait_for(50)
        assert not load.with_status(500, 502, 503)
        assert server.stop() == 0
    assert delivered(project / ".modelwright")
    assert_recorded(project, load.received, lost=load.lost)


@needs_linux
def test_the_keeper_killed_under_load_loses_no_answer(project: Path) -> None:
    """Ten times the keeper is killed while it delivers: no request notices, the log has all, once."""
    received: list[Received] = []
    for _ in range(2):  # in one server it would be started again later each time
        killed: list[int] = []
        with Server("--workers", "1", cwd=project) as server:
            with Load(server.url) as load:
                for _ in range(KILLS // 2):
                    found = eventually(partial(announced, project, "keeper", but=killed), seconds=20)
                    load.wait_for(30)
                    kill(found)
                    killed += found
                load.wait_for(50)
            assert (load.lost, load.with_status(500, 502, 503)) == (0, [])
            assert server.stop() == 0
        received += load.received
    with Server("--workers", "1", cwd=project) as server:
        assert server.stop() == 0
    assert_recorded(project, received, lost=0)


@needs_linux
def test_the_whole_tree_killed_under_load_loses_no_answer(project: Path) -> None:
    """Ten times every process is killed at once and all started again: the log has all, once."""
    received: list[Received] = []
    lost = 0
    for _ in range(KILLS):
        with Server("--workers", "2", cwd=project) as server, Load(server.url) as load:
            load.wait_for(60)
            kill([server.process.pid, *announced(project, "worker", 2), *announced(project, "keeper")])
            load.give_up()
        received += load.received
        lost += load.lost
    with Server("--workers", "1", cwd=project) as server:
        assert server.stop() == 0
    assert delivered(project / ".modelwright")
    assert_recorded(project, received, lost=lost)
    assert not list((project / ".modelwright" / "run").iterdir())


@needs_linux
def test_with_the_supervisor_killed_the_others_end_and_the_port_is_free(project: Path) -> None:
    """Nobody is left behind by a supervisor that was killed, and what they answered is in the log."""
    with Server("--workers", "2", cwd=project) as server, Load(server.url) as load:
        load.wait_for(60)
        orphans = [*announced(project, "worker", 2), *announced(project, "keeper")]
        kill([server.process.pid])
        load.give_up()
    assert len(orphans) == 3
    eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in orphans), seconds=30)
    with Server("--workers", "1", cwd=project) as server:
        assert server.stop() == 0
    assert_recorded(project, load.received, lost=load.lost)


def test_postgresql_stopped_for_a_while_costs_no_answer(
    tmp_path: Path, own_postgres_server: PostgresServer
) -> None:
    """Predictions go on while the database is away, and are in it once it is back."""
    url = own_postgres_server.create_database()
    project = make_project(tmp_path, url)
    with Server("--workers", "2", cwd=project, env={"MODELWRIGHT_STORE_URL": url}) as server:
        with Load(server.url) as load:
            for how in (signal.SIGINT, signal.SIGQUIT):
                load.wait_for(100)
                own_postgres_server.stop(how)
                load.wait_for(300)
                assert server.client.get("/predictions/history").status_code == 503
                assert server.client.get("/metrics").json()["new_samples_pending"] is None
                assert server.client.get("/health/ready").status_code == 200
                own_postgres_server.start()
                load.wait_for(100)
                eventually(lambda: server.client.get("/predictions/history").status_code == 200)
        assert (load.lost, load.with_status(409, 500, 502, 503)) == (0, [])
        last = load.received[-1]
        eventually(lambda: records_of(url, [last]), seconds=20)
        assert server.stop() == 0
    assert_recorded(project, load.received, lost=0, url=url)
    assert "Traceback" not in server.log.read_text()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 48 MB of its own."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", folder],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", folder], check=True)


@needs_linux
def test_a_full_disk_is_told_and_got_over(small_disk: Path) -> None:
    """Everything full: 503 with a reason, also at /health; with space again all goes on by itself."""
    project = make_project(small_disk)
    bodies = [*BODIES, {"instances": [SETOSA] * 500}]
    with Server("--workers", "1", cwd=project) as server:
        with Load(server.url, bodies=bodies, connections=4) as load:
            load.wait_for(20)
            filler = small_disk / "filler"
            fill(filler)
            load.wait_for(20, lambda each: each.status == 503, seconds=30)
            refused = load.with_status(503)[0].document
            health = server.client.get("/health")
            assert (health.status_code, health.json()["status"]) == (503, "unhealthy")
            assert server.client.get("/health/ready").status_code == 503
            filler.unlink()
            load.wait_for(100, lambda each: each.status == 200)
            refusals = len(load.with_status(503))
            load.wait_for(100)
            assert len(load.with_status(503)) == refusals
        assert "log cannot be written" in refused["error"]
        assert refused["instruction"]
        assert not load.with_status(500, 502)
        assert load.lost == 0
        assert server.client.get("/health/ready").status_code == 200
        assert server.stop() == 0
    singles = [each for each in load.received if "features" in each.sent]
    batches = [row["prediction_id"] for each in load.received for row in each.document.get("predictions", ())]
    url = f"sqlite:///{project / '.modelwright' / 'store.db'}"
    with open_store(url) as store:
        assert len(store.predictions.get_many("iris", batches)) == len(batches)
        answered = [each for each in singles if each.status != 503]
        assert len(store.predictions.get_many("iris", [each.id for each in answered])) == len(answered)
        assert store.predictions.count("iris") == len(batches) + len(answered)
    assert "Traceback" not in server.log.read_text()


def fill(path: Path) -> None:
    """Write until the disk is full."""
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        size = 1 << 20
        while size:
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                size //= 16


@contextlib.contextmanager
def failing(pid: int, calls: str, error: str) -> Iterator[None]:
    """Let system calls of a process fail, as a broken disk would."""
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is not installed (scripts/system-packages installs it)")
    options = ["-f", "-qq", "-o", "/dev/null", "-e", f"trace={calls}", "-e", f"inject={calls}:error={error}"]
    tracer = subprocess.Popen([strace, *options, "-p", str(pid)], stderr=subprocess.PIPE)
    assert tracer.stderr is not None
    try:
        eventually(lambda: tracer.poll() is not None or traced(pid, tracer.pid), seconds=30)
        if tracer.poll() is not None:
            pytest.skip(f"strace cannot attach here: {tracer.stderr.read().decode().strip()}")
        yield
    finally:
        tracer.terminate()
        tracer.wait(60)
        tracer.stderr.close()


def traced(pid: int, tracer: int) -> bool:
    """Whether every thread of a process is watched by ``tracer``."""
    tasks = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/status")]
    return bool(tasks) and all(f"\nTracerPid:\t{tracer}\n" in task for task in tasks)


@needs_linux
@pytest.mark.parametrize(
    ("calls", "error"), [("fsync,fdatasync", "EIO"), ("fdatasync", "ENOSPC"), ("pwrite64", "EIO")]
)
def test_a_failing_disk_is_told_and_got_over(project: Path, calls: str, error: str) -> None:
    """While the journal cannot be synced all answers are 503; afterwards all goes on, and the log has all.

    The keeper may have read what one turn of the loop wrote before its sync failed: at most one request of
    each connection, once, is in the log although it was refused.
    """
    with Server("--workers", "1", cwd=project) as server:
        with Load(server.url) as load:
            load.wait_for(50)
            (worker,) = announced(project, "worker")
            with failing(worker, calls, error):
                load.wait_for(20, lambda each: each.status == 503)
                start = time.monotonic()
                load.wait_for(50)
                during = [each for each in load.received if each.at > start]
            load.wait_for(100, lambda each: each.status == 200)
        assert {each.status for each in during} == {503}
        assert load.lost == 0
        assert not load.with_status(409, 500, 502)
        assert server.stop() == 0
    written = 0 if calls == "pwrite64" else load.connections
    assert_recorded(project, load.received, lost=written)


CLOCK = """
import os, time

def moved(clock, unit):
    def now():
        with open(os.environ["CLOCK"]) as file:
            return clock() + int(file.read()) * unit
    return now

time.time, time.time_ns = moved(time.time, 1), moved(time.time_ns, 10**9)
"""


def test_a_clock_set_back_loses_and_repeats_nothing(project: Path, tmp_path: Path) -> None:
    """The clock goes back an hour, on a day and back again: ids stay unique, the log has all."""
    clock = tmp_path / "clock"
    set_clock(clock, "0")
    # libfaketime is no help: CPython waits for its own lock by that clock too, and hardly gets on.
    (tmp_path / "sitecustomize.py").write_text(CLOCK)
    env = {"PYTHONPATH": f"{SOURCE}{os.pathsep}{tmp_path}", "CLOCK": str(clock)}
    spans = []
    with Server("--workers", "2", cwd=project, env=env) as server:
        with Load(server.url) as load:
            for offset in ("0", "-3600", "86400", "-7200"):
                set_clock(clock, offset)
                load.wait_for(150)
                spans.append(load.received[-1])
            history = server.client.get("/predictions/history?limit=10").json()
        assert (load.lost, load.with_status(409, 500, 502, 503)) == (0, [])
        assert len({each.id for each in load.received}) == len(load.received)
        assert all(0 <= each.document["latency"] < 10 for each in load.with_status(200))
        assert history["count"] == 10
        assert server.stop() == 0
    assert_recorded(project, load.received, lost=0)
    records = records_of(f"sqlite:///{project / '.modelwright' / 'store.db'}", spans)
    times = [(records[each.id].time - records[spans[0].id].time).total_seconds() for each in spans]
    assert times == pytest.approx([0, -3600, 86400, -7200], abs=60)


def set_clock(path: Path, offset: str) -> None:
    """Move the server's clock, at once."""
    temporary = path.with_suffix(".new")
    temporary.write_text(offset)
    temporary.replace(path)
