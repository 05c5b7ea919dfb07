"""What a window of rows is reduced to: counts that can be added, kept and compared with a profile.

Counts of two windows add up to the counts of both, so a sliding window is a few blocks of counts; it
needs no rows to be judged, and survives a restart as a few kilobytes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import msgspec
import numpy as np

from modelwright.schema.columns import Kind, TableSchema
from modelwright.schema.profile import ColumnProfile

ColumnArrays = Mapping[str, np.ndarray]
UNTESTED_KINDS = frozenset({Kind.TEXT, Kind.IMAGE, Kind.DATETIME, Kind.IDENTIFIER, Kind.CONSTANT})
"""Kinds of which only the share of missing values is compared: time only goes on, and a profile knows
no more of a text than its length."""


class ColumnCounts(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Counts of one column in a window.

    Attributes:
        name: The column.
        rows, missing: Rows, and those without a value.
        bins: Numeric: rows per bin of the profile. Categorical: per category of it.
        below, upto: Numeric: rows less than, and not more than, each quantile of the profile.
        outside: Numeric: rows below the least or above the greatest value of training.
        total, squares: Numeric: sum of the values less the profile's mean, and of their squares.
        other, unseen: Categorical: rows with a pooled category, and with one training never saw.
        new: Categorical: the most frequent unseen values.
    """

    name: str
    rows: int = 0
    missing: int = 0
    bins: list[int] = []
    below: list[int] = []
    upto: list[int] = []
    outside: int = 0
    total: float = 0.0
    squares: float = 0.0
    other: int = 0
    unseen: int = 0
    new: dict[str, int] = {}

    @property
    def known(self) -> int:
        """Rows with a value."""
        return self.rows - self.missing


_NEW_KEPT = 20
_LONGEST = 200


def count(
    profile: ColumnProfile, values: np.ndarray, categories: frozenset[str] | None = None
) -> ColumnCounts:
    """Count one column array [rows].

    Args:
        profile: What the column was like in training.
        values: Its values in the window, as ``bundle.rows`` gives them.
        categories: All categories of training, where more is known than the profile's.
    """
    if values.dtype.kind == "M":
        return ColumnCounts(name=profile.name, rows=len(values), missing=int(np.isnat(values).sum()))
    if values.dtype == object:
        return _count_words(profile, values, categories)
    return _count_numbers(profile, np.asarray(values, dtype=np.float64))


def count_columns(
    profiles: Mapping[str, ColumnProfile], columns: ColumnArrays, schema: TableSchema | None = None
) -> dict[str, ColumnCounts]:
    """Count every column that has a profile."""
    seen = seen_categories(schema)
    return {
        name: count(profile, columns[name], seen.get(name))
        for name, profile in profiles.items()
        if name in columns
    }


def seen_categories(schema: TableSchema | None) -> dict[str, frozenset[str]]:
    """Every category of training, by column, as far as the schema says."""
    if schema is None:
        return {}
    return {
        column.name: frozenset(column.categories)
        for column in schema
        if column.kind is Kind.CATEGORICAL and column.categories
    }


def add(first: ColumnCounts, second: ColumnCounts) -> ColumnCounts:
    """Counts of both windows together."""
    new = Counter(first.new)
    new.update(second.new)
    return ColumnCounts(
        name=first.name,
        rows=first.rows + second.rows,
        missing=first.missing + second.missing,
        bins=_sum(first.bins, second.bins),
        below=_sum(first.below, second.below),
        upto=_sum(first.upto, second.upto),
        outside=first.outside + second.outside,
        total=first.total + second.total,
        squares=first.squares + second.squares,
        other=first.other + second.other,
        unseen=first.unseen + second.unseen,
        new=dict(new.most_common(_NEW_KEPT)),
    )


def _sum(first: list[int], second: list[int]) -> list[int]:
    if not first or not second:
        return first or second
    return [a + b for a, b in zip(first, second, strict=True)]


def _count_numbers(profile: ColumnProfile, values: np.ndarray) -> ColumnCounts:
    ordered = np.sort(values)  # NaN last
    known = len(ordered) - int(np.isnan(values).sum())
    ordered = ordered[:known]
    counts = ColumnCounts(name=profile.name, rows=len(values), missing=len(values) - known)
    if not profile.quantiles:
        return counts
    quantiles = np.array(profile.quantiles)
    cuts = np.searchsorted(ordered, np.array(profile.edges), side="left")
    below, upto = (np.searchsorted(ordered, quantiles, side=side) for side in ("left", "right"))
    counts.bins = np.diff(np.concatenate([[0], cuts, [known]])).tolist()
    counts.below, counts.upto = below.tolist(), upto.tolist()
    counts.outside = int(below[0] + known - upto[-1])
    limit = 1e150  # whose square is still a number
    centred = np.clip(ordered, -limit, limit) - (profile.mean or 0.0)
    counts.total, counts.squares = float(centred.sum()), float(np.square(centred).sum())
    return counts


def _count_words(
    profile: ColumnProfile, values: np.ndarray, categories: frozenset[str] | None
) -> ColumnCounts:
    found = Counter(values.tolist())
    missing = found.pop("", 0)
    counts = ColumnCounts(name=profile.name, rows=len(values), missing=missing)
    if Kind(profile.kind) in UNTESTED_KINDS:
        return counts
    counts.bins = [found.pop(category, 0) for category in profile.categories]
    pooled = categories or frozenset()
    new = Counter({word: times for word, times in found.items() if word not in pooled})
    if categories is None and profile.other:
        new = Counter()  # the profile alone can't tell a rare category from a new one
    counts.unseen = sum(new.values())
    counts.other = sum(found.values()) - counts.unseen
    counts.new = {word[:_LONGEST]: times for word, times in new.most_common(_NEW_KEPT)}
    return counts
