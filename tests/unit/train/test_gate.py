"""The gate: what lets a version through, what stops it, and that people can read why."""

from __future__ import annotations

from dataclasses import replace

import pytest

from modelwright.schema.metrics import Metric, Parity, Task
from modelwright.store.records import Verdict
from modelwright.train.gate import Judged, judge
from modelwright.train.versus import LEAST_ROWS, Comparison

GOOD = Judged(
    name="",
    task=Task.CLASSIFICATION,
    metrics={"f1": Metric(0.9, 0.85, 0.95), "log_loss": Metric(0.3, 0.2, 0.4)},
    parity=Parity(rows=1000, labels_differ=0, max_difference=1e-7),
    floors={"f1": 0.8},
    margin=0.005,
)
FACED = Comparison(
    version=3, metric="f1", mine=0.9, theirs=0.91, gain=-0.01, low=-0.03, high=0.01, rows=1000, same_data=True
)


def test_a_good_version_is_accepted_with_reasons():
    """Floors met and parity held: accepted, and each check is a sentence and numbers."""
    decision = judge([GOOD])
    assert decision.verdict is Verdict.ACCEPTED
    assert any("f1 0.9 [0.85, 0.95] reaches the floor of 0.8" in reason for reason in decision.reasons)
    assert decision.checks["floor.f1"] == {"holds": True, "floor": 0.8, "value": 0.9}
    assert decision.decided.tzinfo is not None


@pytest.mark.parametrize(
    ("floors", "accepted"),
    [
        ({"f1": 0.9}, True),
        ({"f1": 0.91}, False),
        ({"log_loss": 0.3}, True),
        ({"log_loss": 0.29}, False),
        ({"roc_auc": 0.5}, False),
    ],
)
def test_floors_know_their_direction(floors, accepted):
    """A floor is the least value, or the most where less is better; one not measured is not met."""
    decision = judge([replace(GOOD, floors=floors)])
    assert (decision.verdict is Verdict.ACCEPTED) == accepted
    if not accepted:
        assert next(iter(floors)) in decision.reasons[0]


def test_without_parity_no_version():
    """A model whose export answers otherwise is refused, whatever its metrics."""
    decision = judge([replace(GOOD, parity=Parity(rows=1000, labels_differ=2, max_difference=0.1))])
    assert decision.verdict is Verdict.REJECTED
    assert "2 labels differ" in decision.reasons[0]


@pytest.mark.parametrize(
    ("rows", "gain", "high", "accepted"),
    [
        (1000, -0.004, 0.01, True),
        (1000, -0.006, 0.01, False),
        (1000, 0.02, 0.04, True),
        (LEAST_ROWS - 1, -0.05, 0.01, True),
        (LEAST_ROWS - 1, -0.2, -0.1, False),
    ],
)
def test_not_worse_than_the_champion(rows, gain, high, accepted):
    """Worse by more than the margin is refused; on few rows only if the whole interval says so."""
    decision = judge([replace(GOOD, comparison=replace(FACED, rows=rows, gain=gain, high=high))])
    assert (decision.verdict is Verdict.ACCEPTED) == accepted
    assert "version 3" in " ".join(decision.reasons)


def test_what_cannot_be_compared_and_warnings_are_noted():
    """A champion that cannot answer and warnings about the data are told and refuse nothing."""
    decision = judge(
        [replace(GOOD, not_compared="It needs the column 'x', which is gone.", warnings=["odd"])]
    )
    assert decision.verdict is Verdict.ACCEPTED
    assert any("'x'" in reason for reason in decision.reasons)
    assert "Noted: odd" in decision.reasons


def test_one_bad_model_refuses_all():
    """Several models are one version: the reason names the model that fails."""
    decision = judge([replace(GOOD, name="a"), replace(GOOD, name="b", floors={"f1": 0.99})])
    assert decision.verdict is Verdict.REJECTED
    assert decision.reasons[0].startswith("b: ")
