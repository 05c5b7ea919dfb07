"""Finds columns that give the target away: one of them alone predicts it almost perfectly.

Such a column usually came to be after the outcome (the number of the lifeboat, the date of the
refund), and a model that leans on it is worthless on new rows. Two signs, both measured on rows that
the rule was not made from (two-fold):

- **its values**: cutting the column into up to 32 ranges (or its categories) and answering each with
  what is most frequent there gives a balanced accuracy of 0.99; for a regression, answering with the
  range's mean explains 0.99 of the variance;
- **its gaps**: whether the cell is filled alone gives a balanced accuracy of 0.95; or nearly all
  (0.99) of the filled, or of the empty, cells have one label that the others have rarely.

Where many columns each reach the mark, the classes are simply far apart, and nothing is reported.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from modelwright.schema.columns import TableSchema

BY_VALUE = 0.99
BY_GAPS = 0.95
_PURE = 0.99
_SAMPLE = 20_000
_BINS = 32
_LEAST_ROWS = 30


class GiveAway(NamedTuple):
    """A column that predicts the target alone.

    Attributes:
        column: Its name.
        by: ``value`` or ``gaps``.
        score: Balanced accuracy (or explained variance) of that column alone; for pure gaps the share
            of the one label among them.
        sentence: The same for people.
    """

    column: str
    by: str
    score: float
    sentence: str


def find_give_aways(
    arrays: dict[str, np.ndarray], schema: TableSchema, y: NDArray[np.generic], labels: tuple[object, ...]
) -> list[GiveAway]:
    """Look at every feature column on a sample of the rows (20,000 at most, always the same ones).

    Args:
        arrays: Column arrays [rows].
        schema: The feature columns.
        y: Codes into ``labels``, or the values of a regression.
        labels: Empty for a regression.
    """
    rows = len(y)
    chosen = np.random.default_rng(0).permutation(rows)[:_SAMPLE]
    y = y[chosen]
    if len(y) < _LEAST_ROWS:
        return []
    found = []
    for column in schema:
        values = arrays[column.name][chosen]
        codes, filled = _bins(values)
        by_gaps = _by_gaps(column.name, filled, y, labels) if labels else None
        if by_gaps is not None:
            found.append(by_gaps)
            continue
        score = _balanced_accuracy(codes, y, len(labels)) if labels else _explained(codes, y)
        if score >= BY_VALUE:
            found.append(GiveAway(column.name, "value", score, _sentence(column.name, score, labels)))
    by_value = sum(item.by == "value" for item in found)
    if by_value > 3 and by_value > len(schema.columns) / 4:
        found = [item for item in found if item.by != "value"]
    return found


def _sentence(name: str, score: float, labels: tuple[object, ...]) -> str:
    if labels:
        return f"Column {name!r} alone predicts the target with a balanced accuracy of {score:.3f}."
    return f"Column {name!r} alone explains {score:.1%} of the target's variance."


def _bins(values: np.ndarray) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Each cell's range or category, 0 for a missing one; and which cells are filled."""
    if values.dtype == object:
        distinct, codes = np.unique(values.astype(str), return_inverse=True)
        filled = values != ""
        return np.where(filled, codes + 1, 0).astype(np.int64), filled
    if values.dtype.kind == "M":
        numeric = np.where(np.isnat(values), np.nan, values.astype(np.int64).astype(np.float64))
    else:
        numeric = values
    filled = ~np.isnan(numeric)
    known = numeric[filled]
    if not len(known):
        return np.zeros(len(values), dtype=np.int64), filled
    distinct = np.unique(known)
    edges = (
        distinct[1:] if len(distinct) <= _BINS else np.unique(np.quantile(known, np.arange(1, _BINS) / _BINS))
    )
    return np.where(filled, np.searchsorted(edges, numeric, side="right") + 1, 0).astype(np.int64), filled


def _balanced_accuracy(codes: NDArray[np.int64], y: NDArray[np.generic], classes: int) -> float:
    """Mean recall of "the most telling label of the range", two-fold; labels are weighed equally."""
    codes = np.unique(codes, return_inverse=True)[1]
    size = int(codes.max()) + 1
    if size * classes > 50_000_000:
        return 0.0
    labels = y.astype(np.int64)
    halves = np.arange(len(y)) % 2
    right = np.zeros(classes)
    for half in (0, 1):
        fit, judge = halves != half, halves == half
        table = np.bincount(codes[fit] * classes + labels[fit], minlength=size * classes)
        shares = table.reshape(size, classes) / np.maximum(np.bincount(labels[fit], minlength=classes), 1)
        shares[shares.sum(axis=1) == 0, :] = np.eye(1, classes)  # never seen: some label, as good as any
        answer = shares.argmax(axis=1)[codes[judge]]
        right += np.bincount(labels[judge][answer == labels[judge]], minlength=classes)
    counts = np.bincount(labels, minlength=classes)
    return float((right[counts > 0] / counts[counts > 0]).mean())


def _explained(codes: NDArray[np.int64], y: NDArray[np.generic]) -> float:
    """Share of the variance that the range's mean explains, two-fold."""
    codes = np.unique(codes, return_inverse=True)[1]
    values = y.astype(np.float64)
    halves = np.arange(len(y)) % 2
    error = 0.0
    for half in (0, 1):
        fit, judge = halves != half, halves == half
        counts = np.bincount(codes[fit], minlength=int(codes.max()) + 1)
        sums = np.bincount(codes[fit], weights=values[fit], minlength=int(codes.max()) + 1)
        means = np.where(counts > 0, sums / np.maximum(counts, 1), values[fit].mean())
        error += float(((values[judge] - means[codes[judge]]) ** 2).sum())
    spread = float(((values - values.mean()) ** 2).sum())
    return 1 - error / spread if spread > 0 else 0.0


def _by_gaps(
    name: str, filled: NDArray[np.bool_], y: NDArray[np.generic], labels: tuple[object, ...]
) -> GiveAway | None:
    if min(filled.sum(), (~filled).sum()) < _LEAST_ROWS:
        return None
    score = _balanced_accuracy(filled.astype(np.int64), y, len(labels))
    if score >= BY_GAPS and len(labels) == 2:
        return GiveAway(
            name,
            "gaps",
            score,
            f"Whether column {name!r} is filled predicts the target alone, "
            f"with a balanced accuracy of {score:.3f}.",
        )
    codes = y.astype(np.int64)
    for side, word in ((filled, "filled"), (~filled, "empty")):
        inside = np.bincount(codes[side], minlength=len(labels))
        outside = np.bincount(codes[~side], minlength=len(labels))
        label = int(inside.argmax())
        purity, elsewhere = inside[label] / inside.sum(), outside[label] / outside.sum()
        if purity >= _PURE and elsewhere <= 0.8:
            return GiveAway(
                name,
                "gaps",
                float(purity),
                f"Where column {name!r} is {word}, the target is {labels[label]!r} in {purity:.1%} "
                f"of {inside.sum():,} rows (elsewhere in {elsewhere:.1%}).",
            )
    return None
