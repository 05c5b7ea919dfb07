"""McNemar's exact test."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from modelwright.retrain.mcnemar import mcnemar, upper_tail


@given(st.integers(0, 3000), st.integers(0, 3000))
def test_the_tails_are_the_binomial_test(wins, losses):
    """Both one-sided p-values and the two-sided one agree with SciPy's exact binomial test."""
    right = np.ones(wins, bool), np.zeros(wins, bool)
    wrong = np.zeros(losses, bool), np.ones(losses, bool)
    found = mcnemar(*(np.concatenate(pair) for pair in zip(right, wrong, strict=True)))
    assert (found.wins, found.losses) == (wins, losses)
    if wins + losses:
        for p, side in ((found.better, "greater"), (found.worse, "less"), (found.two_sided, "two-sided")):
            expected = binomtest(wins, wins + losses, alternative=side).pvalue
            assert p == pytest.approx(expected, rel=1e-6, abs=1e-12)
    else:
        assert found.better == found.worse == found.two_sided == 1.0


def test_rows_on_which_both_are_right_or_wrong_say_nothing():
    """Only rows that tell the two apart count."""
    both = np.array([True] * 50 + [False] * 50)
    assert mcnemar(both, both).better == 1.0
    assert upper_tail(3, 3) == pytest.approx(0.125)
