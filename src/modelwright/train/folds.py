"""Which training rows a candidate is fitted on and which it is scored on while candidates compete.

The held-out rows never take part: they are for the number that is reported. Rows that are equal, or
that share a group, stay together, so that no candidate is scored on a row it has learned by heart.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

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


def plan(units: np.ndarray, strata: np.ndarray | None, *, seed: int, latest: Fold | None) -> Plan:
    """Folds over the training rows.

    Args:
        units: One number a row; rows with the same number stay together.
        strata: One number a row (the class) whose shares every fold should have; ``None`` for none.
        seed: Of the draw.
        latest: Where the split is by time: the fold that scores on the latest rows, the only one then.
    """
    rows = len(units)
    if latest is not None:
        return Plan((latest,), refit=rows <= CROSS_VALIDATED_ROWS)
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
