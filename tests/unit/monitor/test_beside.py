"""Two versions on the same live rows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelwright.bundle.format import ModelEntry
from modelwright.monitor import quality
from modelwright.monitor.beside import LiveRow, compare
from modelwright.schema.catalogue import METRICS
from modelwright.schema.metrics import Parity, Task

PARITY = Parity(rows=1, labels_differ=0, max_difference=0.0)


def entry(*labels: object, task: Task = Task.CLASSIFICATION, name: str = "model") -> ModelEntry:
    return ModelEntry(name=name, task=task, file="m.onnx", estimator="x", labels=labels, parity=PARITY)


def answer(label: int, sure: float = 0.8) -> dict:
    return {"prediction": label, "probabilities": {str(label): sure, str(1 - label): 1 - sure}}


def rows(count: int, wrong: tuple[float, float], seed: int = 0) -> list[LiveRow]:
    """Rows that either version gets wrong so often, independently."""
    random = np.random.default_rng(seed)
    made = []
    for truth in random.integers(0, 2, count).tolist():
        one, other = (truth ^ int(random.random() < share) for share in wrong)
        made.append(LiveRow(truth, answer(one), answer(other)))
    return made


BINARY = (entry(0, 1), entry(0, 1))


@pytest.mark.parametrize("metric", sorted(METRICS[Task.CLASSIFICATION]))
def test_every_metric_tells_the_better_one_and_agrees_with_live_quality(metric):
    """Whichever direction is better: the gain is positive, certain, and the values are those shown live."""
    found = compare(rows(400, (0.05, 0.3)), BINARY, metric, several=False)
    assert found.gain > 0 and found.low > 0 and not found.below
    back = compare([LiveRow(r.truth, r.champion, r.challenger) for r in rows(400, (0.05, 0.3))],
                   BINARY, metric, several=False)  # fmt: skip
    assert back.gain == pytest.approx(-found.gain) and back.below
    truth = np.array([row.truth for row in rows(400, (0.05, 0.3))])
    said = np.array([row.challenger["prediction"] for row in rows(400, (0.05, 0.3))])
    shares = np.array([[r.challenger["probabilities"][n] for n in "01"] for r in rows(400, (0.05, 0.3))])
    live = quality.classification(truth, said, 2, shares)
    assert found.challenger.value == pytest.approx(live[metric].value)


@pytest.mark.parametrize("metric", sorted(METRICS[Task.REGRESSION]))
def test_every_metric_of_a_regression(metric):
    """Smaller errors are a gain, and the value is the one shown live."""
    random = np.random.default_rng(1)
    truth = random.normal(10, 3, 300)
    near, far = truth + random.normal(0, 0.5, 300), truth + random.normal(0, 2, 300)
    made = [
        LiveRow(t, {"prediction": n}, {"prediction": f}) for t, n, f in zip(truth, near, far, strict=True)
    ]
    regression = entry(task=Task.REGRESSION)
    found = compare(made, (regression, regression), metric, several=False)
    assert found.low > 0
    assert found.challenger.value == pytest.approx(quality.regression(truth, near)[metric].value)


@given(st.integers(0, 2**31))
def test_the_same_answers_gain_nothing(seed):
    """A version beside itself: no gain and no interval around it."""
    made = [LiveRow(row.truth, row.champion, row.champion) for row in rows(30, (0.2, 0.2), seed)]
    found = compare(made, BINARY, "accuracy", several=False)
    assert (found.gain, found.low, found.high, found.below) == (0.0, 0.0, 0.0, False)


def test_classes_that_only_one_of_them_knows_count_too():
    """A truth and a label that the champion never learned are told apart from all others."""
    sides = (entry("a", "b", "c"), entry("a", "b"))
    made = [LiveRow("c", {"prediction": "c"}, {"prediction": "b"})] * 30
    made += [LiveRow("a", {"prediction": "a"}, {"prediction": "a"})] * 30
    found = compare(made, sides, "accuracy", several=False)
    assert (found.challenger.value, found.champion.value) == (1.0, 0.5)
    assert compare(made, sides, "log_loss", several=False) is None


def test_of_several_models_the_one_asked_for_is_compared():
    """Truths and answers lie under the model's name; rows without its truth are left out."""
    outputs = [{"outputs": {"spend": answer(label), "segment": answer(0)}} for label in (1, 0)]
    made = [LiveRow({"spend": 1}, *outputs)] * 40 + [LiveRow({"segment": 0}, *outputs)] * 10
    pair = (entry(0, 1, name="spend"), entry(0, 1, name="spend"))
    found = compare(made, pair, "accuracy", several=True)
    assert (found.rows, found.gain) == (40, 1.0)
    assert compare([], pair, "accuracy", several=True) is None
