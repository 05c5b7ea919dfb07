"""Candidates compete on training rows only, and never on a row they have learned."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelwright.train.folds import CROSS_VALIDATED_ROWS, Fold, k_folds, plan
from modelwright.train.material import balancing_weights


@given(
    units=st.lists(st.integers(0, 40), min_size=10, max_size=200).map(np.array),
    k=st.integers(2, 6),
    seed=st.integers(0, 1000),
)
def test_units_stay_whole_and_every_row_is_scored_once(units, k, seed):
    """Rows of one unit are on one side of every fold, and each row is scored on exactly once."""
    folds = k_folds(units, units % 3, k, seed=seed)
    scored = np.concatenate([fold.score for fold in folds])
    assert sorted(scored) == list(range(len(units)))
    for fold in folds:
        assert not set(units[fold.fit]) & set(units[fold.score])
        assert len(fold.fit) + len(fold.score) == len(units)


def test_classes_are_dealt_evenly():
    """Every fold has its share of a rare class."""
    strata = np.repeat([0, 1], [180, 20])
    folds = k_folds(np.arange(200), strata, 5, seed=3)
    assert [int(strata[fold.score].sum()) for fold in folds] == [4] * 5


@pytest.mark.parametrize(
    ("rows", "folds", "refit"), [(100, 15, True), (5000, 5, True), (CROSS_VALIDATED_ROWS + 1, 1, False)]
)
def test_effort_fits_the_number_of_rows(rows, folds, refit):
    """Few rows are cross-validated three times, many once, very many set a tenth aside and fit once."""
    found = plan(np.arange(rows), None, seed=1, latest=None)
    assert (len(found.folds), found.refit) == (folds, refit)
    if not refit:
        assert len(found.folds[0].score) == pytest.approx(rows / 10, abs=1)


def test_by_time_only_the_latest_rows_score():
    """A split by time scores on the later training rows and nothing else."""
    fold = Fold(np.arange(80), np.arange(80, 100))
    assert plan(np.arange(100), None, seed=1, latest=fold).folds == (fold,)


@pytest.mark.parametrize(
    ("counts", "wish", "balanced"),
    [
        ([90, 10], None, True),
        ([70, 30], None, False),
        ([70, 30], "balanced", True),
        ([90, 10], "none", False),
        ([200, 200, 200, 10], None, True),
        ([100] * 10, None, False),
    ],
)
def test_classes_are_balanced_where_one_is_rare_or_asked_for(counts, wish, balanced):
    """Weights make classes weigh the same; without a rare class nobody gets any."""
    target = np.repeat(np.arange(len(counts)), counts)
    weights = balancing_weights(target, len(counts), wish)
    assert (weights is not None) == balanced
    if weights is not None:
        sums = np.bincount(target, weights=weights)
        assert np.allclose(sums, sums[0])
        assert weights.sum() == pytest.approx(len(target))
