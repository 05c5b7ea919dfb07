"""Percentile bootstrap intervals (95 %), quick on any number of rows.

Drawing n rows with replacement is drawing how often each row occurs; where a metric needs only how
often each *kind* of row occurs, drawing that is the same thing and costs as many numbers as there
are kinds. So:

* label metrics are functions of the confusion matrix: its cells are drawn from one multinomial
  (exactly the row bootstrap);
* ranking metrics need the score's order: rows are grouped by score and class, and with more than
  ``LEVELS`` different scores by quantiles of the score, a resolution far below the interval's width;
* metrics made of row means (losses, errors) draw rows up to ``DRAWN_ROWS`` rows; above, the means
  are drawn from the normal distribution that they follow there (central limit theorem).

Source: Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

RESAMPLES = 1000
LEVELS = 512
DRAWN_ROWS = 4_000
_TAIL = 0.025


def interval(draws: np.ndarray, value: float) -> tuple[float, float]:
    """The middle 95 % of ``draws``, stretched to hold ``value`` itself; NaN draws are left out."""
    finite = draws[np.isfinite(draws)]
    if not len(finite):
        return value, value
    low, high = np.quantile(finite, [_TAIL, 1 - _TAIL])
    return float(min(low, value)), float(max(high, value))


def confusion_draws(matrix: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Confusion matrices of resampled rows, int64 [RESAMPLES, classes, classes]."""
    total = int(matrix.sum())
    cells = np.flatnonzero(matrix)  # an empty cell stays empty, and most are, with many classes
    drawn = np.zeros((RESAMPLES, matrix.size), dtype=np.int64)
    drawn[:, cells] = generator.multinomial(total, matrix.ravel()[cells] / total, size=RESAMPLES)
    return drawn.reshape(RESAMPLES, *matrix.shape)


def level_counts(score: np.ndarray, positive: np.ndarray, levels: int = LEVELS) -> np.ndarray:
    """Rows at each level of the score, highest first: float64 [levels, 2] (negative, positive)."""
    values, place = np.unique(score, return_inverse=True)
    if len(values) > levels:
        edges = np.unique(np.quantile(score, np.linspace(0, 1, levels + 1)[1:-1]))
        place = np.searchsorted(edges, score, side="right")
        size = len(edges) + 1
    else:
        size = len(values)
    counts = np.zeros((size, 2))
    np.add.at(counts, (place, positive.astype(np.int64)), 1.0)
    return counts[::-1]


def level_draws(counts: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Resampled level counts, float64 [RESAMPLES, levels, 2]."""
    total = int(counts.sum())
    drawn = generator.multinomial(total, counts.ravel() / total, size=RESAMPLES)
    return drawn.reshape(RESAMPLES, *counts.shape).astype(np.float64)


def mean_draws(statistics: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Means of row statistics over resampled rows.

    Args:
        statistics: float64 [rows, k], one row's contribution to each of k means.
        generator: Of the draw.

    Returns:
        float64 [RESAMPLES, k].
    """
    rows, k = statistics.shape
    means = statistics.mean(axis=0)
    if rows > DRAWN_ROWS:
        centred = statistics - means
        covariance = centred.T @ centred / rows / rows
        return generator.multivariate_normal(means, covariance, size=RESAMPLES, method="svd")
    drawn = np.empty((RESAMPLES, k))
    for number in range(RESAMPLES):
        drawn[number] = statistics[generator.integers(0, rows, size=rows)].mean(axis=0)
    return drawn


def row_draws(
    measure: Callable[[np.ndarray], float], rows: int, generator: np.random.Generator, *, times: int
) -> np.ndarray:
    """``measure`` of resampled row positions, for metrics that are nothing simpler."""
    return np.array([measure(generator.integers(0, rows, size=rows)) for _ in range(times)])
