"""What happened between two readings of a server's metrics."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelwright.cli.topview.reading import Between, NotAnswering, Reading, read

BOUNDS = (0.001, 0.01, 0.1, 1.0, float("inf"))


def reading(taken: float, **values: float) -> Reading:
    """A counter ``n`` by route."""
    return Reading(taken, {"n": {(("route", route), ("status", "200")): v for route, v in values.items()}})


def test_a_rate_is_growth_by_time():
    """Over all routes, or one; a route that is new counts from nothing."""
    between = Between(reading(10.0, a=5), reading(12.0, a=9, b=2))
    assert between.rate("n") == pytest.approx(3.0)
    assert between.rate("n", route="b") == pytest.approx(1.0)
    assert between.rate("n", status="5") == between.rate("unknown") == 0.0


def test_a_server_that_was_started_anew_counts_from_nothing():
    """A counter that fell does not make a negative rate."""
    assert Between(reading(0.0, a=900), reading(2.0, a=6)).rate("n") == pytest.approx(3.0)


def histogram(values: np.ndarray, taken: float) -> Reading:
    counts = {(("le", str(bound)),): float((values <= bound).sum()) for bound in BOUNDS}
    return Reading(taken, {"t_bucket": counts})


@given(
    st.lists(st.floats(1e-4, 5.0), max_size=40),
    st.lists(st.floats(1e-4, 5.0), min_size=1, max_size=40),
    st.floats(0.01, 1.0),
)
def test_a_quantile_lies_in_the_bucket_of_the_true_one(before, new, share):
    """Of what came in between only, whatever was counted before."""
    old, all_ = np.array(before), np.array(before + new)
    found = Between(histogram(old, 0.0), histogram(all_, 1.0)).quantile("t", share)
    ranked = np.sort(new)
    true = ranked[min(len(ranked) - 1, max(0, int(np.ceil(share * len(ranked) - 1e-9)) - 1))]
    slot = int(np.searchsorted(BOUNDS, true))
    low = 0.0 if slot == 0 else BOUNDS[slot - 1]
    assert low - 1e-12 <= found <= (BOUNDS[slot] if np.isfinite(BOUNDS[slot]) else BOUNDS[-2]) + 1e-12


def test_nothing_counted_has_no_quantile():
    """It is told as absent, not as zero."""
    same = histogram(np.array([0.5]), 0.0)
    assert Between(same, same).quantile("t", 0.5) is None


@pytest.mark.parametrize("url", ["file:///etc/passwd", "127.0.0.1:5000", "http://127.0.0.1:1"])
def test_what_is_no_server_is_told(url):
    """No other scheme is opened, and a closed port is named."""
    with pytest.raises(NotAnswering) as raised:
        read(url, None)
    assert url in raised.value.reason
