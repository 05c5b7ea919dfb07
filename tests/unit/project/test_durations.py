"""Lengths of time read as people write them."""

import pytest

from modelwright.project.durations import seconds


@pytest.mark.parametrize(
    ("length", "value"),
    [
        (90, 90),
        (0.5, 0.5),
        ("90", 90),
        ("90s", 90),
        ("10m", 600),
        ("1h 30m", 5400),
        ("1.5H", 5400),
        ("7d", 604800),
    ],
)
def test_lengths_in_every_unit(length, value):
    """A number is seconds; units add up."""
    assert seconds(length) == value


@pytest.mark.parametrize(
    "length", ["", "10min", "m", "-5s", 0, -1, "nan", float("inf"), "1h30", "ten", "40000d", 1e300]
)
def test_what_is_no_length_is_refused(length):
    """Anything else is an error that quotes it."""
    with pytest.raises(ValueError, match=r"length of time|hundred years"):
        seconds(length)
