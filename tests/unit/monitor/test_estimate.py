"""Quality estimated without labels: its bounds hold where the truth is known, and its limit is real."""

import numpy as np
import pytest

from modelwright.monitor.estimate import TooFewLabelled, calibrate, estimate
from modelwright.monitor.quality import classification


def window(rows, centre, random, classes=2):
    """Features around ``centre``, truth by a fixed law, and an overconfident model of that law."""
    x = random.normal(centre, 1.0, size=(rows, classes))
    law = np.exp(1.2 * x)
    law /= law.sum(axis=1, keepdims=True)
    truth = (random.random((rows, 1)) > law.cumsum(axis=1)).sum(axis=1)
    said = np.exp(2.5 * x)
    said /= said.sum(axis=1, keepdims=True)
    return truth, said.argmax(axis=1), said


def calibrated(random, classes=2):
    truth, answers, said = window(4000, 0.0, random, classes)
    return calibrate(said[np.arange(4000), answers], truth == answers)


@pytest.mark.parametrize("classes", [2, 3])
def test_the_bounds_hold_under_shifts_of_the_features(classes):
    """Of 60 windows at four places, at least 90 % have the real metric within the bounds."""
    random = np.random.default_rng(0)
    calibration = calibrated(random, classes)
    hits, all_of = {}, 60
    for turn in range(all_of):
        centre = np.zeros(classes)
        centre[0] = (0.0, 0.5, 1.0, -1.0)[turn % 4]
        truth, answers, said = window(500, centre, random, classes)
        real = classification(truth, answers, classes)
        for name, metric in estimate(calibration, answers, said, seed=turn).items():
            hits[name] = hits.get(name, 0) + (metric.low <= real[name].value <= metric.high)
    assert {"accuracy", "f1", "recall", "precision"} <= set(hits)
    assert hits["accuracy"] >= 0.9 * all_of
    if classes == 2:
        assert min(hits.values()) >= 0.85 * all_of, hits


def test_calibration_takes_the_overconfidence_away():
    """The raw confidence promises far more than the estimate, which is right."""
    random = np.random.default_rng(1)
    calibration = calibrated(random)
    truth, answers, said = window(5000, 0.0, random)
    found = estimate(calibration, answers, said)["accuracy"]
    real = (truth == answers).mean()
    assert found.value == pytest.approx(real, abs=0.03)
    assert said.max(axis=1).mean() > real + 0.05


def test_a_changed_concept_is_not_seen():
    """What it says of itself: when the truth itself turns, only labels tell."""
    random = np.random.default_rng(2)
    calibration = calibrated(random)
    truth, answers, said = window(2000, 0.0, random)
    found = estimate(calibration, answers, said)["accuracy"]
    assert (1 - truth == answers).mean() < found.low


def test_few_labels_are_refused_and_certain_models_borne():
    """A model that is always sure has one bin; a hundred rows are the least."""
    with pytest.raises(TooFewLabelled, match="99 labelled rows"):
        calibrate(np.ones(99), np.ones(99, dtype=bool))
    calibration = calibrate(np.ones(200), np.arange(200) % 10 > 0)
    answers = np.zeros(300, dtype=np.int64)
    found = estimate(calibration, answers, np.tile([1.0, 0.0], (300, 1)))
    assert found["accuracy"].value == pytest.approx(0.9, abs=0.01)
    assert found["accuracy"].low < 0.9 < found["accuracy"].high
    assert estimate(calibration, answers[:0], np.zeros((0, 2))) == {}
