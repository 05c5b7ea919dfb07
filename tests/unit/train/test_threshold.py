"""The decision threshold is the best there is on the rows it is chosen on, and answers as chosen."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelwright.bundle.read import open_bundle
from modelwright.project.model import Cost, Decision
from modelwright.train.answers import decide
from modelwright.train.errors import SettingsInvalid
from modelwright.train.threshold import choose

SCORES = st.lists(
    st.tuples(st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0]) | st.floats(0, 1), st.booleans()),
    min_size=2,
    max_size=40,
).filter(lambda rows: len({truth for _, truth in rows}) == 2)


def parts(rows: list[tuple[float, bool]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([score for score, _ in rows]), np.array([truth for _, truth in rows])


def called(scores: np.ndarray, threshold: float) -> np.ndarray:
    return decide(np.column_stack([1 - scores, scores]), threshold) == 1


def least(scores: np.ndarray) -> np.ndarray:
    """Every threshold that parts the rows in a way of its own, and is a probability."""
    values = np.unique(scores.astype(np.float32))
    return values[values > 0]


@given(SCORES, st.sampled_from([0.1, 1.0, 10.0]), st.sampled_from([0.5, 1.0, 3.0]))
def test_no_other_threshold_costs_less(rows: list[tuple[float, bool]], miss: float, alarm: float) -> None:
    """Compared with every one that parts the rows otherwise."""
    scores, truth = parts(rows)
    found = choose(scores, truth, Decision(cost=Cost(false_negative=miss, false_positive=alarm)))

    def cost(threshold: float) -> float:
        said = called(scores, threshold)
        return miss * (truth & ~said).sum() + alarm * (~truth & said).sum()

    assert 0 < found.threshold <= 1
    assert all(cost(found.threshold) <= cost(other) + 1e-9 for other in least(scores))


@given(SCORES, st.sampled_from([0.5, 0.9, 1.0]))
def test_no_other_threshold_finds_more_at_the_precision(
    rows: list[tuple[float, bool]], wanted: float
) -> None:
    """Where it can be reached; else it is said, and the most precise one taken."""
    scores, truth = parts(rows)
    found = choose(scores, truth, Decision(precision=wanted))

    def quality(threshold: float) -> tuple[float, int]:
        said = called(scores, threshold)
        return (float((truth & said).sum() / said.sum()) if said.any() else 0.0), int((truth & said).sum())

    precision, hits = quality(found.threshold)
    others = [quality(other) for other in least(scores)]
    if precision >= wanted:
        assert all(hits >= more for reached, more in others if reached >= wanted)
    else:
        assert "not reached" in found.words
        assert all(precision >= reached for reached, _ in others)


def test_the_threshold_stands_clear_of_the_scores() -> None:
    """In the middle of the gap, and exactly a float32 number."""
    found = choose(
        np.array([0.1, 0.2, 0.6, 0.9]), np.array([False, False, True, True]), Decision(precision=1.0)
    )
    assert found.threshold == pytest.approx(0.4) and float(np.float32(found.threshold)) == found.threshold


def rare_csv(rows: int = 600) -> str:
    """One in eight is "bad", and hard to tell."""
    random = np.random.default_rng(1)
    bad = random.random(rows) < 0.12
    size = random.normal(size=rows) + 1.2 * bad
    other = random.normal(size=rows)
    lines = [f"{size[n]:.4f},{other[n]:.4f},{'bad' if bad[n] else 'a good one'}" for n in range(rows)]
    return "size,other,label\n" + "\n".join(lines) + "\n"


FILE = {
    "name": "rare",
    "data": {"source": "rows.csv", "target": "label", "labels": {"bad": "defect"}},
    "train": {
        "candidates": ["logistic_regression", {"decision_tree": {"max_depth": 4}}],
        "class_weight": "none",
    },
}


def test_what_was_chosen_is_stored_and_answers(tmp_project, train):
    """A miss that costs 20 times as much moves the threshold down; metrics and answers follow it."""
    decision = {"cost": {"false_negative": 20, "false_positive": 1}}
    file = {**FILE, "train": {**FILE["train"], "decision": decision}}
    # "a good one" sorts before "bad": the second label is the positive one
    outcome = train(tmp_project(file, {"rows.csv": rare_csv()}))
    plain = train(tmp_project(FILE, {"rows.csv": rare_csv()}))
    assert any("Decides from" in reason for reason in outcome.decision.reasons)
    recall = outcome.models[0].metrics["recall"].value
    assert recall > plain.models[0].metrics["recall"].value + 0.2
    bundle = open_bundle(outcome.bundle)
    entry = bundle.models[0].entry
    assert entry.threshold is not None and entry.threshold < 0.3
    assert entry.parity.labels_differ == 0
    assert open_bundle(plain.bundle).models[0].entry.threshold is None
    for row in ({"size": size, "other": 0.0} for size in np.linspace(-2, 3, 40)):
        (answer,) = (each["model"] for each in bundle.predict_rows([row]))
        assert answer.threshold == entry.threshold and answer.score == answer.probabilities["defect"]
        assert (answer.prediction == "bad") == (answer.score >= entry.threshold)
    learned = json.loads((outcome.bundle / "manifest.json").read_text())["models"][0]["threshold"]
    assert learned == entry.threshold


def test_three_labels_have_no_threshold(tmp_project, train):
    """Which the data alone tells."""
    file = {**FILE, "train": {**FILE["train"], "decision": {"precision": 0.9}}}
    rows = "size,label\n" + "".join(f"{n % 50},{'abc'[n % 3]}\n" for n in range(150))
    with pytest.raises(SettingsInvalid, match="has 3"):
        train(tmp_project(file, {"rows.csv": rows}))
