"""On real card transactions: a shift of the class balance is noticed, halves are alike, names are right."""

import numpy as np
import pyarrow.csv
import pytest

from modelwright.data.arrays import column_arrays
from modelwright.data.profile import profile
from modelwright.monitor import wording
from modelwright.monitor.drift import window_drift
from modelwright.monitor.together import separation
from modelwright.monitor.watch import Watch
from modelwright.schema.columns import Column, Kind, TableSchema

NAMES = (*(f"V{number}" for number in range(1, 29)), "Amount")
SCHEMA = TableSchema(columns=tuple(Column(name=name, kind=Kind.NUMERIC) for name in NAMES))


@pytest.fixture(scope="module")
def sample(shared_data):
    """The sample's features, in a random order."""
    columns = column_arrays(
        pyarrow.csv.read_csv(shared_data / "fraud" / "creditcard_2023_sample.csv"), SCHEMA
    )
    order = np.random.default_rng(0).permutation(len(columns["Amount"]))
    return {name: values[order] for name, values in columns.items()}


@pytest.fixture(scope="module")
def later(shared_data):
    """The later file's features."""
    return column_arrays(pyarrow.csv.read_csv(shared_data / "fraud" / "creditcard_2023_later.csv"), SCHEMA)


def halves(columns, seed):
    """Two random halves."""
    order = np.random.default_rng(seed).permutation(len(columns["Amount"]))
    half = len(order) // 2
    return tuple(
        {name: values[part] for name, values in columns.items()} for part in (order[:half], order[half:])
    )


def test_random_halves_are_alike(sample):
    """Four times over, by window and by classifier."""
    for seed in range(4):
        first, second = halves(sample, seed)
        assert not window_drift(profile(first, SCHEMA), second).drifted
        assert not separation(first, second, seed=seed).drifted


def test_the_shifted_class_balance_is_noticed(sample, later):
    """Many features depend on the class; the classifier tells the files apart."""
    drift = window_drift(profile(sample, SCHEMA), later)
    assert len({finding.name for finding in drift.drifted}) >= 15
    assert separation(sample, later).auc > 0.8


def test_features_whose_scale_changed_are_named_rightly(sample):
    """Those two and no other, in words that say it."""
    first, second = halves(sample, 1)
    second |= {"V4": second["V4"] * 3, "Amount": second["Amount"] * 2}
    drift = window_drift(profile(first, SCHEMA), second)
    assert {finding.name for finding in drift.drifted} == {"V4", "Amount"}
    said = [wording.sentence(finding) for finding in drift.drifted if finding.topic == "values"]
    assert any(line.startswith("'Amount': its values are about ") for line in said)
    assert any(line.startswith("'V4': its ") and " times th" in line for line in said)


def test_the_stream_says_when_it_happened(sample, later):
    """The sample goes on without an alarm; the later file raises them within a few dozen rows."""
    first, second = halves(sample, 2)
    watch = Watch(profile(first, SCHEMA), SCHEMA)
    joined = {name: np.concatenate([second[name], later[name]]) for name in NAMES}
    begins, alarms = len(second["Amount"]), []
    for start in range(0, begins + 1000, 100):
        alarms += watch.observe({name: values[start : start + 100] for name, values in joined.items()})
    assert min(alarm.row for alarm in alarms) >= begins
    assert min(alarm.row for alarm in alarms) < begins + 60
    assert sum(not alarm.cleared for alarm in alarms) >= 15
