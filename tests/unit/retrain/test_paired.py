"""The paired difference of a metric."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import bootstrap

from modelwright.retrain.paired import Unmeasurable, gain
from modelwright.schema.metrics import Task
from modelwright.train.answers import Answers
from modelwright.train.evaluate import measure
from unit.retrain.answers import answering, sides

LABEL = ("accuracy", "balanced_accuracy", "f1", "precision", "recall", "mcc")


@given(st.integers(0, 2**32 - 1), st.integers(5, 200), st.integers(2, 5), st.sampled_from(LABEL))
def test_values_are_those_of_the_evaluation(seed, rows, classes, metric):
    """Both values are what a training would report, and the interval holds their difference."""
    generator = np.random.default_rng(seed)
    truth, one, other = generator.integers(0, classes, (3, rows))
    found = gain(
        Task.CLASSIFICATION, metric, truth, answering(one, classes), answering(other, classes), seed=1
    )
    for value, labels in ((found.challenger, one), (found.champion, other)):
        expected = measure(Task.CLASSIFICATION, answering(labels, classes), truth, only=metric)[metric].value
        assert value == pytest.approx(expected)
    assert found.value == pytest.approx(found.challenger - found.champion)
    assert found.low <= found.value <= found.high
    assert 0 <= found.p <= 1


@given(st.integers(0, 2**32 - 1), st.sampled_from(LABEL))
def test_turned_round_the_gain_changes_its_sign(seed, metric):
    """Who is called the challenger doesn't matter to the measured difference."""
    duel = sides(300, fixed=0.04, broken=0.02, seed=seed)
    arguments = (Task.CLASSIFICATION, metric, duel.truth)
    one = gain(*arguments, duel.challenger, duel.champion, seed=1)
    other = gain(*arguments, duel.champion, duel.challenger, seed=1)
    assert one.value == pytest.approx(-other.value)
    assert (one.low, one.high) == pytest.approx((-other.high, -other.low), abs=0.02)
    assert one.p == 1.0 or other.p == 1.0


def test_the_interval_is_that_of_drawing_rows():
    """Drawing counts of kinds of rows gives the interval that SciPy gets by drawing rows."""
    duel = sides(600, fixed=0.06, broken=0.02, seed=3)
    ours = gain(Task.CLASSIFICATION, "accuracy", duel.truth, duel.challenger, duel.champion, seed=1)
    right = [(answers.labels == duel.truth).astype(float) for answers in (duel.challenger, duel.champion)]
    reference = bootstrap((right[0] - right[1],), np.mean, method="percentile", rng=1).confidence_interval
    assert (ours.low, ours.high) == pytest.approx((reference.low, reference.high), abs=2.5e-3)


def test_less_is_better_where_the_metric_is_an_error():
    """A smaller error is a gain."""
    truth = np.linspace(0, 10, 300)
    noise = np.random.default_rng(0).normal(size=300)
    near, far = Answers(values=truth + 0.1 * noise), Answers(values=truth + noise)
    found = gain(Task.REGRESSION, "rmse", truth, near, far, seed=1)
    assert found.value > 0.8 and found.low > 0.5 and found.p < 1e-6


def test_a_metric_that_the_rows_do_not_define_is_told():
    """ROC AUC needs two classes among the rows."""
    truth = np.zeros(50, np.int64)
    with pytest.raises(Unmeasurable, match="roc_auc"):
        gain(Task.CLASSIFICATION, "roc_auc", truth, answering(truth), answering(truth), seed=1)
