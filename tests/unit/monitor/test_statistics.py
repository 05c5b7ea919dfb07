"""The small statistics agree with SciPy, and hold at their edges."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial import distance

from modelwright.monitor import statistics

COUNTS = st.lists(st.integers(0, 500), min_size=2, max_size=12).filter(lambda counts: sum(counts) > 0)


@given(st.floats(0.01, 2000), st.integers(1, 300))
def test_chi_square_tail_is_scipys(statistic, freedom):
    """Series and continued fraction give SciPy's survival function."""
    expected = stats.chi2.sf(statistic, freedom)
    assert statistics.chi_square_survival(statistic, freedom) == pytest.approx(expected, rel=1e-9, abs=1e-13)


def test_chi_square_tail_at_its_edges():
    """Nothing observed is no evidence."""
    assert statistics.chi_square_survival(0.0, 3) == 1.0
    assert statistics.chi_square_survival(5.0, 0) == 1.0


@given(st.floats(0.02, 0.6), st.integers(50, 5000), st.integers(50, 5000))
def test_kolmogorov_tail_is_near_scipys(gap, n, m):
    """With Stephens' correction it is the asymptotic distribution at a slightly larger argument."""
    root = math.sqrt(n * m / (n + m))
    expected = stats.kstwobign.sf((root + 0.12 + 0.11 / root) * gap)
    assert statistics.kolmogorov_survival(gap, n, m) == pytest.approx(expected, rel=1e-6, abs=1e-12)


@given(st.data())
def test_g_test_is_scipys(data):
    """The likelihood-ratio chi-square of a contingency table."""
    cells = data.draw(st.integers(2, 10))
    rows = [data.draw(st.lists(st.integers(1, 400), min_size=cells, max_size=cells)) for _ in range(2)]
    expected = stats.chi2_contingency(rows, correction=False, lambda_="log-likelihood")
    statistic, p = statistics.g_test(*rows)
    assert statistic == pytest.approx(expected.statistic, rel=1e-6, abs=1e-8)
    assert p == pytest.approx(expected.pvalue, rel=1e-5, abs=1e-12)


def test_g_test_without_rows_finds_nothing():
    """An empty side is no evidence."""
    assert statistics.g_test([0, 0], [3, 4]) == (0.0, 1.0)


@given(COUNTS, st.integers(1, 1000))
def test_jensen_shannon_is_scipys(counts, seed):
    """The distance to base 2."""
    other = np.random.default_rng(seed).integers(1, 100, len(counts))
    expected = distance.jensenshannon(counts, other, base=2)
    assert statistics.jensen_shannon(counts, other) == pytest.approx(expected, abs=1e-6)


def test_psi_is_its_definition():
    """Sum of (q - p) ln(q / p), here with half a row in each cell; zero where nothing changed."""
    p, q = np.array([100.5, 300.5]) / 401, np.array([250.5, 150.5]) / 401
    assert statistics.psi([100, 300], [250, 150]) == pytest.approx(float(((q - p) * np.log(q / p)).sum()))
    assert statistics.psi([100, 300], [100, 300]) == 0.0


def test_psi_by_chance_is_what_simulation_gives():
    """The mean over stable samples is (cells - 1) (1/n + 1/m)."""
    random = np.random.default_rng(0)
    drawn = [
        statistics.psi(random.multinomial(4000, [0.1] * 10), random.multinomial(500, [0.1] * 10))
        for _ in range(2000)
    ]
    assert np.mean(drawn) == pytest.approx(statistics.psi_by_chance(10, 500, 4000), rel=0.05)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_holm_is_the_step_down_rule(p_values):
    """The k-th smallest is multiplied by how many are left, never below an earlier one."""
    adjusted = statistics.holm(p_values)
    largest = 0.0
    for place, index in enumerate(np.argsort(p_values, kind="stable")):
        largest = max(largest, p_values[index] * (len(p_values) - place))
        assert adjusted[index] == pytest.approx(min(1.0, largest))


@given(st.integers(0, 500), st.integers(1, 500))
def test_wilson_is_scipys(hits, more):
    """The interval without continuity correction."""
    rows = hits + more
    interval = stats.binomtest(hits, rows).proportion_ci(method="wilson")
    assert statistics.wilson(hits, rows) == pytest.approx((interval.low, interval.high), abs=1e-9)


def test_a_share_that_rose_is_told_from_chance():
    """One-sided, near Fisher's exact test, with few events too."""
    exact = stats.fisher_exact([[12, 488], [20, 4980]], alternative="greater").pvalue
    assert statistics.more_often(12, 500, 20, 5000) == pytest.approx(exact, rel=1.0)
    assert statistics.more_often(1, 500, 10, 5000) == 1.0
    assert statistics.more_often(0, 0, 0, 100) == 1.0
