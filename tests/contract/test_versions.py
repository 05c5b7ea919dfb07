"""Versions and releases, in every store."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import msgspec
import pytest

from modelwright.errors import ExitCode
from modelwright.schema.metrics import Metric
from modelwright.store.errors import Duplicate, NotServable, Superseded, UnknownVersion, Unstorable
from modelwright.store.records import Verdict
from modelwright.testing import factories


def test_numbers_count_from_one_in_each_project(store):
    """Every project has its own 1, 2, 3."""
    assert [store.versions.reserve("iris") for _ in range(3)] == [1, 2, 3]
    assert store.versions.reserve("fraud") == 1


def test_a_version_comes_back_as_it_was(store):
    """What was registered is what is read, to the last microsecond and float."""
    record = factories.version(1)
    store.versions.add(record)
    assert store.versions.get("iris", 1) == record
    assert store.versions.get("iris", 2) is None
    assert store.versions.get("fraud", 1) is None


def test_an_undefined_metric_comes_back_undefined(store):
    """A metric that has no value does not make its version unreadable."""
    metrics = {"roc_auc": Metric(float("nan"), float("-inf"), float("inf"))}
    store.versions.add(factories.version(1, metrics=metrics))
    assert repr(store.versions.get("iris", 1).metrics) == repr(metrics)


def test_a_taken_number_is_refused_and_the_first_stays(store):
    """Registering twice under a number raises Duplicate and changes nothing."""
    store.versions.add(factories.version(1))
    with pytest.raises(Duplicate, match="Version 1 of project 'iris'"):
        store.versions.add(factories.version(1, estimator="ridge"))
    assert store.versions.get("iris", 1).estimator == "logistic_regression"


def test_a_number_in_use_is_never_reserved(store):
    """A version that was added without a reservation moves the counter on."""
    store.versions.add(factories.version(7))
    assert store.versions.reserve("iris") == 8


def test_numbers_can_be_counted_from_a_later_one_and_never_back(store):
    """A fresh store goes on where another ended; what was counted already stays counted."""
    store.versions.count_from("iris", 5)
    assert store.versions.reserve("iris") == 5
    store.versions.count_from("iris", 3)
    assert store.versions.reserve("iris") == 6
    assert store.versions.reserve("fraud") == 1


def test_versions_are_listed_newest_first(store):
    """The latest is the highest number, whatever the order of arrival."""
    for number in (2, 3, 1):
        store.versions.add(factories.version(number))
    store.versions.add(factories.version(1, project="fraud"))
    assert [version.number for version in store.versions.list("iris")] == [3, 2, 1]
    assert [version.number for version in store.versions.list("iris", limit=2)] == [3, 2]
    assert store.versions.latest("iris").number == 3
    assert store.versions.latest("nothing") is None
    assert list(store.versions.projects()) == ["fraud", "iris"]


def test_a_fingerprint_finds_its_newest_version(store):
    """The same inputs trained twice give the newer one; other projects do not count."""
    for number, fingerprint in ((1, "same"), (2, "same"), (3, "other")):
        store.versions.add(factories.version(number, fingerprint=fingerprint))
    store.versions.add(factories.version(9, project="fraud", fingerprint="same"))
    assert store.versions.by_fingerprint("iris", "same").number == 2
    assert store.versions.by_fingerprint("iris", "none") is None


def test_times_of_any_zone_are_kept_as_the_same_instant(store):
    """A time in another zone is the same moment in UTC."""
    created = datetime(2026, 1, 2, 23, 30, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    store.versions.add(factories.version(1, created=created))
    read = store.versions.get("iris", 1).created
    assert read == created
    assert read.tzinfo is UTC


def test_a_time_without_zone_is_refused(store):
    """Nobody has to guess what a time means."""
    with pytest.raises(Unstorable, match="no time zone"):
        store.versions.add(factories.version(1, created=datetime(2026, 1, 2)))
    assert store.versions.latest("iris") is None


def test_too_long_a_name_is_refused(store):
    """A name that PostgreSQL could not index is refused everywhere alike."""
    with pytest.raises(Unstorable, match="project name"):
        store.versions.reserve("x" * 300)


def test_a_release_makes_a_version_current(store):
    """The newest release is live, and carries what a server needs to load it."""
    for number in (1, 2):
        store.versions.add(factories.version(number))
    first = store.releases.append("iris", 1, reason="the first", actor="ann")
    second = store.releases.append("iris", 2, reason="better", actor="ann", settings={"canary": 0.1})
    assert store.releases.current("iris") == second
    assert second.sequence > first.sequence
    assert (second.bundle, second.content_hash) == ("bundles/v2", "content-2")
    assert second.settings == {"canary": 0.1}
    back = store.releases.append("iris", 1, reason="roll back", actor="ann")
    assert list(store.releases.list("iris")) == [back, second, first]
    assert list(store.releases.list("iris", limit=1)) == [back]
    assert store.releases.current("fraud") is None


def test_a_rejected_version_is_never_released(store):
    """NotServable tells the gate's reasons, and what was live stays live."""
    store.versions.add(factories.version(1))
    live = store.releases.append("iris", 1, reason="the first", actor="ann")
    rejected = factories.decision(Verdict.REJECTED, "f1 is 0.4, the floor is 0.95.")
    store.versions.add(factories.version(2, decision=rejected))
    with pytest.raises(NotServable) as refused:
        store.releases.append("iris", 2, reason="please", actor="ann")
    assert refused.value.details == ("f1 is 0.4, the floor is 0.95.",)
    assert refused.value.code is ExitCode.REJECTED
    assert store.releases.current("iris") == live


def test_a_release_that_was_decided_upon_an_older_one_is_not_made(store):
    """``after`` names what was live when it was decided; if that changed, nothing is written."""
    for number in (1, 2):
        store.versions.add(factories.version(number))
    first = store.releases.append("iris", 1, reason="the first", actor="ann")
    second = store.releases.append("iris", 2, reason="better", actor="loop", after=first.sequence)
    with pytest.raises(Superseded, match=f"release {second.sequence} came after {first.sequence}"):
        store.releases.append("iris", 1, reason="late", actor="loop", after=first.sequence)
    assert list(store.releases.list("iris")) == [second, first]
    with pytest.raises(Superseded):
        store.releases.append("fraud", 1, reason="none there", actor="loop", after=first.sequence)


def test_an_unknown_version_is_never_released(store):
    """UnknownVersion names the newest version there is."""
    with pytest.raises(UnknownVersion, match="no version yet"):
        store.releases.append("iris", 1, reason="", actor="ann")
    store.versions.add(factories.version(3))
    with pytest.raises(UnknownVersion, match="its newest version is 3"):
        store.releases.append("iris", 4, reason="", actor="ann")
    assert list(store.releases.list("iris")) == []


def test_names_may_hold_anything(store):
    """Quotes, wildcards, other scripts, U+0000 and lone surrogates are just characters."""
    for project in ("a'b\"c", "50%_\\", "日本 🌸", "nul\x00and\x1a0041", "half \ud800", ""):
        record = factories.version(1, project=project, estimator=f"<{project}>")
        store.versions.add(record)
        assert store.versions.get(project, 1) == record
        assert store.versions.reserve(project) == 2
        assert store.releases.append(project, 1, reason=project, actor=project).reason == project
        assert store.releases.current(project).project == project


def test_records_are_values(store):
    """Changing what was given or read does not change what is stored."""
    environment = {"python": "3.11"}
    store.versions.add(factories.version(1, environment=environment))
    environment["python"] = "2.7"
    store.versions.get("iris", 1).environment["python"] = "1.5"
    assert store.versions.get("iris", 1).environment == {"python": "3.11"}
    assert msgspec.structs.astuple(store.versions.get("iris", 1))
