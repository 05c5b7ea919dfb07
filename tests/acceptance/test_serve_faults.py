"""What happens when things die: every answer a client received is in the log, exactly once."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from modelwright.store.engine import open_store
from servers import PostgresServer
from serving import SETOSA, Server, eventually, release, stored, write_iris_bundle

pytestmark = pytest.mark.slow

PROJECT = "name: iris\ndata: {source: 'sklearn:iris', target: species}\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with one released version."""
    (tmp_path / "project.yaml").write_text(PROJECT)
    work_dir = tmp_path / ".modelwright"
    release(work_dir, 1, write_iris_bundle(work_dir / "bundles" / "v1"))
    return tmp_path


class Load:
    """Clients that ask all the time and remember what they were answered.

    Attributes:
        answered: Prediction ids received, with the version that answered.
        refused: Statuses that were no answer.
        broken: Requests that got no reply.
    """

    def __init__(self, url: str, clients: int = 8) -> None:
        self.answered: list[tuple[str, int]] = []
        self.refused: list[tuple[int, str]] = []
        self.broken = 0
        self._url = url
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(seed,)) for seed in range(clients)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _ask(self, seed: int) -> None:
        dice = random.Random(seed)
        while not self._stop.is_set():
            with contextlib.suppress(httpx.TransportError), httpx.Client(base_url=self._url) as client:
                while not self._stop.is_set():
                    self._ask_once(client, dice)

    def _ask_once(self, client: httpx.Client, dice: random.Random) -> None:
        rows = [[round(dice.uniform(4.3, 7.9), 1), *SETOSA[1:]] for _ in range(dice.choice((1, 1, 3)))]
        body = {"features": rows[0]} if len(rows) == 1 else {"instances": rows}
        try:
            reply = client.post("/predict", json=body)
        except httpx.TransportError:
            self.broken += 1
            time.sleep(0.01)
            raise
        if reply.status_code != 200:
            self.refused.append((reply.status_code, reply.text))
            time.sleep(0.01)
            return
        document = reply.json()
        for answer in document.get("predictions", [document]):
            self.answered.append((answer["prediction_id"], answer["model_version"]))


def assert_logged(load: Load, folder: Path, *, url: str = "") -> None:
    """Every answer is in the store once, under the version that gave it."""
    assert load.answered
    ids = [id for id, _ in load.answered]
    assert len(set(ids)) == len(ids)
    with open_store(url or f"sqlite:///{folder / '.modelwright' / 'store.db'}") as store:
        records = store.predictions.get_many("iris", ids)
    assert not set(ids) - set(records)
    assert all(records[id].version == version for id, version in load.answered)


def kill_one(role: str) -> Callable[[Server], None]:
    """Kill one process of a role, as hard as can be."""

    def kill(server: Server) -> None:
        pids = server.children(role)
        if pids:
            os.kill(random.choice(pids), signal.SIGKILL)

    return kill


@pytest.mark.parametrize("role", ["worker", "keeper"])
def test_ten_killed_processes_lose_no_answer(project: Path, role: str) -> None:
    """A worker, or the keeper, is killed ten times under load; nothing answered is lost or doubled."""
    with Server("--workers", "2", cwd=project) as server, Load(server.url) as load:
        for _ in range(10):
            time.sleep(0.4)
            kill_one(role)(server)
        eventually(lambda: len(server.children("worker")) == 2 and server.children("keeper"))
        before = len(load.answered)
        eventually(lambda: len(load.answered) > before + 50)
    server.stop()
    assert not load.refused
    if role == "keeper":
        assert not load.broken
    assert_logged(load, project)


def test_the_whole_tree_killed_ten_times_loses_no_answer(project: Path) -> None:
    """All processes are killed at once, ten times; the next start delivers what they left."""
    answered: list[tuple[str, int]] = []
    for _ in range(10):
        server = Server("--workers", "2", cwd=project)
        with Load(server.url, clients=4) as load:
            eventually(lambda load=load: len(load.answered) > 40)
            for pid in (server.process.pid, *server.children("worker"), *server.children("keeper")):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            server.process.wait()
        server.client.close()
        server.stop()
        answered += load.answered
    with Server("--workers", "1", cwd=project):
        pass
    load.answered = answered
    assert_logged(load, project)


def test_a_supervisor_killed_alone_takes_the_others_along(project: Path) -> None:
    """Without the supervisor workers and keeper end by themselves, and deliver first."""
    with Server("--workers", "2", cwd=project) as server:
        children = server.children("worker") + server.children("keeper")
        id = server.client.post("/predict", json={"features": SETOSA}).json()["prediction_id"]
        server.process.kill()
        server.process.wait()
        eventually(lambda: not any(Path(f"/proc/{pid}/cmdline").exists() for pid in children), seconds=30)
    with Server("--workers", "1", cwd=project):
        pass
    with stored(project / ".modelwright") as store:
        assert store.predictions.get("iris", id)


def test_a_hundred_swaps_under_load_fail_no_request(project: Path) -> None:
    """Promotions and rollbacks between two versions: no failed request, and each answer says who gave it."""
    work_dir = project / ".modelwright"
    release(work_dir, 2, write_iris_bundle(work_dir / "bundles" / "v2", number=2, seed=7))
    with Server("--workers", "2", cwd=project) as server:
        with Load(server.url, clients=4) as load, stored(work_dir) as store:
            for turn in range(100):
                store.releases.append("iris", 1 + turn % 2, reason="again", actor="test")
                time.sleep(0.06)
            store.releases.append("iris", 1, reason="last", actor="test")
            eventually(lambda: server.client.get("/health").json()["model_version"] == 1, seconds=2.5)
        assert not load.refused
        assert not load.broken
        assert {version for _, version in load.answered} == {1, 2}
    assert_logged(load, project)


def test_a_damaged_release_is_refused_and_the_champion_stays(project: Path) -> None:
    """A version whose bundle does not verify is not taken; an event says why; the next good one is."""
    work_dir = project / ".modelwright"
    with Server("--workers", "2", cwd=project) as server:
        manifest = write_iris_bundle(work_dir / "bundles" / "v2", number=2)
        (work_dir / "bundles" / "v2" / "model.onnx").write_bytes(b"damaged")
        release(work_dir, 2, manifest)
        with stored(work_dir) as store:
            event = eventually(lambda: store.events.list("iris", kind="release_refused"))[0]
        assert "checksum" in event.message
        assert server.client.post("/predict", json={"features": SETOSA}).json()["model_version"] == 1
        release(work_dir, 3, write_iris_bundle(work_dir / "bundles" / "v3", number=3))
        eventually(lambda: server.client.get("/health").json()["model_version"] == 3, seconds=2.5)


def test_a_stopped_database_stops_no_prediction(own_postgres_server: PostgresServer, tmp_path: Path) -> None:
    """PostgreSQL goes away under load and comes back: no request fails, nothing is lost."""
    url = own_postgres_server.create_database()
    (tmp_path / "project.yaml").write_text(PROJECT)
    work_dir = tmp_path / ".modelwright"
    release(work_dir, 1, write_iris_bundle(work_dir / "bundles" / "v1"), url=url)
    with Server("--workers", "2", cwd=tmp_path, env={"MODELWRIGHT_STORE_URL": url}) as server:
        with Load(server.url, clients=4) as load:
            eventually(lambda: len(load.answered) > 50)
            own_postgres_server.stop()
            away = len(load.answered)
            eventually(lambda: len(load.answered) > away + 200, seconds=20)
            own = server.client.post("/predict", json={"features": SETOSA, "id": "while-away"})
            assert own.status_code == 200
            assert server.client.get("/predictions/history").status_code == 503
            assert server.client.get("/metrics").json()["new_samples_pending"] is None
            own_postgres_server.start()
            with open_store(url) as store:
                eventually(lambda: store.predictions.get("iris", "while-away"), seconds=20)
        assert not load.refused
        assert not load.broken
    assert_logged(load, tmp_path, url=url)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 MiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("mounting a small disk needs to be root")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_refuses_and_recovers(small_disk: Path, tmp_path: Path) -> None:
    """With no space for the log a prediction is refused with the reason; with space again it is answered."""
    url = f"sqlite:///{tmp_path / 'store.db'}"
    (small_disk / "project.yaml").write_text(PROJECT)
    work_dir = small_disk / ".modelwright"
    release(work_dir, 1, write_iris_bundle(work_dir / "bundles" / "v1"), url=url)
    with Server("--workers", "1", cwd=small_disk, env={"MODELWRIGHT_STORE_URL": url}) as server:
        filler = small_disk / "filler"
        with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(1 << 20))
        ids = []
        body = {"instances": [SETOSA] * 2000}

        def refused() -> httpx.Response | None:
            reply = server.client.post("/predict", json=body)
            if reply.status_code == 200:
                ids.extend(each["prediction_id"] for each in reply.json()["predictions"])
                return None
            return reply

        reply = eventually(refused, seconds=30)
        assert reply.status_code == 503
        assert "log cannot be written" in reply.json()["error"]
        assert server.client.get("/health/live").status_code == 200
        assert server.client.get("/health/ready").status_code == 503
        filler.unlink()
        eventually(lambda: server.client.post("/predict", json={"features": SETOSA}).status_code == 200)
        assert server.client.get("/health/ready").status_code == 200
    with open_store(url) as store:
        assert set(store.predictions.get_many("iris", ids)) == set(ids)
