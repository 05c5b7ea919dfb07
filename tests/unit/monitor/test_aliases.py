"""That MLflow's aliases lag is known, told and tried again, wherever somebody looks from."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta

import pytest

from modelwright.monitor import aliases
from modelwright.monitor.aliases import Follower, followed, lag
from modelwright.store import clock
from modelwright.testing import factories
from modelwright.testing.memory import MemoryStore


@pytest.fixture
def store() -> Iterator[MemoryStore]:
    """Versions 1 and 2, of which 1 answers and MLflow knows it."""
    with closing(MemoryStore()) as store:
        for number in (1, 2):
            store.versions.reserve("iris")
            store.versions.add(factories.version(number))
        followed(store, store.releases.append("iris", 1, reason="first", actor="ann"))
        yield store


@pytest.fixture
def started(monkeypatch) -> list[str]:
    """Files of the projects for which a process was started."""
    files: list[str] = []

    class Done:
        def poll(self) -> int:
            return 0

        def wait(self, _: float) -> int:
            return 0

    monkeypatch.setattr(aliases, "start", lambda file, **_: files.append(file) or Done())
    return files


def looking(store, monkeypatch, *, able: bool) -> Follower:
    monkeypatch.setattr(aliases, "can_follow", lambda: able)
    monkeypatch.setattr(aliases, "_LOOK", 0.0)
    return Follower(store, "iris", project_file="project.yaml", work_dir="w", store_url="sqlite:///x")


def test_a_lag_is_what_answers_and_is_not_named(store):
    """Another champion, or a version beside it, lags; the same released again does not."""
    assert lag(store, "iris") is None
    store.releases.append("iris", 1, reason="again", actor="ann")
    assert lag(store, "iris") is None
    store.releases.append("iris", 1, reason="x", actor="bob", settings={"shadow": {"version": 2}})
    assert "'challenger' names no version; version 2 is brought in" in lag(store, "iris").sentence
    store.releases.append("iris", 2, reason="better", actor="bob")
    assert "'champion' names version 1; version 2 answers" in lag(store, "iris").sentence
    assert lag(store, "unknown") is None


def test_what_mlflow_never_heard_of_does_not_lag():
    """A version that came as a package has no run; one that was trained has."""
    with closing(MemoryStore()) as store:
        for number, run in ((1, ""), (2, "run-2")):
            store.versions.reserve("iris")
            store.versions.add(factories.version(number, run_id=run))
        store.releases.append("iris", 1, reason="adopted", actor="ann")
        assert lag(store, "iris") is None
        store.releases.append("iris", 2, reason="trained", actor="ann")
        assert lag(store, "iris") is not None


def test_a_failure_is_told_once_and_tried_less_and_less(store, started, monkeypatch):
    """The same reason is one event; the next try waits, but not for another release."""
    follower = looking(store, monkeypatch, able=True)
    live = store.releases.append("iris", 2, reason="better", actor="ann")
    follower.look()
    for _ in range(3):
        aliases.failed(store, live, "the tracking server is away")
    follower.look()
    assert len(started) == 1
    assert len(store.events.list("iris", kind="alias")) == 1
    known = aliases.told(store, "iris")
    assert known.attempts == 3 and known.again - clock.now() > timedelta(seconds=100)
    store.releases.append("iris", 2, reason="x", actor="ann", settings={"canary": {"version": 1}})
    follower.look()
    assert len(started) == 2
    followed(store, store.releases.current("iris"))
    assert store.events.list("iris", limit=1)[0].kind == "alias_over"
    follower.look()
    assert len(started) == 2


def test_a_server_without_mlflow_tells_what_it_cannot_do(store, started, monkeypatch):
    """After a while, once; and where MLflow is installed somebody still follows at once."""
    store.releases.append("iris", 2, reason="better", actor="dashboard")
    small = looking(store, monkeypatch, able=False)
    small.look()
    assert not store.events.list("iris", kind="alias"), "another host may be at it"
    monkeypatch.setattr(aliases, "_PATIENCE", -1.0)
    small.look()
    small.look()
    assert [event.data["reason"] for event in store.events.list("iris", kind="alias")] == [
        aliases.NOT_INSTALLED
    ]
    assert not started
    looking(store, monkeypatch, able=True).look()
    assert len(started) == 1


def test_a_state_of_another_release_of_the_product_is_no_obstacle(store):
    """What cannot be read counts as never told, so the aliases are set anew."""
    store.states.put("iris", "aliases", '{"release": "three"}')
    assert lag(store, "iris") is not None
