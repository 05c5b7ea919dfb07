"""Live quality: the metrics of training, with intervals that cover, by class, segment and time."""

import numpy as np
import pytest

from modelwright.monitor import quality
from modelwright.monitor.formulas import confusion
from modelwright.schema.metrics import Metric, Task
from modelwright.train.answers import Answers
from modelwright.train.evaluate import measure


def answered(rows, classes, seed=0):
    """Truth, answers and the probabilities they were drawn from."""
    random = np.random.default_rng(seed)
    probabilities = random.dirichlet(np.ones(classes), rows)
    truth = (random.random((rows, 1)) > probabilities.cumsum(axis=1)).sum(axis=1)
    return truth, probabilities.argmax(axis=1), probabilities


@pytest.mark.parametrize("classes", [2, 3, 5])
def test_metrics_are_those_of_training(classes):
    """One meaning of a name everywhere, and intervals of nearly the same width."""
    truth, answers, probabilities = answered(1500, classes)
    ours = quality.classification(truth, answers, classes, probabilities)
    theirs = measure(Task.CLASSIFICATION, Answers(labels=answers, probabilities=probabilities), truth, seed=0)
    assert set(ours) == set(theirs)
    for name, metric in theirs.items():
        assert ours[name].value == pytest.approx(metric.value), name
        assert ours[name].low <= ours[name].value <= ours[name].high
        assert ours[name].high - ours[name].low == pytest.approx(metric.high - metric.low, rel=0.25), name


def test_regression_metrics_are_those_of_training():
    """Zero among the truths is left out of the relative error in both."""
    random = np.random.default_rng(1)
    truth = random.normal(size=1200)
    truth[:5] = 0.0
    answers = truth + random.normal(0, 0.5, size=1200)
    ours = quality.regression(truth, answers)
    theirs = measure(Task.REGRESSION, Answers(values=answers), truth, seed=0)
    assert set(ours) == set(theirs)
    for name, metric in theirs.items():
        assert ours[name].value == pytest.approx(metric.value), name
        if name != "mape":
            assert ours[name].high - ours[name].low == pytest.approx(metric.high - metric.low, rel=0.25), name


def test_intervals_cover_the_truth():
    """In about 95 of 100 windows of 300 rows."""
    large = quality.classification(*answered(200_000, 2, seed=9)[:2], 2)
    hits = dict.fromkeys(large, 0)
    for seed in range(100):
        for name, metric in quality.classification(*answered(300, 2, seed=100 + seed)[:2], 2).items():
            hits[name] += metric.low <= large[name].value <= metric.high
    assert all(count >= 87 for count in hits.values()), hits


def test_windows_with_nothing_or_one_class():
    """No rows give no metrics; one class leaves out the ranking metrics."""
    none = np.zeros(0, dtype=np.int64)
    assert quality.classification(none, none, 2, np.zeros((0, 2))) == {}
    assert quality.regression(np.zeros(0), np.zeros(0)) == {}
    one = np.zeros(40, dtype=np.int64)
    found = quality.classification(one, one, 2, np.tile([0.9, 0.1], (40, 1)))
    assert found["accuracy"].value == 1.0 and found["accuracy"].low < 1.0
    assert "roc_auc" not in found
    assert "r2" not in quality.regression(np.ones(50), np.ones(50))


def test_each_class_has_its_recall_and_precision():
    """Shares with Wilson's interval; a class that never occurred spans everything."""
    table = confusion(np.array([0, 0, 0, 1]), np.array([0, 0, 1, 1]), 3)
    no, yes, never = quality.by_class(table, ["no", "yes", "never"])
    assert (no.rows, no.answered, no.recall.value, no.precision.value) == (3, 2, pytest.approx(2 / 3), 1.0)
    assert (yes.recall.value, yes.precision.value) == (1.0, 0.5)
    assert (never.rows, never.recall) == (0, Metric(value=0.0, low=0.0, high=1.0))


def test_segments_show_where_it_is_worse():
    """By words, by quarters of training, by gaps; small ones are left out."""
    truth, answers, _ = answered(1000, 2)
    place = np.array((["north"] * 500) + (["south"] * 480) + [""] * 20, dtype=object)
    answers[500:980] = 1 - truth[500:980]

    def measured(mask):
        return quality.classification(truth[mask], answers[mask], 2)

    found = quality.by_segment("place", quality.segments_of(place), measured)
    assert [(each.value, each.rows) for each in found] == [("north", 500), ("south", 480)]
    assert found[1].metrics["accuracy"].value == 0.0 < found[0].metrics["accuracy"].low


def test_numbers_are_cut_at_the_quarters_of_training():
    """Named by their bounds; missing ones are a segment."""
    values = np.array([0.0, 25.0, 60.0, 99.0, np.nan])
    named = quality.segments_of(values, list(range(101))).tolist()
    assert named == ["below 25", "from 25 to below 50", "from 50 to below 75", "from 75", "(missing)"]
    assert quality.segments_of(np.full(3, np.nan)).tolist() == ["(missing)"] * 3
    assert set(quality.segments_of(np.arange(8.0))) == {"below 1.75", "from 1.75 to below 3.5",
                                                        "from 3.5 to below 5.25", "from 5.25"}  # fmt: skip
    many = np.array([f"w{place % 15}" for place in range(150)] + ["often"] * 50, dtype=object)
    assert len(set(quality.segments_of(many))) == 11


def test_coverage_and_delay_of_labels():
    """What share has its label, and how long that took."""
    answered_at = np.arange(100.0)
    labelled = np.where(np.arange(100) < 40, answered_at + np.arange(100), np.nan)
    found = quality.coverage(answered_at, labelled)
    assert (found.predictions, found.labelled, found.share.value) == (100, 40, 0.4)
    assert found.median_delay == pytest.approx(19.5)
    assert found.slow_delay == pytest.approx(37.05)
    assert quality.coverage(np.zeros(0), np.zeros(0)).median_delay is None
