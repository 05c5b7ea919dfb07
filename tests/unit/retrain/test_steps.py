"""A job's steps, and that none is done twice whenever its process was killed."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from modelwright.bundle.read import BundleInvalid
from modelwright.monitor.due import due, new_rows
from modelwright.monitor.thresholds import effective
from modelwright.project.load import load
from modelwright.retrain.additions import additions
from modelwright.retrain.dataset import read_note
from modelwright.retrain.promotion import NothingToRollBack, former, roll_back, settle, waiting
from modelwright.retrain.steps import run_job
from modelwright.store.records import JobRecord, JobState
from unit.retrain.conftest import Served, rows

pytestmark = pytest.mark.slow


class Killed(BaseException):
    """Stands for SIGKILL: nothing in the product catches it."""


class Dying:
    """A store whose process dies when it is told to do one thing, before or after it is done."""

    def __init__(self, store: Any, at: str, *, after: bool) -> None:
        self._store = store
        self._at = at
        self._after = after

    def __getattr__(self, name: str) -> Any:
        repository = getattr(self._store, name)
        wanted, _, method = self._at.partition(".")
        return _Dying(repository, method, after=self._after) if name == wanted else repository


class _Dying:
    def __init__(self, repository: Any, method: str, *, after: bool) -> None:
        self._repository = repository
        self._method = method
        self._after = after

    def __getattr__(self, name: str) -> Any:
        real: Callable[..., Any] = getattr(self._repository, name)
        if name != self._method:
            return real

        def dying(*arguments: Any, **named: Any) -> Any:
            if self._after:
                real(*arguments, **named)
            raise Killed

        return dying


def taken(served: Served) -> JobRecord:
    served.store.jobs.add("shop", trigger="manual", reason="test")
    job = served.store.jobs.take("shop", "me", seconds=60)
    assert job is not None
    return job


def go(served: Served, job: JobRecord, store: Any = None) -> JobState:
    now = served.store.jobs.get(job.id)
    return run_job(served.project, served.settings, store or served.store, now)


def test_new_rows_become_a_version_that_meets_the_champion(served):
    """Samples are added to the base data, used once, judged on rows that neither learned from, and told."""
    served.give(rows(30, 1))
    job = taken(served)
    state = go(served, job)
    found = served.store.jobs.get(job.id)
    assert (found.state, found.version) == (state, 2)
    note = read_note(served.settings.work_dir, job.id)
    assert (note.base_rows, len(note.ids), len(note.samples)) == (200, 30, 30)
    assert served.store.samples.pending("shop") == 0
    (duel,) = served.store.events.list("shop", kind="duel")
    (told,) = served.store.events.list("shop", kind="duel_rows")
    ids = told.data["rows"]["model"]
    assert len(ids) == duel.data["models"]["model"]["rows"] >= 20
    assert any(id.startswith("sample:") for id in ids) and any(id.startswith("row:") for id in ids)
    pointer = served.project.directory / f"{note.source}.dvc"
    assert served.store.versions.get("shop", 2).dataset_md5 in pointer.read_text()
    assert not (served.settings.work_dir / "bundles" / "v3").exists()


POINTS = [
    ("events.add", False),  # the data are written, and nothing says so yet
    ("versions.add", True),  # the version is registered, and the job does not know it
    ("samples.mark_used", False),
    ("jobs.move", False),  # trained, not yet judged
    ("jobs.move", True),  # judged, no duel yet
    ("releases.append", False),  # won, not yet promoted
    ("releases.append", True),  # promoted, and the job does not know it
]


@pytest.mark.parametrize(("at", "after"), POINTS, ids=str)
def test_killed_anywhere_it_goes_on_and_does_nothing_twice(served, at, after):
    """One version, one duel, one release and every sample used once, wherever the process was killed."""
    served.again(proof="not_worse")
    served.give(rows(40, 2))
    job = taken(served)
    with pytest.raises(Killed):
        go(served, job, Dying(served.store, at, after=after))
    assert go(served, job) in {JobState.PROMOTED, JobState.REJECTED}
    found = served.store.jobs.get(job.id)
    assert [version.number for version in served.store.versions.list("shop")] == [found.version, 1]
    assert {sample.used_by_version for sample in served.store.samples.list("shop")} == {found.version}
    assert len(served.store.events.list("shop", kind="duel")) == 1
    released = [release.version for release in served.store.releases.list("shop")]
    assert released == ([found.version, 1] if found.state is JobState.PROMOTED else [1])
    assert found.state is JobState.PROMOTED


def test_poisoned_samples_do_not_replace_the_champion(served):
    """Many wrong labels make a worse model; the original rows that nobody learned from keep it out."""
    poison = [{**row, "label": "no" if row["label"] == "yes" else "yes"} for row in rows(150, 3)]
    served.give(poison)
    job = taken(served)
    assert go(served, job) is JobState.REJECTED
    assert served.store.releases.current("shop").version == 1
    (event,) = served.store.events.list("shop", kind="retrain_refused")
    assert event.data["reason"] == served.store.jobs.get(job.id).error
    assert "worse" in event.message


def test_samples_far_out_of_range_do_not_replace_the_champion(served):
    """Values no row ever had, with wrong labels, end in a refusal that says why; the service goes on."""
    far = [{**row, "size": 1e30, "label": "no" if row["label"] == "yes" else "yes"} for row in rows(150, 9)]
    served.give(far)
    job = taken(served)
    assert go(served, job) is JobState.REJECTED
    assert served.store.releases.current("shop").version == 1
    assert served.store.jobs.get(job.id).error


def test_of_one_client_only_so_many_rows_are_taken(served):
    """The newest of each client, so that one who sends a flood is no more than another."""
    for client, count in (("flood", 30), ("ann", 3)):
        for row in rows(count, 5):
            features = {name: row[name] for name in ("size", "colour", "flag")}
            served.store.samples.add("shop", features, row["label"], client=client)
    found = additions(served.store, "shop", per_client=5)
    assert Counter(addition.client for addition in found) == {"flood": 5, "ann": 3}
    sequences = [addition.sample for addition in additions(served.store, "shop")]
    assert [addition.sample for addition in found] == sequences[25:]
    assert len(additions(served.store, "shop")) == 33


def test_a_version_waits_for_a_person_where_the_project_says_so(served):
    """It does not answer until it is approved; then it does, and the job ends."""
    served.again(promotion="approval", proof="not_worse")
    served.give(rows(40, 2))
    job = taken(served)
    assert go(served, job) is JobState.JUDGED
    assert go(served, job) is JobState.JUDGED
    assert served.store.releases.current("shop").version == 1
    assert [each.id for each in waiting(served.store, "shop")] == [job.id]
    changed = settle(
        served.store, "shop", served.settings, version=None, approve=True, reason="ok", actor="ann"
    )
    assert (changed.release.version, changed.previous) == (2, 1)
    assert served.store.jobs.get(job.id).state is JobState.PROMOTED
    back = roll_back(served.store, "shop", served.settings, version=None, reason="no", actor="ann")
    assert (back.release.version, back.previous) == (1, 2)
    assert former(served.store, "shop") is None
    with pytest.raises(NothingToRollBack):
        roll_back(served.store, "shop", served.settings, version=None, reason="no", actor="ann")
    bundle = served.settings.work_dir / served.store.versions.get("shop", 2).bundle
    bundle.rename(bundle.with_name("elsewhere"))
    with pytest.raises(BundleInvalid, match="bundle of version 2 is gone"):
        roll_back(served.store, "shop", served.settings, version=2, reason="no", actor="ann")
    assert served.store.releases.current("shop").version == 1


def test_labels_of_predictions_are_taken_up_too(served):
    """A prediction whose truth came is a row of the next dataset version, under its own id."""
    from datetime import UTC, datetime

    from modelwright.store.records import PredictionRecord

    for number, row in enumerate(rows(12, 5)):
        served.store.predictions.add([
            PredictionRecord(id=f"p{number}", project="shop", version=1, time=datetime.now(UTC), status=200,
                             inputs={name: row[name] for name in ("size", "colour", "flag")}, outputs={})
        ])  # fmt: skip
        served.store.labels.add("shop", f"p{number}", row["label"])
    assert new_rows(served.store, "shop") == 12
    job = taken(served)
    go(served, job)
    assert set(read_note(served.settings.work_dir, job.id).ids) == {f"prediction:p{n}" for n in range(12)}
    assert new_rows(served.store, "shop") == 0
    text = json.dumps([event.data for event in served.store.events.list("shop", kind="retrain_data")])
    assert '"labels": 12' in text


def test_what_is_due(served):
    """Enough new rows are due, not within the cool-down, not while a job waits, not without a trigger."""
    project = served.project

    def wish(of=project):
        return due(effective(of), served.store, "shop")

    assert wish() is None
    served.give(rows(20, 6))
    assert wish().trigger == "new_samples" and "20" in wish().reason
    job = served.store.jobs.add("shop", trigger="manual", reason="test")
    assert wish() is None
    served.store.jobs.move(job.id, JobState.CANCELLED)
    assert wish() is None
    assert wish(served.again(cooldown="0.001")) is not None
    assert wish(served.again(new_samples=None, every="0.001")).trigger == "schedule"
    assert load(project.path).file.retrain.every == "0.001"
