"""McNemar's exact test."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, binomtest

from modelwright.retrain.mcnemar import mcnemar, unconditional, upper_tail


@given(st.integers(0, 3000), st.integers(0, 3000))
def test_the_tails_are_the_binomial_test(wins, losses):
    """Both one-sided p-values agree with SciPy's exact binomial test."""
    right = np.ones(wins, bool), np.zeros(wins, bool)
    wrong = np.zeros(losses, bool), np.ones(losses, bool)
    found = mcnemar(*(np.concatenate(pair) for pair in zip(right, wrong, strict=True)))
    assert (found.wins, found.losses) == (wins, losses)
    if wins + losses:
        for p, side in ((found.better, "greater"), (found.worse, "less")):
            expected = binomtest(wins, wins + losses, alternative=side).pvalue
            assert p == pytest.approx(expected, rel=1e-6, abs=1e-12)
    else:
        assert found.better == found.worse == 1.0


def test_rows_on_which_both_are_right_or_wrong_say_nothing():
    """Only rows that tell the two apart count."""
    both = np.array([True] * 50 + [False] * 50)
    assert mcnemar(both, both).better == 1.0
    assert upper_tail(3, 3) == pytest.approx(0.125)


@pytest.mark.parametrize(("rows", "share"), [(40, 0.1), (40, 0.5), (300, 0.02), (300, 0.2)])
@pytest.mark.parametrize("level", [0.03, 0.002])
def test_the_unconditional_form_never_errs_more_often_than_it_says(rows, share, level):
    """Summed over every outcome there is, equally good models are told apart in at most ``level``."""
    erred = 0.0
    for differing in range(rows + 1):
        chance = binom.pmf(differing, rows, share)
        if chance < 1e-9:
            continue
        wins = np.arange(differing + 1)
        said = [
            unconditional(int(one), differing - int(one), rows, outside=level / 1_000) <= level
            for one in wins
            if binom.pmf(one, differing, 0.5) > 1e-7
        ]
        kept = [one for one in wins if binom.pmf(one, differing, 0.5) > 1e-7]
        erred += chance * float(np.sum(binom.pmf(kept, differing, 0.5) * np.array(said)))
    assert erred <= level


@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 2_000))
def test_the_unconditional_form_is_a_probability_that_falls_with_wins(wins, losses, more):
    """Within 0 and 1, 1 where it is not ahead, and one more win never speaks against the challenger."""
    rows = wins + losses + more + 1
    p = unconditional(wins, losses, rows)
    assert 0 < p <= 1
    assert wins > losses or p == 1.0
    if losses == 0:
        assert unconditional(wins + 1, 0, rows) <= p + 1e-5


def test_it_sees_more_than_the_conditional_form():
    """36 wins against 15 losses on 1,000 rows: the same data, a smaller p, and not smaller than it may be."""
    p = unconditional(36, 15, 1_000)
    assert 0.0012 < p < upper_tail(36, 51)
    assert unconditional(500, 0, 1_000, outside=1e-9) < 1e-8
