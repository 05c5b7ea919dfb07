"""Estimators of our own, with the scikit-learn interface."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LinearRegression
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.validation import check_is_fitted, validate_data


class LeastSquaresClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Linear regression used as a classifier: least squares on the class indicators.

    Hastie, Tibshirani, Friedman, "The Elements of Statistical Learning", sec. 4.2. The class with
    the largest fitted indicator wins; probabilities are the indicators clipped to [0, 1] and
    normalised, so they rank rows but are not calibrated.

    Args:
        class_weight: ``"balanced"`` gives every class the same total weight.
    """

    def __init__(self, *, class_weight: str | None = None) -> None:
        self.class_weight = class_weight

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:  # noqa: N803
        """Fit on ``X`` [rows, features], dense or CSR, and labels ``y``."""
        X, y = validate_data(self, X, y, accept_sparse="csr", dtype=[np.float64, np.float32])  # noqa: N806
        binarizer = LabelBinarizer().fit(y)
        indicators = binarizer.transform(y).astype(np.float64)
        if indicators.shape[1] == 1:
            indicators = np.hstack([1 - indicators, indicators])
        if self.class_weight is not None:
            balance = compute_sample_weight(self.class_weight, y)
            sample_weight = balance if sample_weight is None else balance * sample_weight
        model = LinearRegression().fit(X.astype(np.float64), indicators, sample_weight=sample_weight)
        self.classes_ = binarizer.classes_
        self.coef_ = model.coef_
        self.intercept_ = model.intercept_
        return self

    def decision_function(self, X: Any) -> np.ndarray:  # noqa: N803
        """Fitted class indicators, float64 [rows, classes]."""
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse="csr", dtype=[np.float64, np.float32], reset=False)  # noqa: N806
        return np.asarray(X.astype(np.float64) @ self.coef_.T + self.intercept_)

    def predict(self, X: Any) -> np.ndarray:  # noqa: N803
        """The class with the largest indicator."""
        return np.asarray(self.classes_[self.decision_function(X).argmax(axis=1)])

    def predict_proba(self, X: Any) -> np.ndarray:  # noqa: N803
        """Clipped and normalised indicators, float64 [rows, classes]."""
        # The indicators of a row add up to one, so their positive parts never add up to zero.
        clipped = np.clip(self.decision_function(X), 0.0, 1.0)
        return np.asarray(clipped / clipped.sum(axis=1, keepdims=True))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
