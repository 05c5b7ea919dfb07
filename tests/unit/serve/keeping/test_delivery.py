"""Delivery: journals into a store, exactly once, whatever the store does."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from modelwright.serve.journal.entries import Context, Entry, Note
from modelwright.serve.journal.writer import JournalWriter
from modelwright.serve.keeping.delivery import Delivery, record_of
from modelwright.serve.wording import piece_of
from modelwright.store.errors import StoreUnavailable, Unstorable
from modelwright.store.records import PredictionRecord
from modelwright.testing.memory import MemoryStore

CONTEXT = Context(1, "iris", 4, ("a", "b"))
REPLY = (
    b'{"prediction":0,"prediction_name":"x","latency":0.1,'
    b'"prediction_id":"1","model_version":4,"warnings":[1]}'
)


class One:
    """The same store for every project."""

    def __init__(self, store: MemoryStore) -> None:
        self.store = store

    def of(self, project: str) -> MemoryStore:
        return self.store


def entry(id: str, **changes: Any) -> Entry:
    """An answered row."""
    made = Entry(1, id, False, 1_700_000_000_000_000, 200, [1.5, None], REPLY, 0.001, "me", "predict")
    for name, value in changes.items():
        setattr(made, name, value)
    return made


@pytest.fixture
def store() -> MemoryStore:
    """An empty store."""
    return MemoryStore()


@pytest.fixture
def writer(tmp_path: Path) -> JournalWriter:
    """A worker's journal."""
    writer = JournalWriter(tmp_path / "w", sync=False)
    writer.declare(CONTEXT)
    return writer


def delivery(writer: JournalWriter, store: Any) -> Delivery:
    """A delivery of all journals beside ``writer``'s, that holds the lock."""
    made = Delivery(writer.directory.parent, One(store))  # type: ignore[arg-type]
    assert made.holds_lock()
    return made


def test_an_entry_becomes_the_record_it_stands_for() -> None:
    """Values get their names, and what is not the answer leaves the answer."""
    record = record_of(entry("1"), {1: CONTEXT})
    assert record.inputs == {"a": 1.5, "b": None}
    assert record.outputs == {"prediction": 0, "prediction_name": "x"}
    assert record.warnings == (1,)
    assert (record.project, record.version, record.role, record.status) == ("iris", 4, "champion", 200)
    assert record.time.isoformat() == "2023-11-14T22:13:20+00:00"


def test_an_ordinary_answer_is_passed_on_as_it_is() -> None:
    """Its JSON is cut before what is not the answer, and says the same as if it had been read."""
    plain = piece_of(b'"prediction":0,"prediction_name":",\\"latency\\":"', 0.001, "1", 4)
    warned = piece_of(b'"prediction":0,"prediction_name":",\\"latency\\":"', 0.001, "1", 4, [{"input": "x"}])
    record = record_of(entry("1", reply=plain), {1: CONTEXT})
    assert isinstance(record.outputs, msgspec.Raw)
    assert msgspec.json.decode(record.outputs) == {"prediction": 0, "prediction_name": ',"latency":'}
    read = record_of(entry("1", reply=warned), {1: CONTEXT})
    assert (read.outputs, read.warnings) == (msgspec.json.decode(record.outputs), ({"input": "x"},))


def test_all_is_delivered_once_and_a_dead_worker_s_journal_goes_away(
    writer: JournalWriter, store: MemoryStore
) -> None:
    """A living worker's folder stays, a dead one's goes when nothing of it is left."""
    courier = delivery(writer, store)
    writer.append([entry("1"), entry("2"), Note("iris", "kind", "words", {})])
    assert courier.run_once() == 3
    assert courier.run_once() == 0
    assert writer.directory.exists()
    writer.append([entry("3")])
    writer.close()
    while courier.run_once():
        pass
    assert not writer.directory.exists()
    assert store.predictions.count("iris") == 3
    assert [event.message for event in store.events.list("iris", kind="kind")] == ["words"]


def test_what_comes_late_is_told_once_when_all_of_it_is_there(
    writer: JournalWriter, store: MemoryStore
) -> None:
    """One event says how many rows, and from when to when; what comes in time is no word worth."""
    courier = delivery(writer, store)
    fresh = int(time.time() * 1_000_000)
    writer.append([entry("1"), entry("2", time=1_700_000_060_000_000), entry("3", time=fresh)])
    while courier.run_once():
        pass
    (event,) = store.events.list("iris", kind="delivered_late")
    assert event.data == {
        "rows": 2, "since": "2023-11-14T22:13:20+00:00", "until": "2023-11-14T22:14:20+00:00"
    }  # fmt: skip
    writer.append([entry("4", time=int(time.time() * 1_000_000))])
    while courier.run_once():
        pass
    assert len(store.events.list("iris", kind="delivered_late")) == 1


def test_delivered_again_from_the_start_changes_nothing(writer: JournalWriter, store: MemoryStore) -> None:
    """A keeper that died after the store had it and before it took note repeats without harm."""
    writer.append([entry("1"), entry("2")])
    first = delivery(writer, store)
    first.run_once()
    first.close()
    second = delivery(writer, store)
    second.run_once()
    assert store.predictions.count("iris") == 2


def test_one_delivers_at_a_time(writer: JournalWriter, store: MemoryStore) -> None:
    """A second keeper waits for the first one's end."""
    first = delivery(writer, store)
    second = Delivery(writer.directory.parent, One(store))  # type: ignore[arg-type]
    assert not second.holds_lock()
    first.close()
    assert second.holds_lock()


def test_a_store_that_is_away_loses_nothing(
    writer: JournalWriter, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What could not be stored is delivered when it can."""
    courier = delivery(writer, store)
    writer.append([entry("1")])

    def away(records: Sequence[PredictionRecord]) -> int:
        raise StoreUnavailable("sqlite:///x", "is away.", "Wait.")

    with monkeypatch.context() as patched:
        patched.setattr(store.predictions, "add", away)
        with pytest.raises(StoreUnavailable):
            courier.run_once()
    courier.run_once()
    assert store.predictions.count("iris") == 1


def test_a_record_no_store_takes_is_set_aside_and_the_rest_goes_on(
    writer: JournalWriter, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a value that cannot be stored nor an entry without its context stops the log."""
    courier = delivery(writer, store)
    real = store.predictions.add

    def picky(records: Sequence[PredictionRecord]) -> int:
        if any(record.id == "bad" for record in records):
            raise Unstorable("A value cannot be stored.", "Store another.")
        return real(records)

    monkeypatch.setattr(store.predictions, "add", picky)
    writer.append([entry("1"), entry("bad"), entry("2"), entry("lost", context=9)])
    courier.run_once()
    assert store.predictions.count("iris") == 2
    aside = (writer.directory.parent / "set-aside.jsonl").read_text().splitlines()
    assert len(aside) == 2
    assert any('"bad"' in line for line in aside)
    assert courier.run_once() == 0
