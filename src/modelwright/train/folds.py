"""Which training rows a candidate is fitted on and which it is scored on while candidates compete.

The held-out rows never take part: they are for the number that is reported. Rows that are equal, or
that share a group, stay together, so that no candidate is scored on a row it has learned by heart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from modelwright.bundle.encode import Packed

CROSS_VALIDATED_ROWS = 20_000  # up to here candidates are cross-validated, above a share is set aside
REPEATED_ROWS = 500  # up to here folds are drawn three times: five folds of 100 rows decide by luck
FOLDS = 5
VALIDATION_SHARE = 0.1


@dataclass(frozen=True)
class Fold:
    """Positions of training rows: those to fit on, and those to score on."""

    fit: np.ndarray
    score: np.ndarray


@dataclass(frozen=True)
class Plan:
    """How candidates compete.

    Attributes:
        folds: What each is fitted and scored on.
        refit: Whether a candidate is fitted once more on all training rows. Not with many rows: the
            tenth that is set aside would double the cost of training and change the model little.
    """

    folds: tuple[Fold, ...]
    refit: bool

    @property
    def words(self) -> str:
        """For a report."""
        if not self.refit:
            return f"on {len(self.folds[0].score):,} training rows set aside"
        if len(self.folds) == 1:
            return "on the latest training rows"
        repeats = len(self.folds) // FOLDS
        return f"{FOLDS}-fold cross-validation{f', {repeats} times' if repeats > 1 else ''}, training rows"


def plan(units: np.ndarray, strata: np.ndarray | None, *, seed: int, by_time: np.ndarray | None) -> Plan:
    """Folds over the training rows.

    Args:
        units: One number a row; rows with the same number stay together.
        strata: One number a row (the class) whose shares every fold should have; ``None`` for none.
        seed: Of the draw.
        by_time: One time a row where the split is by time: then the latest rows are scored on.
    """
    rows = len(units)
    if by_time is not None:
        order = np.argsort(by_time, kind="stable")
        cut = max(1, rows - max(1, round(rows * VALIDATION_SHARE * 2)))
        return Plan((Fold(np.sort(order[:cut]), np.sort(order[cut:])),), refit=rows <= CROSS_VALIDATED_ROWS)
    if rows > CROSS_VALIDATED_ROWS:
        return Plan((validation(units, strata, seed=seed),), refit=False)
    repeats = 3 if rows <= REPEATED_ROWS else 1
    return Plan(tuple(f for r in range(repeats) for f in k_folds(units, strata, FOLDS, seed=seed + r)), True)


def validation(
    units: np.ndarray, strata: np.ndarray | None, *, seed: int, share: float = VALIDATION_SHARE
) -> Fold:
    """One share of the rows set aside, whole units, each stratum by its share."""
    return k_folds(units, strata, round(1 / share), seed=seed, only_first=True)[0]


def k_folds(
    units: np.ndarray, strata: np.ndarray | None, k: int, *, seed: int, only_first: bool = False
) -> list[Fold]:
    """Every row is scored on in exactly one fold; units stay whole; strata are dealt evenly.

    Units are shuffled, put in order of their stratum, and dealt to the folds in turn. Fewer folds
    come back where there are fewer units.
    """
    labels, first, place = np.unique(units, return_index=True, return_inverse=True)
    order = np.random.default_rng(seed).permutation(len(labels))
    if strata is not None:
        order = order[np.argsort(strata[first][order], kind="stable")]
    k = min(k, len(labels))
    hand = np.empty(len(labels), dtype=np.int64)
    hand[order] = np.arange(len(labels)) % k
    fold_of_row = hand[place]
    return [
        Fold(np.flatnonzero(fold_of_row != number), np.flatnonzero(fold_of_row == number))
        for number in range(1 if only_first else k)
    ]


def units_of(packed: Packed, group: Sequence[str] | np.ndarray | None = None) -> np.ndarray:
    """One int64 a row, equal for rows that are equal (or share a group, where groups are given)."""
    if group is not None:
        return np.unique(np.asarray(group).astype(str), return_inverse=True)[1]
    mixed = _hashed(np.ascontiguousarray(packed.numbers).view(np.uint32))
    for slot in range(packed.strings.shape[1]):
        codes = np.unique(packed.strings[:, slot].astype(str), return_inverse=True)[1]
        mixed = _stir(mixed ^ codes.astype(np.uint64))
    if packed.text is not None:
        sums = np.zeros(packed.rows, dtype=np.uint64)
        row = np.repeat(np.arange(packed.rows), np.diff(packed.text.indptr))
        terms = _stir(packed.text.indices.astype(np.uint64)) ^ packed.text.data.view(np.uint32)
        np.add.at(sums, row, _stir(terms))
        mixed = _stir(mixed ^ sums)
    return np.unique(mixed, return_inverse=True)[1]


def _hashed(words: np.ndarray) -> np.ndarray:
    """A 64-bit hash of each row of uint32 words, column by column so that no copy is made."""
    mixed = np.full(len(words), 0x9E3779B97F4A7C15, dtype=np.uint64)
    for slot in range(words.shape[1]):
        mixed = _stir(mixed ^ words[:, slot])
    return mixed


def _stir(values: np.ndarray) -> np.ndarray:
    """The finaliser of SplitMix64 (Steele, Lea, Flood, 2014): every bit depends on every other."""
    values = values + np.uint64(0x9E3779B97F4A7C15)
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(values ^ (values >> np.uint64(31)))
