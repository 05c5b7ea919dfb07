"""Kernel ridge regression as a classifier: small data sets of text or image features, calibrated."""

from __future__ import annotations

from typing import Any, Literal, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted, validate_data

_REACH = 3.0  # the default gamma's inverse is a third of the mean squared distance
_SHARPEST = np.geomspace(0.3, 60.0, 60)
_HELD_OUT = 5  # every fifth row, where there is no leave-one-out


class KernelRidgeClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Regularised least squares on class indicators (-1, 1) in the space of a kernel.

    Rifkin, Yeo, Poggio, "Regularized Least-Squares Classification", 2003. As accurate as a support
    vector machine on such data, and its leave-one-out scores come for nothing (Allen's PRESS): from
    them the softmax that turns scores into probabilities gets its sharpness, and a fusion of several
    models its weights, on answers for rows that the model had not seen.

    Args:
        kernel: "rbf" for dense features, "linear" for sparse ones such as words.
        alpha: Ridge; larger is smoother.
        gamma: Of the "rbf" kernel ``exp(-gamma |x - y|²)``; by default three over the mean squared
            distance of two rows.
        centres: Most training rows the answer is a sum over; of more, this many are drawn.
        random_state: Of that draw.

    Attributes:
        classes_: The labels.
        loo_proba_: Leave-one-out probabilities of the training rows, [rows, classes]; ``None`` where
            centres were drawn.
        sharpness_: What scores are multiplied by before the softmax.
    """

    def __init__(
        self,
        *,
        kernel: Literal["rbf", "linear"] = "rbf",
        alpha: float = 0.1,
        gamma: float | None = None,
        centres: int = 4000,
        random_state: int | None = None,
    ) -> None:
        self.kernel = kernel
        self.alpha = alpha
        self.gamma = gamma
        self.centres = centres
        self.random_state = random_state

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:  # noqa: N803
        """Fit on ``X`` [rows, features], dense or CSR, and labels ``y``."""
        if self.kernel not in {"rbf", "linear"}:
            raise ValueError(f"kernel is 'rbf' or 'linear', not {self.kernel!r}")
        X, y = self._validated(X, y)  # noqa: N806
        self.classes_, codes = np.unique(y, return_inverse=True)
        weights = np.ones(len(codes)) if sample_weight is None else np.asarray(sample_weight, np.float64)
        weights = np.maximum(weights / weights.mean(), 1e-6)
        indicators = np.where(codes[:, np.newaxis] == np.arange(len(self.classes_)), 1.0, -1.0)
        self.gamma_ = self._gamma(X)
        if X.shape[0] <= self.centres:
            left_out = self._fit_all(X, indicators, weights)
            self.sharpness_ = _sharpness(left_out, codes, weights)
            self.loo_proba_: np.ndarray | None = softmax(left_out * self.sharpness_)
        else:
            held_out = np.arange(len(codes)) % _HELD_OUT == 0
            self._fit_centres(X[~held_out], indicators[~held_out], weights[~held_out])
            scores = self._scores(X[held_out])
            self.sharpness_ = _sharpness(scores, codes[held_out], weights[held_out])
            self._fit_centres(X, indicators, weights)
            self.loo_proba_ = None
        return self

    def decision_function(self, X: Any) -> np.ndarray:  # noqa: N803
        """Scores, float64 [rows, classes]: near 1 for the class, near -1 for others."""
        check_is_fitted(self)
        return self._scores(self._validated(X))

    def predict(self, X: Any) -> np.ndarray:  # noqa: N803
        """The class of the largest score."""
        return np.asarray(self.classes_[self.decision_function(X).argmax(axis=1)])

    def predict_proba(self, X: Any) -> np.ndarray:  # noqa: N803
        """Softmax of the sharpened scores, float64 [rows, classes]."""
        return softmax(self.decision_function(X) * self.sharpness_)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = self.kernel == "linear"
        return tags

    def _validated(self, X: Any, y: Any = None) -> Any:  # noqa: N803
        sparse = "csr" if self.kernel == "linear" else False
        if y is None:
            found = validate_data(self, X, accept_sparse=sparse, dtype=[np.float64, np.float32], reset=False)
            return found.astype(np.float64)
        X, y = validate_data(self, X, y, accept_sparse=sparse, dtype=[np.float64, np.float32])  # noqa: N806
        return X.astype(np.float64), y

    def _gamma(self, rows: Any) -> float:
        if self.kernel == "linear":
            return 0.0
        if self.gamma is not None:
            return float(self.gamma)
        spread = 2.0 * float(rows.var(axis=0).sum())
        return _REACH / spread if spread > 0 else 1.0

    def _fit_all(self, rows: Any, indicators: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Fit with every row as a centre; the leave-one-out scores."""
        gram = self._kernel(rows, rows)
        gram.flat[:: len(gram) + 1] += self.alpha / weights
        inverse = np.linalg.inv(gram)
        dual = inverse @ indicators
        self._keep(rows, dual)
        return np.asarray(indicators - dual / np.diag(inverse)[:, np.newaxis])

    def _fit_centres(self, rows: Any, indicators: np.ndarray, weights: np.ndarray) -> None:
        """Fit with some rows as centres (subset of regressors)."""
        drawn = np.random.default_rng(self.random_state).permutation(rows.shape[0])[: self.centres]
        centres = rows[np.sort(drawn)]
        among = self._kernel(centres, centres)
        normal = self.alpha * among
        right = np.zeros((len(among), indicators.shape[1]))
        for start in range(0, rows.shape[0], self.centres):
            part = slice(start, start + self.centres)
            towards = self._kernel(rows[part], centres)
            weighted = towards * weights[part, np.newaxis]
            normal += weighted.T @ towards
            right += weighted.T @ indicators[part]
        normal.flat[:: len(normal) + 1] += 1e-8 * np.trace(normal) / len(normal)
        self._keep(centres, np.linalg.solve(normal, right))

    def _keep(self, centres: Any, dual: np.ndarray) -> None:
        if self.kernel == "linear":
            self.coef_ = np.asarray((centres.T @ dual).T)
        else:
            self.centres_ = np.asarray(centres, dtype=np.float32)
            self.dual_coef_ = dual

    def _kernel(self, one: Any, other: Any) -> np.ndarray:
        product = one @ other.T
        product = np.asarray(product.toarray() if hasattr(product, "toarray") else product)
        if self.kernel == "linear":
            return product
        squares = (one**2).sum(axis=1)[:, np.newaxis] + (other**2).sum(axis=1)[np.newaxis]
        return np.asarray(np.exp(-self.gamma_ * np.maximum(squares - 2.0 * product, 0.0)))

    def _scores(self, rows: Any) -> np.ndarray:
        if self.kernel == "linear":
            return np.asarray(rows @ self.coef_.T)
        return np.asarray(self._kernel(rows, self.centres_.astype(np.float64)) @ self.dual_coef_)


def softmax(scores: np.ndarray) -> np.ndarray:
    """Rows of positive numbers that add up to one."""
    raised = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))


def log_loss_of(probabilities: np.ndarray, codes: np.ndarray, weights: np.ndarray) -> float:
    """Weighted mean of the negative log probability of each row's class."""
    own = np.maximum(probabilities[np.arange(len(codes)), codes], 1e-12)
    return float(-(weights * np.log(own)).sum() / weights.sum())


def _sharpness(scores: np.ndarray, codes: np.ndarray, weights: np.ndarray) -> float:
    losses = [log_loss_of(softmax(scores * factor), codes, weights) for factor in _SHARPEST]
    return float(_SHARPEST[int(np.argmin(losses))])
