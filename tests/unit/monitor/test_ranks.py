"""Columns become numbers between 0 and 1 whose mean in training is known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelwright.data.profile import column_profile
from modelwright.monitor.ranks import ranker
from modelwright.schema.columns import Kind


@given(st.integers(0, 1000), st.sampled_from(["normal", "skewed", "count", "flag", "constant"]))
def test_the_mean_of_training_ranks_is_the_known_one(seed, form):
    """Ties, heavy tails and constants included; gaps stay gaps, everything is between 0 and 1."""
    random = np.random.default_rng(seed)
    values = {
        "normal": random.normal(size=2000),
        "skewed": np.exp(random.normal(size=2000) * 3),
        "count": random.poisson(2, size=2000).astype(float),
        "flag": (random.random(2000) < 0.1).astype(float),
        "constant": np.full(2000, 7.0),
    }[form]
    kind = {"count": Kind.INTEGER, "flag": Kind.BOOLEAN}.get(form, Kind.NUMERIC)
    found = ranker(column_profile("x", kind, values))
    ranks = found(np.append(values, [np.nan, np.inf, -np.inf]))
    assert ranks[:-3].mean() == pytest.approx(found.mean, abs=0.02)
    assert np.isnan(ranks[-3]) and 0 <= ranks[-1] <= ranks[-2] <= 1
    assert np.nanmin(ranks) >= 0 and np.nanmax(ranks) <= 1


def test_a_category_becomes_its_share():
    """Unseen ones have none, missing ones are gaps."""
    words = np.array(["a"] * 60 + ["b"] * 30 + [""] * 10, dtype=object)
    found = ranker(column_profile("x", Kind.CATEGORICAL, words))
    ranks = found(np.array(["a", "b", "new", ""], dtype=object))
    assert ranks[:3].tolist() == pytest.approx([2 / 3, 1 / 3, 0])
    assert np.isnan(ranks[3])
    assert found.mean == pytest.approx(5 / 9)


def test_texts_dates_and_empty_columns_have_no_rank():
    """Nothing is known of how they were distributed."""
    assert ranker(column_profile("x", Kind.TEXT, np.array(["a b"], dtype=object))) is None
    assert ranker(column_profile("x", Kind.NUMERIC, np.array([np.nan]))) is None
    assert (
        ranker(column_profile("x", Kind.DATETIME, np.array(["2026-01-01"], dtype="datetime64[us]"))) is None
    )
