"""Which form of a matrix an estimator takes. Training side only."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.linear_model._base import LinearClassifierMixin, LinearModel
from sklearn.naive_bayes import GaussianNB
from sklearn.utils import get_tags

_TAKE_SPARSE = ("xgboost", "lightgbm")
# They add terms that cancel, in the precision of their matrix: 1e-5 of the answers' spread is lost.
_WIDENED = (GaussianNB, LinearModel)


def suited(matrix: Any, estimator: Any) -> Any:
    """``matrix`` as ``estimator`` takes it: dense where it must be, in float64 where that matters.

    Use it for every fit and prediction: XGBoost reads what a sparse matrix leaves out as missing,
    so its form is part of the model; and Gaussian naive Bayes and linear regressions lose in float32
    what the graph, which computes them in float64, keeps.
    """
    sparse = not isinstance(matrix, np.ndarray)
    library = type(estimator).__module__.split(".")[0]
    if sparse and library not in _TAKE_SPARSE and not get_tags(estimator).input_tags.sparse:
        matrix = matrix.toarray()
    wide = isinstance(estimator, _WIDENED) and not isinstance(estimator, LinearClassifierMixin)
    return matrix.astype(np.float64) if wide else matrix
