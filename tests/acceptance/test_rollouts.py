"""A version that won its duel is brought in by a real server's keeper, whoever is killed meanwhile."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from sklearn.datasets import load_iris
from sklearn.tree import DecisionTreeClassifier

from modelwright.monitor.due import WAITING
from modelwright.monitor.rollout import Mode
from modelwright.store.records import JobState
from serving import (
    IRIS,
    PROJECT,
    Server,
    eventually,
    release,
    stored,
    write_iris_bundle,
    write_numeric_bundle,
)
from unit.monitor.test_releasing import PLAN

pytestmark = pytest.mark.slow
DATA = load_iris()
QUICK = msgspec.structs.replace(
    PLAN,
    shadow=msgspec.structs.replace(PLAN.shadow, seconds=0.5, labels=40),
    canary=msgspec.structs.replace(PLAN.canary, seconds=0.5, answers=10, by="request", shares=(0.3, 1.0)),
    watch=msgspec.structs.replace(PLAN.watch, seconds=600.0),
)


@pytest.fixture(scope="module")
def bundles(tmp_path_factory) -> Path:
    """Three versions: 1 and 2 are good, 3 knows two species only."""
    work_dir = tmp_path_factory.mktemp("rollouts") / ".modelwright"
    release(work_dir, 3, write_numeric_bundle(
        work_dir / "bundles" / "v3", DecisionTreeClassifier(max_depth=1), IRIS, DATA.data, DATA.target,
        number=3, labels=(0, 1, 2), label_names=("setosa", "versicolor", "virginica"),
    ))  # fmt: skip
    release(work_dir, 2, write_iris_bundle(work_dir / "bundles" / "v2", number=2, seed=7))
    release(work_dir, 1, write_iris_bundle(work_dir / "bundles" / "v1"))
    return work_dir


@pytest.fixture
def project(bundles: Path, tmp_path: Path) -> Path:
    import shutil

    (tmp_path / "project.yaml").write_text(PROJECT)
    shutil.copytree(bundles, tmp_path / ".modelwright")
    return tmp_path


class Ask:
    """A client that asks for flowers and tells their species."""

    def __init__(self, server: Server) -> None:
        self._client = server.client
        self.answered: list[int] = []
        self._row = 0

    def __call__(self, count: int = 5) -> None:
        for _ in range(count):
            self._row = (self._row + 7) % 150
            with contextlib.suppress(httpx.TransportError):  # a killed server is away for a moment
                body = {"features": DATA.data[self._row].tolist()}
                reply = self._client.post("/predict", json=body)
                assert reply.status_code == 200, reply.text
                answer = reply.json()
                self.answered.append(answer["model_version"])
                told = {"prediction_id": answer["prediction_id"], "target": int(DATA.target[self._row])}
                assert self._client.post("/feedback", json=told).status_code in {201, 202}


def won(store: Any, version: int, mode: Mode, champion: int) -> str:
    """What a retraining leaves behind whose version won its duel."""
    job = store.jobs.add("iris", trigger="manual", reason="test")
    store.jobs.take("iris", "w", seconds=60)
    store.jobs.move(job.id, JobState.JUDGED, version=version)
    plan = msgspec.to_builtins(msgspec.structs.replace(QUICK, mode=mode))
    told = {"job": job.id, "version": version, "champion": champion, "for": mode.value, "plan": plan}
    store.events.add("iris", WAITING, "won", told)
    return str(job.id)


@contextlib.contextmanager
def served(project: Path) -> Iterator[tuple[Server, Any, Ask]]:
    with Server("--workers", "1", cwd=project) as server, stored(project / ".modelwright") as store:
        yield server, store, Ask(server)


def asking(ask: Ask, look: Callable[[], Any]) -> Any:
    """Ask until ``look`` finds something."""

    def asked() -> Any:
        ask()
        return look()

    return eventually(asked, seconds=60)


def test_a_canary_grows_under_traffic_and_a_mistake_is_taken_back(project):
    """Version 2 gets its shares and is promoted; version 3, promoted for once unwisely, is taken back."""
    with served(project) as (_, store, ask):
        job = won(store, 2, Mode.CANARY, 1)
        asking(ask, lambda: store.releases.current("iris").version == 2)
        assert eventually(lambda: store.jobs.get(job).state is JobState.PROMOTED)
        shares = [
            r.settings["canary"]["share"] for r in store.releases.list("iris") if "canary" in r.settings
        ]
        assert shares == [1.0, 0.3]
        assert {1, 2} <= set(ask.answered)
        stage = store.releases.current("iris").settings["rollout"]
        stage = {**stage, "version": 3, "before": 2}
        store.releases.append("iris", 3, reason="by mistake", actor="test", settings={"rollout": stage})
        asking(ask, lambda: store.releases.current("iris").version == 2)
        (event,) = eventually(lambda: store.events.list("iris", kind="rolled_back"))
        assert "accuracy" in event.message
        asking(ask, lambda: ask.answered[-5:] == [2] * 5)


def test_a_worse_version_never_answers_alone(project):
    """In its shadow time version 3 is found to be worse; nobody ever got an answer of it."""
    with served(project) as (_, store, ask):
        job = won(store, 3, Mode.SHADOW, 1)
        asking(ask, lambda: store.jobs.get(job).state is JobState.REJECTED)
        assert "worse by" in store.jobs.get(job).error
        assert set(ask.answered) == {1}
        assert store.releases.current("iris").settings == {}


@pytest.mark.parametrize("victim", ["keeper", "server"])
def test_killed_in_the_middle_the_rollout_goes_on(project, victim):
    """SIGKILL of the keeper, or of the whole server, at each step: one champion, and no step twice."""
    server = Server("--workers", "1", cwd=project)
    try:
        with stored(project / ".modelwright") as store:
            won(store, 2, Mode.CANARY, 1)
            ask = Ask(server)
            for share in (0.3, 1.0):
                asking(ask, lambda share=share: share in _shares(store))
                server = _killed(server, victim, project)
                ask = Ask(server)
            asking(ask, lambda: store.releases.current("iris").version == 2)
            eventually(lambda: store.events.list("iris", kind="promoted"))
            assert [r.version for r in store.releases.list("iris")][:4] == [2, 1, 1, 1]
            told = [e.data["release"] for e in store.events.list("iris", kind="rollout")]
            assert len(told) == len(set(told))
            assert len(store.events.list("iris", kind="promoted")) == 1
    finally:
        server.client.close()
        server.stop()


def _shares(store: Any) -> list[float]:
    return [r.settings["canary"]["share"] for r in store.releases.list("iris") if "canary" in r.settings]


def _killed(server: Server, victim: str, project: Path) -> Server:
    if victim == "keeper":
        (keeper,) = server.children("keeper")
        os.kill(keeper, signal.SIGKILL)
        return server
    for pid in (server.process.pid, *server.children("worker"), *server.children("keeper")):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    server.client.close()
    server.stop()
    return Server("--workers", "1", cwd=project)
