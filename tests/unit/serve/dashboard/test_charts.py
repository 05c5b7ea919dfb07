"""What is drawn, as numbers: scales that tell the truth."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from modelwright.serve.dashboard.charts import nice, over_time
from modelwright.serve.dashboard.render import count
from modelwright.serve.dashboard.trends import Measured, trend


@given(st.integers(1, 10**9))
def test_a_scale_of_counts_has_whole_steps_that_differ(most):
    """Nothing is labelled twice, and the highest count fits."""
    scale = nice(most, whole=True)
    assert all(value == int(value) for value in scale) and len(set(scale)) == len(scale)
    assert scale[0] == 0 and scale[-1] >= most and len(scale) <= 7


@given(st.floats(1e-9, 1e9))
def test_a_scale_reaches_what_was_measured(most):
    """From 0 to just above it, in equal steps."""
    scale = nice(most)
    assert scale[0] == 0 and most <= scale[-1] * (1 + 1e-9) and scale[-2] < most


def test_bars_of_one_and_two_are_labelled_by_whole_numbers():
    """As they were rounded, half of them would be there twice."""
    chart = over_time([0, 60, 120], 60, [("a", [1, 0, 2])], word=count)
    assert [tick.label for tick in chart.rows] == ["0", "1", "2"]


def test_values_close_to_one_another_are_labelled_by_different_numbers():
    """A score of 0.9999 to 1 does not stand at an axis of four ones."""
    when = datetime(2026, 11, 21, tzinfo=UTC)
    labels = [tick.label for tick in trend([Measured(when, 0.99995, 0.9999, 1.0, "1")]).rows]
    assert len(labels) > 1 and len(set(labels)) == len(labels)
