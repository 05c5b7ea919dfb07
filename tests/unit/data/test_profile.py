"""The reference profile: what it counts agrees with the rows, for any column."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

from modelwright.data.profile import column_profile, profile, value_profile
from modelwright.schema.columns import Column, Kind, TableSchema
from modelwright.schema.profile import Profile


@given(
    st_numpy.arrays(
        np.float64, st.integers(0, 300), elements=st.floats(-1e6, 1e6) | st.just(float("nan")) | st.just(0.0)
    )
)
def test_every_row_is_counted_once(values: np.ndarray) -> None:
    """Bins and missing rows add up; a value on an edge is in the bin above; quantiles ascend."""
    found = column_profile("x", Kind.NUMERIC, values)
    known = values[~np.isnan(values)]
    assert found.rows == len(values)
    assert found.missing == len(values) - len(known)
    assert sum(found.counts) == len(known)
    if not len(known):
        return
    assert len(found.counts) == len(found.edges) + 1
    assert list(found.edges) == sorted(set(found.edges))
    assert (
        list(found.counts)
        == np.bincount(np.digitize(known, found.edges), minlength=len(found.counts)).tolist()
    )
    assert (found.quantiles[0], found.quantiles[-1]) == (known.min(), known.max())
    assert np.all(np.diff(found.quantiles) >= 0)
    assert found.quantiles[50] == pytest.approx(np.median(known), rel=1e-9, abs=1e-9)
    assert found.mean == pytest.approx(known.mean(), rel=1e-9, abs=1e-6)


def test_deciles_hold_a_tenth_each() -> None:
    """A column without ties is cut into ten bins of equal numbers."""
    found = column_profile("x", Kind.NUMERIC, np.random.default_rng(0).permutation(1000) * 1.0)
    assert found.counts == (100,) * 10
    assert len(found.quantiles) == 101


def test_few_whole_values_have_a_bin_each() -> None:
    """Small integers and booleans are counted value by value."""
    assert column_profile("n", Kind.INTEGER, np.array([1.0, 3, 3, 7])).counts == (1, 2, 1)
    assert column_profile("b", Kind.BOOLEAN, np.array([0.0, 1, 1, np.nan])).counts == (1, 2)


def test_frequent_categories_are_kept() -> None:
    """Categories are counted, the most frequent first, rare ones pooled, the empty one missing."""
    values = np.array(["b"] * 3 + ["a"] * 2 + [""] + [f"r{place}" for place in range(60)], dtype=object)
    found = column_profile("c", Kind.CATEGORICAL, values)
    assert found.categories[:2] == ("b", "a")
    assert found.counts[:2] == (3, 2)
    assert (found.missing, found.other, len(found.categories)) == (1, 12, 50)


def test_moments_and_texts_are_profiled() -> None:
    """Moments count in epoch seconds, text by its length."""
    moments = np.array(["2024-01-01", "NaT", "2024-01-03"], dtype="datetime64[us]")
    found = column_profile("d", Kind.DATETIME, moments)
    assert (found.missing, found.mean) == (1, 1704153600.0)
    text = column_profile("t", Kind.TEXT, np.array(["abc", "", "a"], dtype=object))
    assert (text.missing, text.mean_length) == (1, 2.0)


def test_targets_and_answers_are_profiled() -> None:
    """Class codes count under their labels; numbers as a numeric column."""
    found = value_profile("y", np.array([1, 1, 0]), ("no", "yes"))
    assert (found.categories, found.counts) == (("yes", "no"), (2, 1))
    assert value_profile("y", np.array([1.5, 2.5])).mean == 2.0


def test_a_profile_survives_json() -> None:
    """What is kept with a bundle reads back as it was."""
    schema = TableSchema(
        columns=(Column(name="x", kind=Kind.NUMERIC), Column(name="c", kind=Kind.CATEGORICAL))
    )
    columns = {"x": np.arange(50) / 7, "c": np.array(["a", "b"] * 25, dtype=object)}
    found = profile(columns, schema, value_profile("y", np.arange(50) % 2, (0, 1)))
    assert found.rows == 50
    assert msgspec.json.decode(msgspec.json.encode(found), type=Profile) == found
