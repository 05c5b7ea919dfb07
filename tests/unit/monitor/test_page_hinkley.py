"""Page-Hinkley alarms where River's does, for all streams at once, and survives a restart."""

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river.drift import PageHinkley as RiverPageHinkley

from modelwright.monitor.page_hinkley import (
    PageHinkley,
    PageHinkleySettings,
    PageHinkleyState,
    settings_for,
)


def of_river(values, **settings):
    """Rows at which River's test alarms."""
    detector = RiverPageHinkley(**settings)
    rows = []
    for row, value in enumerate(values):
        detector.update(value)
        if detector.drift_detected:
            rows.append(row)
    return rows


@settings(max_examples=30)
@given(st.integers(0, 10_000), st.sampled_from([1.0, 1 - 1e-4, 0.99]), st.floats(3.0, 60.0))
def test_it_alarms_at_the_rows_where_rivers_does(seed, forgetting, threshold):
    """Running mean, forgetting and reset included, whatever sizes the rows come in."""
    random = np.random.default_rng(seed)
    values = random.normal(size=3000) + np.repeat(random.normal(size=6), 500)
    expected = of_river(values, threshold=threshold, alpha=forgetting)
    ours = PageHinkley([PageHinkleySettings(threshold=threshold, forgetting=forgetting)])
    parts = np.split(values[:, None], np.sort(random.integers(0, 3000, 4)))
    assert [change.row for part in parts for change in ours.update(part)] == expected


def test_rivers_defaults_are_ours_too():
    """The benchmark compares with River's defaults by our own test."""
    values = np.random.default_rng(3).normal(size=5000)
    ours = PageHinkley([PageHinkleySettings(forgetting=1 - 1e-4)])
    assert [change.row for change in ours.update(values[:, None])] == of_river(values)


def test_streams_do_not_touch_each_other():
    """Many at once are as each alone."""
    random = np.random.default_rng(1)
    values = random.normal(size=(2500, 7)) + np.linspace(0, 1, 7) * (np.arange(2500)[:, None] > 1200)
    setting = PageHinkleySettings(threshold=15, tolerance=0.1)
    together = PageHinkley([setting] * 7).update(values)
    for channel in range(7):
        alone = PageHinkley([setting]).update(values[:, [channel]])
        found = [change.row for change in together if change.channel == channel]
        assert found == [change.row for change in alone]


@given(st.integers(0, 1000), st.integers(1, 1999))
def test_a_restart_changes_nothing(seed, cut):
    """State goes through JSON, and the rest of the stream alarms as if nothing had happened."""
    random = np.random.default_rng(seed)
    values = random.random((2000, 3)) + 0.3 * (np.arange(2000)[:, None] > 1000)
    values[random.random((2000, 3)) < 0.1] = np.nan
    setting = [PageHinkleySettings(threshold=8, tolerance=0.05)] * 3
    means = np.array([0.5, np.nan, 0.5])
    whole = PageHinkley(setting, means).update(values)
    first = PageHinkley(setting, means)
    before = first.update(values[:cut])
    kept = msgspec.json.decode(msgspec.json.encode(first.state()), type=PageHinkleyState)
    after = PageHinkley.restored(kept).update(values[cut:])
    assert [change.row for change in before + after] == [change.row for change in whole]


def test_it_says_when_and_how_far():
    """The estimated beginning and the new mean are near the truth; gaps are stepped over."""
    random = np.random.default_rng(5)
    values = random.normal(0.0, 1.0, size=4000)
    values[2000:] += 1.0
    values[::7] = np.nan
    change = PageHinkley([settings_for(1e-8, 1.0, 0.17, 10_000)], np.zeros(1)).update(values[:, None])[0]
    assert change.up and 2000 <= change.row < 2150
    assert abs(change.since - 2000) < 60
    assert change.now == pytest.approx(1.0, abs=0.5)


def test_a_known_mean_notices_a_change_before_the_first_row():
    """The running mean can't: it has never seen anything else."""
    values = np.random.default_rng(2).normal(0.8, 1.0, size=(600, 1))
    setting = settings_for(1e-8, 1.0, 0.17, 10_000)
    assert PageHinkley([setting], np.zeros(1)).update(values)
    assert not PageHinkley([setting]).update(values)


def test_false_alarms_come_at_about_the_promised_rate():
    """Many stable streams together: the approximation is right within a factor of a few."""
    random = np.random.default_rng(0)
    setting = settings_for(1e-4, 1.0, 0.17, 10**9)
    alarms = PageHinkley([setting] * 50, np.zeros(50)).update(random.normal(size=(4000, 50)))
    assert 2 <= len(alarms) <= 60  # 20 promised; the rate is an upper estimate
