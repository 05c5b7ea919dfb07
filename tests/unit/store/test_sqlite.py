"""How the file is opened."""

from __future__ import annotations

import multiprocessing
import os
import signal
from contextlib import closing, suppress

import pytest
from sqlalchemy import text

from modelwright.store.engine import open_store
from modelwright.store.errors import StoreNotWritable
from modelwright.store.sqlite import open_sqlite
from modelwright.testing.factories import predictions


def test_a_commit_survives_a_power_cut(tmp_path):
    """Write-ahead log, synced at every commit, foreign keys held."""
    file = tmp_path / "store.db"
    open_store(path=file).close()
    database = open_sqlite(file, create=False)
    with database.read() as connection:
        assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"
        assert connection.execute(text("PRAGMA synchronous")).scalar() == 2
        assert connection.execute(text("PRAGMA foreign_keys")).scalar() == 1
    database.engine.dispose()


def test_closing_leaves_one_file(tmp_path):
    """The log is folded in, so that the file can be copied."""
    with closing(open_store(path=tmp_path / "store.db")) as store:
        store.ping()
    assert [path.name for path in tmp_path.iterdir()] == ["store.db"]


def _deliver_until_killed(path, told):
    store, rows = open_store(path=path), predictions(100_000)
    for number, start in enumerate(range(0, 100_000, 100)):
        store.predictions.add(rows[start : start + 100])
        told.send(number + 1)


def test_a_killed_writer_leaves_whole_batches(tmp_path):
    """What was acknowledged before kill -9 is there; no batch is there in part."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_deliver_until_killed, args=(tmp_path / "store.db", there))
    process.start()
    acknowledged = 0
    while acknowledged < 5:
        acknowledged = here.recv()
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    there.close()
    with suppress(EOFError):
        while True:
            acknowledged = here.recv()
    with closing(open_store(path=tmp_path / "store.db")) as store:
        count = store.predictions.count("iris")
    assert count % 100 == 0
    assert count >= acknowledged * 100


def test_a_store_that_nobody_may_change_can_be_read(tmp_path, monkeypatch):
    """In a read-only folder what is stored is told and writing is refused in words; nothing appears."""
    path = tmp_path / "store.db"
    with open_store(path=path) as store:
        store.events.add("iris", "noted", "Something.", {})
    access = os.access
    monkeypatch.setattr(os, "access", lambda place, mode: mode != os.W_OK and access(place, mode))
    with open_store(path=path) as store:
        assert [event.kind for event in store.events.list("iris")] == ["noted"]
        with pytest.raises(StoreNotWritable, match=r"can only be read.*MODELWRIGHT_WORK_DIR"):
            store.events.add("iris", "noted", "More.", {})
    assert [file.name for file in tmp_path.iterdir()] == ["store.db"]
