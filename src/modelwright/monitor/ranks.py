"""Any column as numbers between 0 and 1, so that one detector suits all.

A number becomes the share of training rows below it (its rank), which tames outliers and makes units
vanish; a category becomes its share in training. Missing values stay NaN.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from modelwright.monitor.counts import UNTESTED_KINDS
from modelwright.schema.columns import Kind
from modelwright.schema.profile import ColumnProfile

Floats = NDArray[np.float64]
_LEAST_DEVIATION = 0.05


class Ranker:
    """Ranks of one column, by its profile.

    Attributes:
        mean, deviation: Of the ranks in training.
    """

    def __init__(self, profile: ColumnProfile) -> None:
        self._shares: dict[str, float] | None = None
        known = max(1, profile.rows - profile.missing)
        if profile.quantiles:
            quantiles = np.array(profile.quantiles)
            self._points, first = np.unique(quantiles, return_index=True)
            last = np.append(first[1:], len(quantiles)) - 1
            self._ranks = (first + last) / (2 * (len(quantiles) - 1))
            typical = self(quantiles)
            weights = np.full(len(typical), 1 / len(typical))
        else:
            self._shares = {
                word: times / known for word, times in zip(profile.categories, profile.counts, strict=True)
            }
            typical = np.array([*self._shares.values(), 0.0])
            weights = np.append(typical[:-1], profile.other / known)
        self.mean = float(typical @ weights)
        self.deviation = max(_LEAST_DEVIATION, float(((typical - self.mean) ** 2 @ weights) ** 0.5))

    def __call__(self, values: np.ndarray) -> Floats:
        """Ranks [rows] of a column array [rows]."""
        if self._shares is None:
            ranks = np.interp(values, self._points, self._ranks)
            return np.where(np.isnan(values), np.nan, ranks)
        shares = {"": np.nan, **self._shares}
        return np.array([shares.get(word, 0.0) for word in values.tolist()], dtype=np.float64)


def ranker(profile: ColumnProfile) -> Ranker | None:
    """The ranker of a column; ``None`` for kinds that have no ranks or were all missing."""
    if Kind(profile.kind) in UNTESTED_KINDS or not (profile.quantiles or profile.categories):
        return None
    return Ranker(profile)
