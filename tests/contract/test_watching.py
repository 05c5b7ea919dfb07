"""Windows, states of monitors and thresholds set at run time, in every store."""

from __future__ import annotations

from datetime import timedelta

import pytest

from modelwright.store.errors import Unstorable
from modelwright.store.records import WindowRecord
from modelwright.testing.factories import NOON


def window(place, **changes):
    """A window that ended ``place`` minutes after noon."""
    until = NOON + timedelta(minutes=place)
    fields = {"project": "iris", "kind": "drift", "version": 1, "since": NOON, "until": until, "rows": 500}
    return WindowRecord(**{**fields, "data": {"place": place}, **changes})


def test_windows_are_listed_newest_first(store):
    """By kind, version and time, of one project; what was put in comes back with a sequence."""
    stored = [store.windows.add(window(place)) for place in range(3)]
    quality = store.windows.add(window(3, kind="quality", version=2, model="segment", data={"f1": None}))
    store.windows.add(window(4, project="fraud"))
    assert stored[0].sequence < stored[1].sequence < quality.sequence
    assert list(store.windows.list("iris")) == [quality, *stored[::-1]]
    assert list(store.windows.list("iris", kind="drift", limit=2)) == [stored[2], stored[1]]
    assert list(store.windows.list("iris", version=2)) == [quality]
    assert list(store.windows.list("iris", kind="drift", since=stored[1].until)) == [stored[2], stored[1]]


def test_windows_are_pruned_by_age_and_by_number_of_a_kind(store):
    """Many drift windows do not push out the few of quality."""
    for place in range(6):
        store.windows.add(window(place))
    store.windows.add(window(0, kind="quality"))
    store.windows.add(window(0, project="fraud"))
    assert store.windows.prune("iris") == 0
    assert store.windows.prune("iris", older_than=NOON + timedelta(minutes=2), keep=10) == 3
    assert store.windows.prune("iris", keep=2) == 2
    assert [each.data["place"] for each in store.windows.list("iris")] == [5, 4]
    assert len(store.windows.list("fraud")) == 1


def test_a_state_is_what_was_put_last(store):
    """By project and name, whatever characters are in it."""
    assert store.states.get("iris", "watch 1") is None
    for text in ("{}", 'a\x00é\ud800"' + "x" * 100_000):
        store.states.put("iris", "watch 1", text)
        assert store.states.get("iris", "watch 1") == text
    assert store.states.get("iris", "watch 2") is store.states.get("fraud", "watch 1") is None
    with pytest.raises(Unstorable, match="name of the state"):
        store.states.put("iris", "n" * 201, "")


def test_overrides_are_set_and_taken_back(store):
    """Each change leaves who and why, and an event; the others stay."""
    first = store.overrides.set(
        "iris", {"retrain.new_samples": 20, "retrain.every": "1d"}, actor="ann", reason="too often"
    )
    assert (first.kind, first.data["values"]) == (
        "settings",
        {"retrain.new_samples": 20, "retrain.every": "1d"},
    )
    assert first.message == "ann set retrain.every to 1d, retrain.new_samples to 20: too often"
    second = store.overrides.set(
        "iris", {"retrain.every": None, "retrain.new_samples": 30}, actor="", reason=""
    )
    assert (
        second.message == "Somebody set retrain.every back to the project file's, retrain.new_samples to 30"
    )
    assert store.overrides.get("iris") == {"retrain.new_samples": 30}
    (record,) = store.overrides.list("iris")
    assert (record.value, record.actor, record.time) == (30, "", second.time)
    assert list(store.events.list("iris", kind="settings")) == [second, first]
    assert store.overrides.get("fraud") == {}
    store.overrides.set("iris", {"retrain.every": None}, actor="ann", reason="")
    assert store.overrides.get("iris") == {"retrain.new_samples": 30}
