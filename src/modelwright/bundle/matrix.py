"""Which form of a matrix an estimator takes. Training side only."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.naive_bayes import GaussianNB
from sklearn.utils import get_tags

_TAKE_SPARSE = ("xgboost", "lightgbm")
_WIDENED = (GaussianNB,)  # adds large terms that cancel, in the precision of its matrix


def suited(matrix: Any, estimator: Any) -> Any:
    """``matrix`` as ``estimator`` takes it: dense where it must be, in float64 where that matters.

    Use it for every fit and prediction: XGBoost reads what a sparse matrix leaves out as missing,
    so its form is part of the model; and Gaussian naive Bayes in float32 is off by up to 5e-6 from
    the exact value of its own formula on seven numbers, by more on many.
    """
    sparse = not isinstance(matrix, np.ndarray)
    library = type(estimator).__module__.split(".")[0]
    if sparse and library not in _TAKE_SPARSE and not get_tags(estimator).input_tags.sparse:
        matrix = matrix.toarray()
    return matrix.astype(np.float64) if isinstance(estimator, _WIDENED) else matrix
