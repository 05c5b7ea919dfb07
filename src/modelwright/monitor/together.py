"""All features together: can a classifier tell the window's rows from earlier ones?

A logistic regression (on values, their squares, missing marks and frequent categories) learns on one
half of the rows; how well it ranks the other half is its AUC. Under no change the held-out scores
are exchangeable, so the AUC's p-value is that of the Mann-Whitney test: no permutations are needed.
Source: Lopez-Paz and Oquab, "Revisiting classifier two-sample tests", ICLR 2017; Mann and Whitney,
1947.

It needs earlier *rows*. A profile does not hold any, and rows drawn from it column by column would
differ from real ones in how columns hang together; so without rows this check is left out.
"""

from __future__ import annotations

from collections import Counter

import msgspec
import numpy as np
from numpy.typing import NDArray

from modelwright.monitor import statistics
from modelwright.monitor.counts import ColumnArrays

Floats = NDArray[np.float64]
MOST_ROWS = 10_000
LEAST_ROWS = 100
_CATEGORIES = 10
_RIDGE = 1.0
_ROUNDS = 25


class Separation(msgspec.Struct, frozen=True, kw_only=True):
    """How well a classifier tells the window from earlier rows.

    Attributes:
        auc: Of the held-out rows; 0.5 means that it cannot.
        p_value: Of an AUC that high by chance.
        rows, rows_before: Rows used, both halves.
        drifted: Whether it is significant and large enough to matter.
        leading: The features that it relies on most.
    """

    auc: float
    p_value: float
    rows: int
    rows_before: int
    drifted: bool
    leading: tuple[str, ...] = ()


def separation(
    before: ColumnArrays, now: ColumnArrays, *, seed: int = 0, level: float = 0.001, least_auc: float = 0.6
) -> Separation | None:
    """Tell ``now`` from ``before``.

    Args:
        before, now: Column arrays [rows] with the same columns; at most 10,000 rows of each are used.
        seed: Of the choice of rows.
        level, least_auc: What counts as drift.

    Returns:
        ``None`` where there are too few rows or no columns in common.
    """
    random = np.random.default_rng(seed)
    names = [name for name in before if name in now]
    picks = [_picked(side, names, random) for side in (before, now)]
    if not names or min(map(len, picks)) < LEAST_ROWS:
        return None
    matrix, owners = _matrix(names, before, now, picks)
    truth = np.repeat([0.0, 1.0], [len(picks[0]), len(picks[1])])
    half = np.concatenate([np.arange(len(pick)) % 2 == 0 for pick in picks])
    centre, scale = matrix[half].mean(axis=0), matrix[half].std(axis=0)
    matrix = np.clip((matrix - centre) / np.where(scale > 0, scale, 1.0), -10, 10)
    weights = _logistic(matrix[half], truth[half])
    auc, p = rank_auc(matrix[~half] @ weights[1:], truth[~half] > 0)
    by_owner: Counter[str] = Counter()
    for owner, weight in zip(owners, np.abs(weights[1:]).tolist(), strict=True):
        by_owner[owner] += weight
    drifted = p < level and auc >= least_auc
    return Separation(
        auc=auc,
        p_value=p,
        rows=len(picks[1]),
        rows_before=len(picks[0]),
        drifted=drifted,
        leading=tuple(name for name, _ in by_owner.most_common(3)) if drifted else (),
    )


def rank_auc(scores: Floats, positive: NDArray[np.bool_]) -> tuple[float, float]:
    """Area under the ROC curve, and the one-sided p-value of one that high by chance (with ties)."""
    values, codes, counts = np.unique(scores, return_inverse=True, return_counts=True)
    del values
    ranks = (counts.cumsum() - (counts - 1) / 2)[codes]
    n1, n = int(positive.sum()), len(scores)
    n0 = n - n1
    if not n0 or not n1:
        return 0.5, 1.0
    u = float(ranks[positive].sum()) - n1 * (n1 + 1) / 2
    ties = float((counts.astype(np.float64) ** 3 - counts).sum()) / (n * (n - 1))
    deviation = (n0 * n1 / 12 * (n + 1 - ties)) ** 0.5
    p = statistics.normal_survival((u - n0 * n1 / 2) / deviation) if deviation > 0 else 1.0
    return u / (n0 * n1), p


def _picked(columns: ColumnArrays, names: list[str], random: np.random.Generator) -> NDArray[np.int64]:
    rows = len(columns[names[0]]) if names else 0
    return np.asarray(random.permutation(rows)[:MOST_ROWS], dtype=np.int64)


def _matrix(
    names: list[str], before: ColumnArrays, now: ColumnArrays, picks: list[NDArray[np.int64]]
) -> tuple[Floats, list[str]]:
    """Numbers of the picked rows, earlier ones first, and the feature that each number is of."""
    made: list[Floats] = []
    owners: list[str] = []
    for name in names:
        values = np.concatenate([before[name][picks[0]], now[name][picks[1]]])
        if values.dtype.kind == "M":
            continue  # time only goes on
        parts = _words(values) if values.dtype == object else _numbers(values)
        made += parts
        owners += [name] * len(parts)
    return np.column_stack(made) if made else np.zeros((sum(map(len, picks)), 0)), owners


def _numbers(values: np.ndarray) -> list[Floats]:
    known = np.isfinite(values)
    if not known.any():
        return [(~known).astype(np.float64)]
    middle, spread = np.median(values[known]), np.subtract(*np.percentile(values[known], [75, 25]))
    spread = spread if spread > 0 else (values[known].std() or 1.0)
    scaled = np.clip((np.where(known, values, middle) - middle) / spread, -5, 5)
    parts = [scaled, scaled**2]
    return parts if known.all() else [*parts, (~known).astype(np.float64)]


def _words(values: np.ndarray) -> list[Floats]:
    common = [word for word, _ in Counter(values.tolist()).most_common(_CATEGORIES)]
    return [np.asarray(values == word, dtype=np.float64) for word in common]


def _logistic(matrix: Floats, truth: Floats) -> Floats:
    """Weights, the constant first, of a ridge logistic regression with classes weighted alike.

    Newton's method. Source: Hastie, Tibshirani and Friedman, "The Elements of Statistical Learning",
    section 4.4.1.
    """
    full = np.column_stack([np.ones(len(matrix)), matrix])
    rows = np.where(truth > 0, 0.5 / truth.mean(), 0.5 / (1 - truth.mean()))
    weights = np.zeros(full.shape[1])
    ridge = np.full(full.shape[1], _RIDGE)
    ridge[0] = 1e-6
    for _ in range(_ROUNDS):
        p = 1 / (1 + np.exp(-np.clip(full @ weights, -30, 30)))
        slope = full.T @ (rows * (truth - p)) - ridge * weights
        curve = (full * (rows * np.maximum(p * (1 - p), 1e-6))[:, None]).T @ full + np.diag(ridge)
        step = np.linalg.solve(curve, slope)
        weights += step
        if np.abs(step).max() < 1e-6:
            break
    return weights
