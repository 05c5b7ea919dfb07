"""What a fitted estimator says of rows."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, RidgeClassifier

from modelwright.schema.metrics import Task
from modelwright.train import answers
from modelwright.train.errors import CandidateFailed

C = Task.CLASSIFICATION


@pytest.fixture
def rows() -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    matrix = generator.normal(size=(500, 4)).astype(np.float32)
    return matrix, (matrix[:, 0] + generator.normal(size=500) > 0).astype(np.int64)


def test_pieces_and_cores_change_no_bit(rows, monkeypatch):
    """Rows asked in pieces on several threads get the very answers they get at once."""
    matrix, target = rows
    forest = RandomForestClassifier(20, random_state=0).fit(matrix, target)
    whole = answers.ask(forest, matrix, C, classes=2, threshold=None, cores=1)
    monkeypatch.setattr(answers, "PIECE", 64)
    pieces = answers.ask(forest, matrix, C, classes=2, threshold=None, cores=3)
    assert np.array_equal(whole.probabilities, pieces.probabilities)


def test_a_threshold_decides_between_two(rows):
    """The second label is answered from the threshold on."""
    matrix, target = rows
    model = LogisticRegression().fit(matrix, target)
    found = answers.ask(model, matrix, C, classes=2, threshold=0.8, cores=1)
    assert np.array_equal(found.labels == 1, found.probabilities[:, 1] >= 0.8)


def test_a_label_never_seen_has_probability_zero(rows):
    """An estimator that was fitted without one of the labels still gives it a place."""
    matrix, target = rows
    model = LogisticRegression().fit(matrix, target * 2)
    found = answers.ask(model, matrix, C, classes=3, threshold=None, cores=1)
    assert found.probabilities.shape == (500, 3)
    assert not found.probabilities[:, 1].any()


def test_a_classifier_without_probabilities_is_told_so(rows):
    """The reason names the method that is lacking."""
    matrix, target = rows
    with pytest.raises(CandidateFailed, match="predict_proba"):
        answers.ask(RidgeClassifier().fit(matrix, target), matrix, C, classes=2, threshold=None, cores=1)
