"""ADWIN keeps its window as the paper says, near River's, and survives a restart."""

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from river.drift import ADWIN

from modelwright.monitor.adwin import Adwin, AdwinSettings, AdwinState


@given(st.integers(0, 10_000), st.integers(50, 2000))
def test_without_a_change_the_window_is_rivers(seed, rows):
    """Width and mean are those of all rows, as in River."""
    values = np.random.default_rng(seed).random(rows)
    river = ADWIN(delta=1e-9)
    for value in values:
        river.update(value)
    ours = Adwin(AdwinSettings(delta=1e-9, block=1), 1)
    assert not ours.update(values[:, None])
    assert ours.widths[0] == river.width == rows
    assert ours.means[0] == pytest.approx(river.estimation)


@pytest.mark.parametrize("seed", range(8))
def test_a_change_is_noticed_when_river_notices_it(seed):
    """Within two of its checks of 32 rows; afterwards the window holds the new mean only."""
    random = np.random.default_rng(seed)
    values = np.concatenate([random.random(2000), 0.3 + random.random(1500)])
    river, noticed = ADWIN(), []
    for row, value in enumerate(values):
        river.update(value)
        if river.drift_detected:
            noticed.append(row)
    ours = Adwin(AdwinSettings(), 1)
    changes = ours.update(values[:, None])
    assert abs(changes[0].row - noticed[0]) <= 64
    assert abs(changes[0].since - 2000) <= 64
    assert changes[0].up
    assert ours.means[0] == pytest.approx(river.estimation, abs=0.05)
    assert ours.widths[0] == pytest.approx(1500, abs=200)


@given(st.integers(0, 1000), st.integers(1, 2999))
def test_a_restart_changes_nothing(seed, cut):
    """State goes through JSON at any row; alarms and windows are the same."""
    random = np.random.default_rng(seed)
    values = random.random((3000, 4)) + 0.25 * (np.arange(3000)[:, None] > 1500) * np.arange(4)
    values[random.random((3000, 4)) < 0.05] = np.nan
    whole = Adwin(AdwinSettings(), 4)
    expected = whole.update(values)
    first = Adwin(AdwinSettings(), 4)
    before = first.update(values[:cut])
    kept = msgspec.json.decode(msgspec.json.encode(first.state()), type=AdwinState)
    second = Adwin.restored(kept)
    after = second.update(values[cut:])
    assert [(each.row, each.channel) for each in before + after] == [
        (each.row, each.channel) for each in expected
    ]
    assert second.widths.tolist() == whole.widths.tolist()


def test_streams_that_drop_at_different_times_stay_apart():
    """A stream that never changes keeps its whole window while another drops its past."""
    random = np.random.default_rng(0)
    values = random.random((6000, 3))
    values[3000:, 1] += 0.5
    ours = Adwin(AdwinSettings(delta=1e-6), 3)
    assert {change.channel for change in ours.update(values)} == {1}
    assert ours.widths[[0, 2]].tolist() == [6000, 6000]
    assert ours.widths[1] == pytest.approx(3000, abs=150)


def test_memory_grows_with_the_logarithm_of_the_rows():
    """An exponential histogram: at most six buckets a level."""
    ours = Adwin(AdwinSettings(delta=1e-9, block=1), 1)
    ours.update(np.full((20_000, 1), 0.5))
    assert len(ours.state().levels) <= 6 * 15
