"""A few training rows kept with a bundle: what an answer is compared with when it is explained.

They are the rows' feature columns only, at most ``MOST`` of them, drawn by the split's seed. Whoever has
the bundle can read them; a bundle without them is whole, and its answers merely cannot be explained.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from modelwright.bundle.encode import ColumnArrays
from modelwright.bundle.pictures import Picture

MOST = 64
"""Rows kept: the mean over them is what a Shapley value starts from."""


class Stored(msgspec.Struct, frozen=True):
    """One column as JSON: "number" (null = missing), "time" (microseconds since 1970) or "text"."""

    kind: str
    values: list[Any]


class Backgrounds(msgspec.Struct, frozen=True):
    """The file: each model's rows, by column."""

    models: dict[str, dict[str, Stored]]


def drawn(rows: np.ndarray, seed: int) -> np.ndarray:
    """Which of ``rows`` are kept: at most ``MOST``, the same for the same seed."""
    chosen: np.ndarray = np.random.default_rng(seed).permutation(rows)[:MOST]
    return np.sort(chosen)


def stored(columns: ColumnArrays, names: Sequence[str]) -> dict[str, Stored]:
    """The columns ``names`` as they are written; nothing at all where one holds pictures, which are large."""
    if any(isinstance(value, Picture) for name in names for value in columns.get(name, ())[:1]):
        return {}
    return {name: _stored(columns[name]) for name in names if name in columns}


def arrays(told: Mapping[str, Stored]) -> dict[str, np.ndarray]:
    """Column arrays of what was written."""
    return {name: _array(column) for name, column in told.items()}


def _stored(values: np.ndarray) -> Stored:
    if values.dtype.kind == "M":
        whole = values.astype("datetime64[us]")
        numbers = whole.astype(np.int64).tolist()
        return Stored("time", [None if gone else n for n, gone in zip(numbers, np.isnat(whole), strict=True)])
    if values.dtype == object:
        return Stored("text", [str(value) for value in values])
    numbers = values.astype(np.float64)
    return Stored("number", [float(value) if np.isfinite(value) else None for value in numbers])


def _array(column: Stored) -> np.ndarray:
    if column.kind == "text":
        values = np.empty(len(column.values), dtype=object)
        values[:] = column.values
        return values
    if column.kind == "time":
        gone = np.iinfo(np.int64).min  # NaT
        whole = [gone if value is None else value for value in column.values]
        return np.array(whole, dtype=np.int64).view("datetime64[us]")
    return np.array([np.nan if value is None else value for value in column.values], dtype=np.float64)
