"""A 64-bit fingerprint of every row's feature values, as the model will see them.

Two rows with one fingerprint are the same row to a model: numbers are compared as float32. The
fingerprint depends on the values alone, not on where a row stands, so a split made from it survives
reordering. Numbers are mixed by SplitMix64's finaliser (Steele, Lea and Flood, 2014), strings by
BLAKE2b of each distinct value.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)


def mix(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """SplitMix64's finaliser: near inputs become far outputs, and no two become one."""
    z = values + _GOLDEN
    z = (z ^ (z >> np.uint64(30))) * _FIRST
    z = (z ^ (z >> np.uint64(27))) * _SECOND
    return np.asarray(z ^ (z >> np.uint64(31)), dtype=np.uint64)


def row_hashes(columns: Iterable[np.ndarray]) -> NDArray[np.uint64]:
    """One fingerprint a row, over the given column arrays in their order.

    Raises:
        ValueError: There is no column.
    """
    total: NDArray[np.uint64] | None = None
    for column in columns:
        part = column_hashes(column)
        total = part if total is None else mix(total ^ part)
    if total is None:
        raise ValueError("no columns to hash")
    return mix(total)


def column_hashes(column: np.ndarray) -> NDArray[np.uint64]:
    """One fingerprint a cell; all missing cells have the same."""
    if column.dtype == object:
        return _string_hashes(column)
    if column.dtype.kind == "M":
        return mix(column.astype("datetime64[us]").view(np.uint64))
    with np.errstate(over="ignore"):
        small = column.astype(np.float32) + np.float32(0)  # -0.0 becomes 0.0
    small[np.isnan(small)] = np.float32(np.nan)
    return mix(small.view(np.uint32).astype(np.uint64))


def _string_hashes(column: np.ndarray) -> NDArray[np.uint64]:
    known: dict[str, int] = {}
    hashes = np.empty(len(column), dtype=np.uint64)
    for place, value in enumerate(column.tolist()):
        found = known.get(value)
        if found is None:
            digest = hashlib.blake2b(value.encode("utf-8", "surrogatepass"), digest_size=8).digest()
            found = known[value] = int.from_bytes(digest, "little")
        hashes[place] = found
    return hashes
