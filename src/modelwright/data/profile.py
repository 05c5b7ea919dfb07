"""The reference profile of training data: what later data is compared with to find drift."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from modelwright.data.arrays import ColumnArrays
from modelwright.schema.columns import Kind, Scalar, TableSchema
from modelwright.schema.profile import ColumnProfile, Profile

BINS = 10
_FEW = 20
_MOST_CATEGORIES = 50


def profile(columns: ColumnArrays, schema: TableSchema, target: ColumnProfile | None = None) -> Profile:
    """Profile every feature column.

    Args:
        columns: Column arrays [rows].
        schema: Which columns, and their kinds.
        target: Profile of the target, by ``value_profile``.
    """
    profiles = tuple(column_profile(column.name, column.kind, columns[column.name]) for column in schema)
    return Profile(rows=profiles[0].rows if profiles else 0, columns=profiles, target=target)


def column_profile(name: str, kind: Kind, values: np.ndarray) -> ColumnProfile:
    """Profile one column array."""
    if kind is Kind.TEXT or kind is Kind.IMAGE:
        return _text_profile(name, kind, values)
    if values.dtype == object:
        return _category_profile(name, kind, values)
    if values.dtype.kind == "M":
        known = values[~np.isnat(values)].astype("datetime64[us]").astype(np.int64) / 1e6
        return _number_profile(name, kind, known, len(values))
    return _number_profile(name, kind, values[~np.isnan(values)], len(values))


def value_profile(name: str, values: np.ndarray, labels: tuple[Scalar, ...] = ()) -> ColumnProfile:
    """Profile a target or a model's answers.

    Args:
        name: Name of the target or the model.
        values: Numbers [rows], or where ``labels`` are given, int codes into them.
        labels: The labels of a classification, or cluster numbers.
    """
    if not labels:
        return column_profile(name, Kind.NUMERIC, np.asarray(values, dtype=np.float64))
    counts = np.bincount(np.asarray(values, dtype=np.int64), minlength=len(labels))
    order = np.argsort(-counts, kind="stable")
    kept = order[:_MOST_CATEGORIES]
    return ColumnProfile(
        name=name,
        kind=Kind.CATEGORICAL.value,
        rows=len(values),
        categories=tuple(str(labels[code]) for code in kept),
        counts=tuple(int(counts[code]) for code in kept),
        other=int(counts[order[_MOST_CATEGORIES:]].sum()),
    )


def _number_profile(name: str, kind: Kind, known: NDArray[np.float64], rows: int) -> ColumnProfile:
    missing = rows - len(known)
    known = known[np.isfinite(known)]
    if not len(known):
        return ColumnProfile(name=name, kind=kind.value, rows=rows, missing=missing)
    ordered = np.sort(known)
    edges = bin_edges(ordered, kind)
    below = np.concatenate([[0], np.searchsorted(ordered, edges, side="left"), [len(ordered)]])
    return ColumnProfile(
        name=name,
        kind=kind.value,
        rows=rows,
        missing=missing,
        edges=tuple(edges.tolist()),
        counts=tuple(int(count) for count in np.diff(below)),
        quantiles=tuple(_quantiles(ordered, np.linspace(0, 1, 101)).tolist()),
        mean=float(ordered.mean()),
        std=float(ordered.std()),
    )


def bin_edges(ordered: NDArray[np.float64], kind: Kind) -> NDArray[np.float64]:
    """Inner edges of the bins: a value equal to an edge falls into the bin above it.

    Up to 20 distinct whole values have a bin each; else the edges are deciles.
    """
    steps = ordered[1:] != ordered[:-1]
    few = int(steps.sum()) + 1 <= _FEW
    if few and kind in {Kind.INTEGER, Kind.BOOLEAN}:
        distinct = np.concatenate([ordered[:1], ordered[1:][steps]])
        return np.asarray((distinct[1:] + distinct[:-1]) / 2)
    return np.unique(_quantiles(ordered, np.arange(1, BINS) / BINS))


def _quantiles(ordered: NDArray[np.float64], shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Quantiles of sorted values with linear interpolation (Hyndman and Fan's type 7)."""
    at = shares * (len(ordered) - 1)
    low = np.floor(at).astype(np.int64)
    high = np.minimum(low + 1, len(ordered) - 1)
    return np.asarray(ordered[low] + (ordered[high] - ordered[low]) * (at - low))


def _category_profile(name: str, kind: Kind, values: np.ndarray) -> ColumnProfile:
    counts: dict[str, int] = {}
    for value in values.tolist():
        counts[value] = counts.get(value, 0) + 1
    missing = counts.pop("", 0)
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    kept = ranked[:_MOST_CATEGORIES]
    return ColumnProfile(
        name=name,
        kind=kind.value,
        rows=len(values),
        missing=missing,
        categories=tuple(word for word, _ in kept),
        counts=tuple(count for _, count in kept),
        other=sum(count for _, count in ranked[_MOST_CATEGORIES:]),
    )


def _text_profile(name: str, kind: Kind, values: np.ndarray) -> ColumnProfile:
    lengths = np.fromiter(map(len, values.tolist()), dtype=np.int64, count=len(values))
    filled = lengths > 0
    return ColumnProfile(
        name=name,
        kind=kind.value,
        rows=len(values),
        missing=int((~filled).sum()),
        mean_length=float(lengths[filled].mean()) if filled.any() else None,
    )
