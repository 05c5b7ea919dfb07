"""The parity certificate: real rows through the trained model and through its graph."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from modelwright.bundle.encode import ColumnArrays, Encoder
from modelwright.bundle.matrix import suited
from modelwright.bundle.preprocess import Preprocessor
from modelwright.bundle.session import GraphRunner
from modelwright.schema.metrics import Parity, Task

_BATCH = 64
_SINGLES = 200


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
    """Send every row through both, in micro-batches, and the first 200 of them also one by one.

    Args:
        onnx_bytes: The exported graph.
        preprocessor, estimator, encoder: The trained model.
        columns: Held-out rows as column arrays.
        task: What the model does.
        spread: Regression: the target's standard deviation, which differences are relative to; by
            default that of the model's own answers, which is smaller and so stricter.
        threshold: Binary: labels are compared as this probability decides them, as they are answered.
    """
    runner = GraphRunner(onnx_bytes)
    packed = encoder.transform(columns)
    if not packed.rows:
        return Parity(rows=0, labels_differ=0, max_difference=0.0)
    matrix = suited(preprocessor.transform(packed), estimator)
    with _one_thread(estimator):
        labels, scores = _expected(estimator, matrix, task, runner.width)
    if threshold is not None:
        labels = _decided(scores, threshold)
    scale = _scale(scores, task, spread)
    differing: set[int] = set()
    largest = 0.0
    for rows in _slices(packed.rows):
        part = {name: values[rows] for name, values in columns.items()}
        outputs = runner.run(*encoder.transform_dense(part))
        if labels is not None:
            given = outputs[0] if threshold is None else _decided(outputs[-1], threshold)
            differing.update((np.flatnonzero(given != labels[rows]) + rows.start).tolist())
        gap = np.abs(outputs[-1].astype(np.float64) - scores[rows])
        largest = max(largest, float(np.max(gap, initial=0.0)) / scale)
        if not np.isfinite(gap).all():
            largest = float("inf")
    return Parity(rows=packed.rows, labels_differ=len(differing), max_difference=largest)


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


def _expected(estimator: Any, matrix: Any, task: Task, width: int) -> tuple[np.ndarray | None, np.ndarray]:
    """Labels (``None`` for a regression) and probabilities, values or distances of the trained model."""
    if task is Task.REGRESSION:
        return None, np.asarray(estimator.predict(matrix), dtype=np.float64).reshape(-1)
    labels = np.asarray(estimator.predict(matrix)).astype(np.int64).reshape(-1)
    if task is Task.CLUSTERING:
        return labels, np.asarray(estimator.transform(matrix), dtype=np.float64)
    given = np.asarray(estimator.predict_proba(matrix), dtype=np.float64)
    probabilities = np.zeros((len(given), width))
    probabilities[:, np.asarray(estimator.classes_).astype(np.int64)] = given
    return labels, probabilities


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
