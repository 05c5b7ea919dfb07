"""Which threshold holds, who said so, and what may be set while a service runs."""

from __future__ import annotations

import pytest

from modelwright.monitor.thresholds import (
    ThresholdInvalid,
    change,
    effective,
    effective_of,
    read_value,
)
from modelwright.project.load import load
from modelwright.testing.memory import MemoryStore

FILE = """\
name: iris
data: {source: iris.csv, target: species}
monitor: {window: 200}
retrain:
  new_samples: 10
  quality: {f1: 0.9}
"""


@pytest.fixture
def file(tmp_path):
    """A project's file."""
    path = tmp_path / "project.yaml"
    path.write_text(FILE)
    return str(path)


def sources(found):
    return {entry.name: (entry.value, entry.source) for entry in found.entries}


def test_the_project_file_holds_until_something_is_set(file):
    """Each value says where it is from: the file with its line, or the default."""
    found = effective(load(file))
    told = sources(found)
    assert told["retrain.new_samples"] == (10, "project.yaml:5")
    assert told["retrain.quality.f1"] == (0.9, "project.yaml:6")
    assert told["retrain.cooldown"] == ("1h", "default")
    assert told["monitor.window"] == (200, "project.yaml:3")
    assert (found.quality_window, found.floors) == (200, {"f1": 0.9})


def test_what_is_set_holds_and_says_who_set_it(file):
    """Set, seen everywhere, taken back; the file's other values stay."""
    store = MemoryStore()
    values = {"retrain.new_samples": 25, "retrain.quality.accuracy": 0.8, "retrain.quality.window": 50}
    found, event = change(store, "iris", file, values, actor="ann", reason="too often")
    assert found == effective_of(store, "iris", file)
    assert (found.retrain.new_samples, found.floors, found.quality_window) == (
        25, {"f1": 0.9, "accuracy": 0.8}, 50,
    )  # fmt: skip
    value, source = sources(found)["retrain.new_samples"]
    assert (value, source[:15], source[-11:]) == (25, "set by ann on 2", ": too often")
    assert event.kind == "settings"
    back, _ = change(store, "iris", file, dict.fromkeys(values), actor="ann", reason="")
    assert back.entries == effective(load(file)).entries


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("retrain.new_sample", 3, "no threshold 'retrain.new_sample'"),
        ("retrain.new_samples", 0, "greater than or equal to 1"),
        ("retrain.new_samples", "many", "cannot be 'many'"),
        ("retrain.new_samples", True, "cannot be True"),
        ("retrain.new_samples", "50", "cannot be '50'"),
        ("retrain.on_drift", 1, "cannot be 1"),
        ("retrain.every", 1e300, "longer than a hundred years"),
        ("retrain.cooldown", "soon", "not a length of time"),
        ("retrain.quality.rmse", 3, "no metric 'rmse'"),
        ("retrain.quality.window", 3, "a window of 3 rows"),
        ("monitor.window", 300, "cannot be set while the service runs"),
        ("monitor.drift.psi", -1, "greater than 0"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_set(file, name, value, told):
    """The name or value is told, and no part of the change is made."""
    store = MemoryStore()
    with pytest.raises(ThresholdInvalid, match=told):
        change(store, "iris", file, {"retrain.every": "1d", name: value}, actor="ann", reason="")
    assert store.overrides.get("iris") == {}
    assert list(store.events.list("iris")) == []


def test_an_override_that_the_file_outgrew_is_left_out(file):
    """What was set for another task's metric neither holds nor stops anything."""
    store = MemoryStore()
    store.overrides.set("iris", {"retrain.quality.rmse": 3.0, "retrain.every": "1d"}, actor="", reason="")
    found = effective_of(store, "iris", file)
    assert found.floors == {"f1": 0.9}
    assert found.retrain.every == "1d"


def test_a_bundle_alone_has_the_defaults():
    """Without a project file thresholds are the defaults, and may be set."""
    store = MemoryStore()
    assert effective_of(store, "iris", "").retrain.new_samples is None
    found, _ = change(store, "iris", "", {"monitor.drift.psi": 0.3}, actor="", reason="")
    assert found.monitor.drift.psi == 0.3


def test_values_are_read_as_people_type_them():
    """Numbers, words for yes and no, lengths of time, and nothing for taking back."""
    typed = ["10", "0.9", "yes", "off", "1h 30m", "", "default"]
    assert [read_value(text) for text in typed] == [10, 0.9, True, False, "1h 30m", None, None]
