"""What a fitted estimator says of rows, the same bits whatever the number of cores.

Rows go through in fixed pieces, each piece on one thread: a forest that sums its trees on several
threads gives sums that differ in their last bit from run to run.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from modelwright.schema.metrics import Task
from modelwright.train.errors import CandidateFailed

PIECE = 16_384


@dataclass(frozen=True)
class Answers:
    """Answers for rows, in their order.

    Attributes:
        labels: Classification and clustering: int64, index of the label or cluster.
        probabilities: Classification: float64 [rows, classes].
        values: Regression: float64.
    """

    labels: np.ndarray | None = None
    probabilities: np.ndarray | None = None
    values: np.ndarray | None = None

    def take(self, rows: np.ndarray) -> Answers:
        """The answers for some of the rows."""
        parts = (self.labels, self.probabilities, self.values)
        return Answers(*(None if part is None else part[rows] for part in parts))


def ask(
    estimator: Any, matrix: Any, task: Task, *, classes: int, threshold: float | None, cores: int
) -> Answers:
    """The estimator's answers for the rows of ``matrix``.

    Args:
        estimator: Fitted on labels 0 … ``classes`` - 1.
        matrix: float32, dense or CSR.
        task: What it was fitted for.
        classes: How many labels there are; one that the estimator never saw gets probability 0.
        threshold: Binary: the second label is answered from this probability on.
        cores: How many threads may be used.

    Raises:
        CandidateFailed: A classification without probabilities, or answers that are no numbers.
    """
    if task is Task.CLASSIFICATION:
        probabilities = _probabilities(estimator, matrix, classes, cores)
        return Answers(labels=decide(probabilities, threshold), probabilities=probabilities)
    found = _in_pieces(estimator.predict, matrix, cores)
    if task is Task.CLUSTERING:
        return Answers(labels=found.astype(np.int64))
    values = np.asarray(found, dtype=np.float64).reshape(len(found), -1)[:, 0]
    if not np.isfinite(values).all():
        raise CandidateFailed("It predicts values that are not finite numbers.")
    return Answers(values=values)


def decide(probabilities: np.ndarray, threshold: float | None) -> np.ndarray:
    """The label index of each row: the most probable, or by threshold where there are two."""
    if threshold is not None and probabilities.shape[1] == 2:
        # As the exported model compares: both as float32.
        return np.asarray(probabilities[:, 1].astype(np.float32) >= np.float32(threshold), dtype=np.int64)
    return np.asarray(probabilities.argmax(axis=1), dtype=np.int64)


def decided(answers: Answers, threshold: float) -> Answers:
    """A classifier's answers with the labels that ``threshold`` gives."""
    assert answers.probabilities is not None  # noqa: S101 - answers of a classifier
    return Answers(labels=decide(answers.probabilities, threshold), probabilities=answers.probabilities)


def _probabilities(estimator: Any, matrix: Any, classes: int, cores: int) -> np.ndarray:
    if not hasattr(estimator, "predict_proba"):
        raise CandidateFailed(
            f"{type(estimator).__name__} gives no probabilities (it has no predict_proba).",
            "Wrap it in sklearn.calibration.CalibratedClassifierCV, or choose another candidate.",
        )
    found = np.asarray(_in_pieces(estimator.predict_proba, matrix, cores), dtype=np.float64)
    if not np.isfinite(found).all():
        raise CandidateFailed("It gives probabilities that are not finite numbers.")
    seen = np.asarray(estimator.classes_, dtype=np.int64)
    if len(seen) == classes:
        return found
    full = np.zeros((len(found), classes))
    full[:, seen] = found
    return full


def _in_pieces(method: Any, matrix: Any, cores: int) -> np.ndarray:
    rows = matrix.shape[0]
    if rows <= PIECE:
        return np.asarray(method(matrix))
    starts = range(0, rows, PIECE)
    with ThreadPoolExecutor(max_workers=cores) as pool:
        return np.concatenate(list(pool.map(lambda start: method(matrix[start : start + PIECE]), starts)))


def single_threaded(estimator: Any) -> None:
    """Let a fitted estimator answer on the calling thread only, so that sums have one order."""
    if hasattr(estimator, "n_jobs") and hasattr(estimator, "set_params"):
        estimator.set_params(n_jobs=1)
