"""Samples, jobs, events, leases and keys, in every store."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from modelwright.store.errors import Duplicate, IllegalMove, UnknownJob
from modelwright.store.records import JobState
from modelwright.testing.factories import NOON, api_key

LONG = 60.0
SHORT = 0.05


def test_samples_are_taken_oldest_first_until_used(store):
    """Taking does not consume; marking does, and the first version to use one stays on record."""
    samples = [store.samples.add("iris", {"x": number}, number, client="ann") for number in range(4)]
    assert list(store.samples.take("iris")) == samples
    assert list(store.samples.take("iris", limit=2)) == samples[:2]
    assert store.samples.pending("iris") == 4
    store.samples.mark_used("iris", [samples[0].sequence, samples[2].sequence], 5)
    store.samples.mark_used("iris", [samples[0].sequence], 6)
    assert list(store.samples.take("iris")) == [samples[1], samples[3]]
    assert [(each.sequence, each.used_by_version) for each in store.samples.list("iris")] == [
        (sample.sequence, used) for sample, used in zip(samples, (5, None, 5, None), strict=True)
    ]
    assert list(store.samples.list("fraud")) == []
    assert store.samples.pending("iris") == 2
    store.samples.mark_used("fraud", [samples[1].sequence], 1)
    store.samples.mark_used("iris", [], 1)
    assert store.samples.pending("iris") == 2
    assert store.samples.pending("fraud") == 0


def test_the_oldest_waiting_job_is_taken_once(store):
    """A job that is leased is nobody else's."""
    first = store.jobs.add("iris", trigger="manual", reason="ann asked", settings={"trials": 3})
    second = store.jobs.add("iris", trigger="drift", reason="psi of x is 0.3")
    assert store.jobs.get(first.id) == first
    assert (first.state, first.settings) == (JobState.QUEUED, {"trials": 3})
    taken = store.jobs.take("iris", "w1", seconds=LONG)
    assert (taken.id, taken.state, taken.lease_owner) == (first.id, JobState.TRAINING, "w1")
    assert taken.lease_until > taken.created
    assert store.jobs.get(first.id) == taken
    assert store.jobs.take("iris", "w2", seconds=LONG).id == second.id
    assert store.jobs.take("iris", "w3", seconds=LONG) is None
    assert store.jobs.take("fraud", "w3", seconds=LONG) is None
    assert [job.id for job in store.jobs.list("iris")] == [second.id, first.id]
    assert len(store.jobs.list("iris", limit=1)) == 1
    assert store.jobs.get("none") is None


def test_a_job_is_made_only_where_none_is_open(store):
    """However often it is asked for: the open one is told, until it ended or waits for a person."""
    first, made = store.jobs.add_alone("iris", trigger="drift", reason="x moved", settings={"a": 1})
    assert (made, first.trigger, first.settings) == (True, "drift", {"a": 1})
    assert store.jobs.add_alone("iris", trigger="manual", reason="") == (first, False)
    assert store.jobs.add_alone("fraud", trigger="manual", reason="")[1]
    store.jobs.take("iris", "w1", seconds=LONG)
    store.jobs.move(first.id, JobState.JUDGED)
    assert not store.jobs.add_alone("iris", trigger="manual", reason="")[1]
    second, made = store.jobs.add_alone("iris", trigger="manual", reason="", besides=[first.id])
    assert made and second.id != first.id
    with ThreadPoolExecutor(8) as pool:
        told = list(
            pool.map(lambda n: store.jobs.add_alone("titanic", trigger="t", reason=str(n)), range(16))
        )
    assert sum(made for _, made in told) == 1
    assert len({job.id for job, _ in told}) == 1


def test_a_job_whose_lease_ran_out_goes_to_another(store):
    """A dead worker's job is taken over, and the dead one has lost it."""
    job = store.jobs.add("iris", trigger="manual", reason="")
    store.jobs.take("iris", "dead", seconds=SHORT)
    time.sleep(2 * SHORT)
    assert store.jobs.take("iris", "heir", seconds=LONG).id == job.id
    assert not store.jobs.renew(job.id, "dead", seconds=LONG)
    assert store.jobs.renew(job.id, "heir", seconds=LONG, progress=0.5)
    assert store.jobs.get(job.id).progress == 0.5


def test_renewing_keeps_a_job(store):
    """A lease that is renewed in time is not taken over."""
    job = store.jobs.add("iris", trigger="manual", reason="")
    store.jobs.take("iris", "w1", seconds=1)  # a busy machine must be able to renew it in that time
    assert store.jobs.renew(job.id, "w1", seconds=LONG)
    time.sleep(1.1)
    assert store.jobs.take("iris", "w2", seconds=LONG) is None
    assert not store.jobs.renew("none", "w1", seconds=LONG)


def test_a_job_moves_only_as_it_may(store):
    """Legal moves are written with version and error; others name what would be legal."""
    job = store.jobs.add("iris", trigger="manual", reason="")
    with pytest.raises(IllegalMove, match="is queued and cannot become promoted"):
        store.jobs.move(job.id, JobState.PROMOTED)
    store.jobs.take("iris", "w1", seconds=LONG)
    judged = store.jobs.move(job.id, JobState.JUDGED, version=4)
    assert (judged.version, judged.lease_owner) == (4, "w1")
    assert store.jobs.renew(job.id, "w1", seconds=LONG)
    done = store.jobs.move(job.id, JobState.PROMOTED)
    assert (done.version, done.lease_owner, done.lease_until) == (4, "", None)
    assert store.jobs.get(job.id) == done
    assert done.updated >= judged.updated
    with pytest.raises(IllegalMove, match="its last state"):
        store.jobs.move(job.id, JobState.QUEUED)
    with pytest.raises(UnknownJob):
        store.jobs.move("none", JobState.FAILED)


def test_a_cancelled_job_is_lost_to_its_worker(store):
    """The worker learns of it when it renews; a job put back may be taken again."""
    job = store.jobs.add("iris", trigger="manual", reason="")
    store.jobs.take("iris", "w1", seconds=LONG)
    store.jobs.move(job.id, JobState.QUEUED, error="interrupted")
    again = store.jobs.take("iris", "w2", seconds=LONG)
    assert (again.id, again.error) == (job.id, "interrupted")
    store.jobs.move(job.id, JobState.CANCELLED)
    assert not store.jobs.renew(job.id, "w2", seconds=LONG)
    assert store.jobs.take("iris", "w3", seconds=LONG) is None


def test_events_are_listed_newest_first_and_by_kind(store):
    """What happened last comes first."""
    first = store.events.add("iris", "promotion", "v1 is champion", {"version": 1})
    second = store.events.add("iris", "alarm", "psi of x is 0.3")
    store.events.add("fraud", "alarm", "elsewhere")
    assert list(store.events.list("iris")) == [second, first]
    assert list(store.events.list("iris", kind="promotion")) == [first]
    assert list(store.events.list("iris", limit=1)) == [second]
    assert (first.data, second.data) == ({"version": 1}, {})


def test_a_lease_has_one_holder(store):
    """Others wait until it is given back; only the holder can give it back; names are apart."""
    assert store.leases.acquire("keeper", "a", seconds=LONG)
    assert store.leases.acquire("keeper", "a", seconds=LONG)
    assert not store.leases.acquire("keeper", "b", seconds=LONG)
    assert store.leases.acquire("other", "b", seconds=LONG)
    store.leases.release("keeper", "b")
    assert not store.leases.acquire("keeper", "b", seconds=LONG)
    store.leases.release("keeper", "a")
    assert store.leases.acquire("keeper", "b", seconds=LONG)


def test_a_lease_that_ran_out_is_free(store):
    """A holder that died is followed by another, and then is not the holder any more."""
    assert store.leases.acquire("keeper", "dead", seconds=SHORT)
    time.sleep(2 * SHORT)
    assert store.leases.acquire("keeper", "heir", seconds=LONG)
    assert not store.leases.acquire("keeper", "dead", seconds=LONG)


def test_keys_are_found_by_id(store):
    """Case counts as it is written; the oldest is listed first."""
    one = api_key("Ab_1", expires=NOON + timedelta(days=1))
    two = api_key("abX1", created=NOON - timedelta(days=1), scopes=())
    for record in (one, two):
        store.keys.add(record)
    assert store.keys.get("Ab_1") == one
    assert store.keys.get("ab_1") is None
    assert list(store.keys.list()) == [two, one]
    with pytest.raises(Duplicate, match="'Ab_1'"):
        store.keys.add(one)


def test_a_revoked_key_stays_on_record(store):
    """Revoking notes the time, once."""
    store.keys.add(api_key("k1"))
    assert store.keys.revoke("k1")
    revoked = store.keys.get("k1").revoked
    assert revoked is not None
    assert not store.keys.revoke("k1")
    assert not store.keys.revoke("k2")
    assert store.keys.get("k1").revoked == revoked


def test_a_store_answers(store):
    """Ping is silent where all is well, again and again."""
    store.ping()
    store.ping()
    assert list(store.versions.projects()) == []
