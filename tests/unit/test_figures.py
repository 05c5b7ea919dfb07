"""Quantities as people read them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelwright.figures import duration, size


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 s"),
        (8.5e-4, "850 µs"),
        (0.01234, "12.3 ms"),
        (0.9999, "1 s"),
        (59.96, "1 min"),
        (90, "1.5 min"),
        (7200, "2 h"),
        (86400 * 400, "400 d"),
        (86400 * 4000, "4,000 d"),
    ],
)
def test_lengths_of_time(seconds: float, said: str) -> None:
    """The unit is the one in which the number is short, also where rounding lifts it over a border."""
    assert duration(seconds) == said


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (0, "0 B"),
        (512, "512 B"),
        (999.9, "1 kB"),
        (3_071_000, "3.07 MB"),
        (2e13, "20 TB"),
        (2e16, "20,000 TB"),
    ],
)
def test_sizes(count: float, said: str) -> None:
    """Bytes are counted in powers of a thousand."""
    assert size(count) == said


@given(st.floats(min_value=1e-6, max_value=1e9))
def test_a_length_reads_back(seconds: float) -> None:
    """Whatever the length: no exponent, a known unit, and right to half a per cent."""
    number, unit = duration(seconds).split(" ")
    assert re.fullmatch(r"[\d,.]+", number)
    lengths = {"µs": 1e-6, "ms": 1e-3, "s": 1, "min": 60, "h": 3600, "d": 86400}
    assert float(number.replace(",", "")) * lengths[unit] == pytest.approx(seconds, rel=6e-3)
