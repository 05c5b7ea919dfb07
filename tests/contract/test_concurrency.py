"""Many at once: processes that migrate, threads that reserve, take, release, label and deliver."""

from __future__ import annotations

import multiprocessing
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from modelwright.store.engine import open_store
from modelwright.store.errors import Superseded
from modelwright.store.repositories.predictions import log_lock
from modelwright.testing.factories import prediction, version

from .conftest import database_of

PROCESSES = 3


def together(count, work):
    """``work(number)`` in ``count`` threads that start at the same moment; their results."""
    gate = threading.Barrier(count)

    def run(number):
        gate.wait()
        return work(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


def reserve_in_process(url, gate, numbers):
    gate.wait(timeout=60)
    with closing(open_store(url)) as store:
        numbers.put([store.versions.reserve("iris") for _ in range(25)])


def test_processes_open_a_fresh_store_and_reserve_at_once(url):
    """All open it though it has no tables yet, and no number is given twice."""
    context = multiprocessing.get_context("spawn")
    gate, numbers = context.Barrier(PROCESSES), context.Queue()
    processes = [
        context.Process(target=reserve_in_process, args=(url, gate, numbers), daemon=True)
        for _ in range(PROCESSES)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(timeout=90)
    assert [process.exitcode for process in processes] == [0] * PROCESSES
    reserved = [number for _ in processes for number in numbers.get(timeout=10)]
    assert sorted(reserved) == list(range(1, 25 * PROCESSES + 1))


def test_threads_open_a_fresh_store_at_once(url):
    """The migration runs once, whoever comes first."""
    together(8, lambda _: open_store(url).close())
    with closing(open_store(url)) as store:
        store.ping()


def test_numbers_are_never_given_twice(store):
    """Threads that share a store get different numbers."""
    numbers = together(8, lambda _: [store.versions.reserve("iris") for _ in range(20)])
    assert sorted(number for given in numbers for number in given) == list(range(1, 161))


def test_a_job_is_taken_by_one(store):
    """However many workers ask at once, every job goes to exactly one of them."""
    added = {store.jobs.add("iris", trigger="manual", reason="").id for _ in range(5)}
    taken = together(8, lambda number: store.jobs.take("iris", f"w{number}", seconds=60))
    ids = [job.id for job in taken if job is not None]
    assert len(ids) == 5
    assert set(ids) == added
    for job in taken:
        assert job is None or store.jobs.get(job.id).lease_owner == job.lease_owner


def test_a_lease_is_won_by_one(store):
    """Out of many candidates one becomes the keeper."""
    won = together(8, lambda number: store.leases.acquire("keeper", f"k{number}", seconds=60))
    assert sum(won) == 1


def test_releases_line_up(store):
    """Releases at once are all kept, and the highest sequence is the one that is live."""
    store.versions.add(version(1))
    made = together(8, lambda number: store.releases.append("iris", 1, reason=f"{number}", actor="ann"))
    assert len({release.sequence for release in made}) == 8
    assert store.releases.current("iris") == max(made, key=lambda release: release.sequence)
    assert len(store.releases.list("iris")) == 8


def test_of_decisions_upon_one_release_one_is_made(store):
    """Two that drive the same rollout cannot both release what they decided."""
    store.versions.add(version(1))
    live = store.releases.append("iris", 1, reason="the first", actor="ann")

    def decided(number: int) -> bool:
        try:
            store.releases.append("iris", 1, reason=f"{number}", actor="loop", after=live.sequence)
        except Superseded:
            return False
        return True

    assert sum(together(8, decided)) == 1
    assert len(store.releases.list("iris")) == 2


def test_the_same_predictions_delivered_at_once_are_stored_once(store):
    """Several deliveries of overlapping batches add up to every row once, without a deadlock."""
    records = [prediction(f"p{number}", project=f"project {number % 3}") for number in range(300)]
    added = together(6, lambda number: store.predictions.add(records[:: 1 if number % 2 else -1]))
    assert sum(added) == 300
    assert sum(store.predictions.count(f"project {number}") for number in range(3)) == 300


def test_no_label_is_missed_however_it_meets_its_prediction(store):
    """Labels and predictions stored at the same moment end up together."""
    names = [f"p{number}" for number in range(40)]

    def work(number):
        for name in names:
            if number % 2:
                store.labels.add("iris", name, 1)
            else:
                store.predictions.add([prediction(name)])

    together(4, work)
    assert len(store.predictions.history("iris", labelled=True)) == 40
    assert list(store.predictions.history("iris", labelled=False)) == []


@pytest.mark.postgres
def test_a_label_waits_for_the_delivery_under_way(postgres_url):
    """Until a delivery is committed a label could not see its prediction, so it waits; so do deliveries."""
    database = database_of(postgres_url)
    with closing(open_store(postgres_url)) as store, ThreadPoolExecutor(1) as pool:
        with database.write() as connection:
            database.lock(connection, log_lock("iris"))
            label = pool.submit(store.labels.add, "iris", "a", 1)
            with pytest.raises(TimeoutError):
                label.result(timeout=0.3)
        assert label.result(timeout=30).target == 1
        with database.write() as connection:
            database.lock(connection, log_lock("iris"))
            delivery = pool.submit(store.predictions.add, [prediction("a")])
            with pytest.raises(TimeoutError):
                delivery.result(timeout=0.3)
        assert delivery.result(timeout=30) == 1
    database.engine.dispose()


def test_threads_migrate_different_databases_at_once(tmp_path):
    """What Alembic keeps in globals is not mixed up between them."""
    together(6, lambda number: open_store(path=tmp_path / f"{number}.db").close())
    for number in range(6):
        with closing(open_store(path=tmp_path / f"{number}.db", migrate=False)) as store:
            store.ping()


def test_a_lease_given_before_the_clock_went_back_still_ends(url, monkeypatch):
    """A dead holder's lease lasts no longer than its length from the first time another asks."""
    with closing(open_store(url)) as store:
        now = [1_000_000_000_000]
        monkeypatch.setattr(type(database_of(url)), "ticks", lambda database, connection: now[0])
        assert store.leases.acquire("keeper", "dead", seconds=30)
        job = store.jobs.add("iris", trigger="manual", reason="")
        store.jobs.take("iris", "dead", seconds=30)
        now[0] -= 3_600_000_000
        assert not store.leases.acquire("keeper", "heir", seconds=30)
        assert store.jobs.take("iris", "heir", seconds=30) is None
        now[0] += 31_000_000
        assert store.leases.acquire("keeper", "heir", seconds=30)
        assert store.jobs.take("iris", "heir", seconds=30).id == job.id
