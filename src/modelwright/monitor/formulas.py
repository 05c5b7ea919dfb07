"""What each metric is, once for training, live quality and the duel, of numbers that can be resampled.

Every formula takes sums over rows, with any number of leading axes: one line for the rows as they
are, and a line for each resample. How resamples are drawn, and how many, is the caller's business:
training has all the time there is, a monitor has a window every few seconds.
Names and directions are those of ``schema.catalogue``. Metrics of two labels are about the second
one; with more labels they are macro averages over the labels that occur.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Formula = Callable[[np.ndarray], np.ndarray]

_SMALLEST = 1e-15  # a probability of exactly zero would make the log loss infinite


def confusion(truth: np.ndarray, labels: np.ndarray, classes: int) -> np.ndarray:
    """int64 [classes, classes]: rows by truth, columns by answer."""
    counts = np.bincount(truth * classes + labels, minlength=classes * classes)
    return np.asarray(counts.reshape(classes, classes), dtype=np.int64)


def ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """``part / whole``, 0 where ``whole`` is 0, as scikit-learn's ``zero_division=0``."""
    whole = np.asarray(whole)
    return np.asarray(np.divide(part, whole, out=np.zeros(whole.shape), where=whole > 0))


def _averaged(per_class: np.ndarray, tables: np.ndarray) -> np.ndarray:
    """The positive class's value where there are two, else the mean over classes that occur."""
    if per_class.shape[-1] == 2:
        return per_class[..., 1]
    occurs = (tables.sum(axis=-1) + tables.sum(axis=-2)) > 0
    return np.asarray((per_class * occurs).sum(axis=-1) / occurs.sum(axis=-1))


def _hits(tables: np.ndarray) -> np.ndarray:
    return np.diagonal(tables, axis1=-2, axis2=-1)


def _accuracy(tables: np.ndarray) -> np.ndarray:
    return ratio(_hits(tables).sum(axis=-1), tables.sum(axis=(-2, -1)))


def _recall_per_class(tables: np.ndarray) -> np.ndarray:
    return ratio(_hits(tables), tables.sum(axis=-1))


def _balanced_accuracy(tables: np.ndarray) -> np.ndarray:
    occurs = tables.sum(axis=-1) > 0
    return np.asarray((_recall_per_class(tables) * occurs).sum(axis=-1) / occurs.sum(axis=-1))


def _precision(tables: np.ndarray) -> np.ndarray:
    return _averaged(ratio(_hits(tables), tables.sum(axis=-2)), tables)


def _recall(tables: np.ndarray) -> np.ndarray:
    return _averaged(_recall_per_class(tables), tables)


def _f1(tables: np.ndarray) -> np.ndarray:
    both = tables.sum(axis=-1) + tables.sum(axis=-2)
    return _averaged(ratio(2.0 * _hits(tables), both), tables)


def _mcc(tables: np.ndarray) -> np.ndarray:
    """Matthews' correlation for any number of classes. Source: Gorodkin, 2004."""
    total = tables.sum(axis=(-2, -1)).astype(np.float64)
    truth, said = tables.sum(axis=-1).astype(np.float64), tables.sum(axis=-2).astype(np.float64)
    covariance = _hits(tables).sum(axis=-1) * total - (truth * said).sum(axis=-1)
    spread = (total**2 - (truth**2).sum(axis=-1)) * (total**2 - (said**2).sum(axis=-1))
    return ratio(covariance, np.sqrt(np.maximum(spread, 0.0)))


LABEL_METRICS: dict[str, Formula] = {
    "accuracy": _accuracy,
    "balanced_accuracy": _balanced_accuracy,
    "f1": _f1,
    "precision": _precision,
    "recall": _recall,
    "mcc": _mcc,
}
"""Of confusion tables [..., classes, classes]."""


def _roc_auc(levels: np.ndarray) -> np.ndarray:
    """Area under the ROC curve, ties counting half. Source: Hanley and McNeil, 1982."""
    negative, positive = levels[..., 0], levels[..., 1]
    # Highest level first: a positive is above every negative not yet passed.
    below = negative.sum(axis=-1, keepdims=True) - np.cumsum(negative, axis=-1)
    won = (positive * (below + 0.5 * negative)).sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(won / (positive.sum(axis=-1) * negative.sum(axis=-1)))


def _average_precision(levels: np.ndarray) -> np.ndarray:
    """Average precision as scikit-learn defines it (a step function)."""
    positive = np.cumsum(levels[..., 1], axis=-1)
    called = np.cumsum(levels.sum(axis=-1), axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        precision = np.where(called > 0, positive / called, 0.0)
        return np.asarray((precision * levels[..., 1]).sum(axis=-1) / positive[..., -1])


RANKING_METRICS: dict[str, Formula] = {"roc_auc": _roc_auc, "average_precision": _average_precision}
"""Of rows by score and truth [..., levels, 2]: the highest level first, negative rows, positive rows."""

LOSSES = ("log_loss", "brier")


def row_losses(truth: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Each row's part in ``LOSSES`` [rows, 2]: the metric is the mean.

    The Brier score is the mean squared distance to the truth; where there are two labels, that of the
    second one.
    """
    given = probabilities[np.arange(len(truth)), truth]
    if probabilities.shape[1] == 2:
        squared = (probabilities[:, 1] - truth) ** 2
    else:
        squared = (probabilities**2).sum(axis=1) + 1.0 - 2.0 * given
    return np.column_stack([-np.log(np.clip(given, _SMALLEST, 1.0)), squared])


def row_errors(truth: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Each row's part in ``ERROR_METRICS`` [rows, 6], of which these take the means."""
    error = values - truth
    known = np.abs(truth) > np.finfo(np.float64).eps
    relative = np.divide(np.abs(error), np.abs(truth), out=np.zeros(len(truth)), where=known)
    centred = truth - truth.mean()  # against cancellation where the target is far from zero
    return np.column_stack([error**2, np.abs(error), relative, known, centred, centred**2])


def _r2(means: np.ndarray) -> np.ndarray:
    spread = means[..., 5] - means[..., 4] ** 2
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(1.0 - means[..., 0] / np.where(spread > 0, spread, np.nan))


def _mape(means: np.ndarray) -> np.ndarray:
    """Over rows whose truth is not zero."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(means[..., 2] / means[..., 3])


ERROR_METRICS: dict[str, Formula] = {
    "rmse": lambda means: np.sqrt(np.maximum(means[..., 0], 0.0)),
    "mae": lambda means: means[..., 1],
    "r2": _r2,
    "mape": _mape,
}
"""Of means of ``row_errors`` [..., 6]; not a number where a metric is undefined."""
