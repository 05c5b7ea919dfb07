"""K-nearest neighbours whose ties are settled by rule, so that a graph can repeat them.

Scikit-learn leaves open which of equally distant training rows count, and its answer depends on
the search tree and the threads: on tables of few distinct values no other program can agree with it.
Here distances are rounded to a grid far coarser than arithmetic noise and far finer than data, and
of equally near rows the one that came first in training counts.
"""

from __future__ import annotations

from typing import Any, Literal, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils.validation import check_is_fitted, validate_data

_GRID = 2.0**-32  # of the longest training row's squared length
_CHUNK = 4_000_000  # distances held at a time


class _Neighbors(BaseEstimator):  # type: ignore[misc]
    """What the classifier and the regressor share."""

    def __init__(self, n_neighbors: int = 5, *, weights: Literal["uniform", "distance"] = "uniform") -> None:
        self.n_neighbors = n_neighbors
        self.weights = weights

    def _keep(self, X: Any, values: np.ndarray) -> Self:  # noqa: N803
        if not 1 <= self.n_neighbors <= X.shape[0]:
            raise ValueError(f"n_neighbors={self.n_neighbors} with {X.shape[0]} training rows")
        known = _wide(X)
        self.known_ = known.astype(np.float32)
        self.values_ = values.astype(np.float64)
        self.lengths_ = (known**2).sum(axis=1)
        self.step_ = float(self.lengths_.max()) * _GRID or 1.0
        return self

    def _weighted_sums(self, X: Any) -> tuple[np.ndarray, np.ndarray]:  # noqa: N803
        """Sum of the neighbours' weighted values [rows, outputs], and of their weights [rows, 1]."""
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse="csr", dtype=np.float32, reset=False)  # noqa: N806
        sums = np.zeros((X.shape[0], self.values_.shape[1]))
        totals = np.zeros((X.shape[0], 1))
        known = self.known_.astype(np.float64)
        size = max(1, _CHUNK // len(known))
        for start in range(0, X.shape[0], size):
            rows = slice(start, min(start + size, X.shape[0]))
            nearest, steps = self._nearest(_wide(X[rows]), known)
            weights = self._weights(steps)[:, :, None]
            # Running sums, because a plain sum may add in another order than the graph does.
            sums[rows] = np.cumsum(self.values_[nearest] * weights, axis=1)[:, -1]
            totals[rows] = np.cumsum(weights, axis=1)[:, -1]
        return sums, totals

    def _nearest(self, rows: np.ndarray, known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Positions of the nearest training rows, nearest first, and their distances in grid steps."""
        squared = rows @ (-2.0 * known.T) + self.lengths_ + (rows**2).sum(axis=1)[:, None]
        steps = np.maximum(np.rint(squared / self.step_), 0.0)
        count = self.n_neighbors
        furthest = np.partition(steps, count - 1, axis=1)[:, count - 1]
        nearest = np.empty((len(rows), count), dtype=np.int64)
        for row, limit in enumerate(furthest):
            candidates = np.flatnonzero(steps[row] <= limit)
            order = np.argsort(steps[row, candidates], kind="stable")[:count]
            nearest[row] = candidates[order]
        return nearest, np.take_along_axis(steps, nearest, axis=1)

    def _weights(self, steps: np.ndarray) -> np.ndarray:
        if self.weights == "uniform":
            return np.ones_like(steps)
        touching = steps == 0.0
        inverse = 1.0 / np.sqrt(np.where(touching, 1.0, steps))
        return np.where(touching.any(axis=1, keepdims=True), touching.astype(np.float64), inverse)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


class NeighborsClassifier(ClassifierMixin, _Neighbors):  # type: ignore[misc]
    """Vote of the nearest training rows by Euclidean distance; equal votes go to the first class.

    Args:
        n_neighbors: How many vote.
        weights: ``"uniform"``, or ``"distance"`` for a vote by inverse distance.
    """

    def fit(self, X: Any, y: Any) -> Self:  # noqa: N803
        """Keep ``X`` [rows, features], dense or CSR, and labels ``y``."""
        X, y = validate_data(self, X, y, accept_sparse="csr", dtype=np.float32)  # noqa: N806
        self.classes_, codes = np.unique(y, return_inverse=True)
        return self._keep(X, np.eye(len(self.classes_))[codes])

    def predict(self, X: Any) -> np.ndarray:  # noqa: N803
        """The class with most votes."""
        return np.asarray(self.classes_[self._weighted_sums(X)[0].argmax(axis=1)])

    def predict_proba(self, X: Any) -> np.ndarray:  # noqa: N803
        """Share of the votes, float64 [rows, classes]."""
        sums, totals = self._weighted_sums(X)
        return np.asarray(sums / totals)


class NeighborsRegressor(RegressorMixin, _Neighbors):  # type: ignore[misc]
    """Mean of the nearest training rows by Euclidean distance; arguments as the classifier's."""

    def fit(self, X: Any, y: Any) -> Self:  # noqa: N803
        """Keep ``X`` [rows, features], dense or CSR, and values ``y``."""
        X, y = validate_data(self, X, y, accept_sparse="csr", dtype=np.float32, y_numeric=True)  # noqa: N806
        return self._keep(X, np.asarray(y, dtype=np.float64).reshape(-1, 1))

    def predict(self, X: Any) -> np.ndarray:  # noqa: N803
        """Mean of the neighbours' values, float64 [rows]."""
        sums, totals = self._weighted_sums(X)
        return np.asarray((sums / totals)[:, 0])


def _wide(matrix: Any) -> np.ndarray:
    dense = matrix.toarray() if hasattr(matrix, "toarray") else matrix
    return np.asarray(dense, dtype=np.float64)
