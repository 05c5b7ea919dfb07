"""The parity certificate: real rows through the trained model and through its graph."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from modelwright.bundle.encode import ColumnArrays, Encoder
from modelwright.bundle.matrix import suited
from modelwright.bundle.preprocess import Preprocessor
from modelwright.bundle.session import GraphRunner
from modelwright.schema.metrics import Parity, Task

_BATCH = 64
_SINGLES = 200


@dataclass(frozen=True)
class Expected:
    """What a trained model answers for the rows of a certificate.

    Attributes:
        rows: How many there are.
        labels: int64, the class or cluster; ``None`` for a regression.
        scores: float64, probabilities, distances or values.
        classes: Classification: the label that each column of ``scores`` stands for.
        scale: What differences are divided by.
        threshold: Two labels: decides ``labels`` and those of the graph, as they are answered.
    """

    rows: int
    labels: np.ndarray | None
    scores: np.ndarray
    classes: np.ndarray | None
    scale: float
    threshold: float | None = None

    @classmethod
    def of(
        cls,
        preprocessor: Preprocessor,
        estimator: Any,
        encoder: Encoder,
        columns: ColumnArrays,
        task: Task,
        *,
        spread: float | None = None,
        threshold: float | None = None,
    ) -> Expected:
        """Ask the trained model; it is not needed for the certificate afterwards.

        Args:
            preprocessor, estimator, encoder: The trained model.
            columns: Held-out rows as column arrays.
            task: What the model does.
            spread: Regression: the target's standard deviation, which differences are relative to; by
                default that of the model's own answers, which is smaller and so stricter.
            threshold: Two labels: the second one is answered from this probability on.
        """
        packed = encoder.transform(columns)
        if not packed.rows:
            return cls(0, None, np.zeros(0), None, 1.0)
        matrix = suited(preprocessor.transform(packed), estimator)
        with _one_thread(estimator):
            labels, scores = _answers(estimator, matrix, task)
        classes = np.asarray(estimator.classes_).astype(np.int64) if task is Task.CLASSIFICATION else None
        found = cls(packed.rows, labels, scores, classes, _scale(scores, task, spread), threshold)
        if threshold is None:
            return found
        return replace(found, labels=_decided(found.in_width(slice(None), 2), threshold))

    def in_width(self, rows: slice, width: int) -> np.ndarray:
        """Scores of some rows, a class that the model never saw having probability 0."""
        if self.classes is None:
            return self.scores[rows]
        full = np.zeros((len(self.scores[rows]), width))
        full[:, self.classes] = self.scores[rows]
        return full


def certify(  # noqa: PLR0917 - the parts of one trained model, in the order they are applied
    onnx_bytes: bytes,
    preprocessor: Preprocessor,
    estimator: Any,
    encoder: Encoder,
    columns: ColumnArrays,
    task: Task,
    *,
    spread: float | None = None,
    threshold: float | None = None,
) -> Parity:
    """Send every row of ``columns`` through the trained model and its graph; see ``Expected.of``."""
    expected = Expected.of(
        preprocessor, estimator, encoder, columns, task, spread=spread, threshold=threshold
    )
    return compared(GraphRunner(onnx_bytes), expected, encoder, columns)


def compared(runner: GraphRunner, expected: Expected, encoder: Encoder, columns: ColumnArrays) -> Parity:
    """Send the same rows through the graph, in micro-batches, and the first 200 also one by one."""
    differing: set[int] = set()
    largest = 0.0
    for rows in _slices(expected.rows):
        part = {name: values[rows] for name, values in columns.items()}
        outputs = runner.run(*encoder.transform_dense(part))
        if expected.labels is not None:
            given = _decided(outputs[-1], expected.threshold) if expected.threshold else outputs[0]
            differing.update((np.flatnonzero(given != expected.labels[rows]) + rows.start).tolist())
        gap = np.abs(outputs[-1].astype(np.float64) - expected.in_width(rows, runner.width))
        largest = max(largest, float(np.max(gap, initial=0.0)) / expected.scale)
        if not np.isfinite(gap).all():
            largest = float("inf")
    return Parity(rows=expected.rows, labels_differ=len(differing), max_difference=largest)


def _decided(probabilities: np.ndarray, threshold: float) -> np.ndarray:
    return np.asarray(probabilities[:, 1].astype(np.float32) >= np.float32(threshold), dtype=np.int64)


@contextmanager
def _one_thread(estimator: Any) -> Iterator[None]:
    """Let ``estimator`` predict in one thread: several add trees' votes in the order they finish."""
    jobs = getattr(estimator, "n_jobs", None)
    if jobs is None:
        yield
        return
    estimator.n_jobs = 1
    try:
        yield
    finally:
        estimator.n_jobs = jobs


def _slices(rows: int) -> Iterator[slice]:
    for start in range(0, rows, _BATCH):
        yield slice(start, min(start + _BATCH, rows))
    for row in range(min(rows, _SINGLES)):
        yield slice(row, row + 1)


def _answers(estimator: Any, matrix: Any, task: Task) -> tuple[np.ndarray | None, np.ndarray]:
    """Labels (``None`` for a regression) and probabilities, values or distances of the trained model."""
    if task is Task.REGRESSION:
        return None, np.asarray(estimator.predict(matrix), dtype=np.float64).reshape(-1)
    labels = np.asarray(estimator.predict(matrix)).astype(np.int64).reshape(-1)
    if task is Task.CLUSTERING:
        return labels, np.asarray(estimator.transform(matrix), dtype=np.float64)
    return labels, np.asarray(estimator.predict_proba(matrix), dtype=np.float64)


def _scale(scores: np.ndarray, task: Task, spread: float | None) -> float:
    """What differences are divided by: 1 for probabilities, the answers' spread otherwise."""
    if task is Task.CLASSIFICATION:
        return 1.0
    if task is Task.CLUSTERING:
        return max(float(np.abs(scores).max()), float(np.finfo(np.float32).tiny))
    scale = float(np.std(scores)) if spread is None else spread
    if scale <= np.finfo(np.float32).eps * float(np.abs(scores).max()):
        scale = float(np.abs(scores).max())
    return scale or 1.0
