"""A watched stream: each change is told once, with evidence, also across a restart; calm clears it."""

from datetime import UTC, datetime, timedelta

import msgspec
import numpy as np
import pytest

from modelwright.data.profile import profile, value_profile
from modelwright.monitor.drift import DriftSettings
from modelwright.monitor.watch import Watch, WatchSettings, WatchState
from modelwright.schema.columns import Column, Kind, TableSchema
from modelwright.schema.profile import Profile

NAMES = tuple(f"f{place}" for place in range(10))
SCHEMA = TableSchema(
    columns=(
        *(Column(name=name, kind=Kind.NUMERIC, nullable=True) for name in NAMES),
        Column(name="colour", kind=Kind.CATEGORICAL, nullable=True, categories=("blue", "red")),
        Column(name="told", kind=Kind.TEXT),
    )
)
START = datetime(2026, 5, 1, tzinfo=UTC)


def table(rows, seed):
    """Column arrays of the schema."""
    random = np.random.default_rng(seed)
    columns = {name: random.normal(size=rows) for name in NAMES}
    columns["colour"] = np.array(["red", "blue"], dtype=object)[random.integers(0, 2, rows)]
    columns["told"] = np.array(["words"] * rows, dtype=object)
    return columns


@pytest.fixture(scope="module")
def reference():
    """Of 4,000 rows, half of them answered "yes"."""
    answers = value_profile("model", np.arange(4000) % 2, ("no", "yes"))
    made = profile(table(4000, 0), SCHEMA)
    return Profile(rows=made.rows, columns=made.columns, predictions={"model": answers})


def fed(watch, columns, batch=50, start=0, **more):
    """All alarms of a stream fed in batches, a second a row."""
    alarms = []
    rows = len(columns[NAMES[0]])
    for first in range(0, rows, batch):
        part = slice(first, first + batch)
        alarms += watch.observe(
            {name: values[part] for name, values in columns.items()},
            time=START + timedelta(seconds=start + first),
            ids=[f"p{start + place}" for place in range(first, min(rows, first + batch))],
            **{topic: {name: values[part] for name, values in of.items()} for topic, of in more.items()},
        )
    return alarms


def test_a_stable_stream_is_left_in_peace(reference):
    """No alarm in 20,000 rows."""
    assert fed(Watch(reference, SCHEMA), table(20_000, 1), batch=500) == []


@pytest.mark.parametrize("batch", [1, 50, 700, 6000])
def test_a_shift_is_told_once_with_its_evidence(reference, batch):
    """The feature, how far, since when, rows that show it, in one sentence; whatever size rows come in."""
    columns = table(6000 if batch > 1 else 2500, 2)
    columns["f3"][2000:] += 1.0
    alarms = fed(Watch(reference, SCHEMA), columns, batch)
    assert [(alarm.name, alarm.topic, alarm.cleared) for alarm in alarms] == [("f3", "values", False)]
    alarm = alarms[0]
    assert 2000 <= alarm.row < 2200
    assert abs(alarm.since - 2000) < 80
    assert "\n" not in alarm.message and alarm.message.startswith("'f3': ")
    assert "standard deviations higher" in alarm.message and "since about row" in alarm.message
    assert "2026-05-01 00:" in alarm.message
    assert 0 < len(alarm.examples) <= 3
    assert all(row["id"].startswith("p") and row["f3"] > 0 for row in alarm.examples)
    assert msgspec.json.decode(msgspec.json.encode(alarm), type=type(alarm)) == alarm


def test_window_findings_are_alarms_too(reference):
    """Missing values and new categories, which no stream of numbers shows."""
    columns = table(4000, 3)
    columns["f1"][2000::4] = np.nan
    columns["colour"][2000::5] = "grün"
    alarms = fed(Watch(reference, SCHEMA), columns)
    found = {(alarm.name, alarm.topic): alarm for alarm in alarms}
    assert {("f1", "missing"), ("colour", "unseen")} <= set(found)
    assert {name for name, _ in found} == {"f1", "colour"}
    assert found["f1", "missing"].detectors == ("window",)
    assert all(row["f1"] is None for row in found["f1", "missing"].examples)
    assert all(row["colour"] == "grün" for row in found["colour", "unseen"].examples)


def test_a_restart_in_the_middle_changes_nothing(reference):
    """The state goes through JSON; the alarms are those of a watch that never stopped."""
    columns = table(5000, 4)
    columns["f5"][2500:] += 0.7
    whole = fed(Watch(reference, SCHEMA), columns)
    for cut in (1000, 2530):
        first = Watch(reference, SCHEMA)
        alarms = fed(first, {name: values[:cut] for name, values in columns.items()}, batch=10)
        kept = msgspec.json.decode(msgspec.json.encode(first.state()), type=WatchState)
        second = Watch(reference, SCHEMA)
        second.restore(kept)
        alarms += fed(second, {name: values[cut:] for name, values in columns.items()}, batch=10, start=cut)
        assert [(alarm.name, alarm.topic) for alarm in alarms] == [(each.name, each.topic) for each in whole]
        assert second.rows == 5000


def test_calm_clears_an_alarm_and_a_new_shift_raises_it_again(reference):
    """Hysteresis: cleared after five quiet windows, not at the first quiet one."""
    columns = table(16_000, 5)
    columns["f0"][1000:2000] += 1.5
    columns["f0"][9000:10_000] += 1.5
    alarms = fed(Watch(reference, SCHEMA), columns)
    assert [alarm.cleared for alarm in alarms] == [False, True, False, True]
    assert all(alarm.name == "f0" for alarm in alarms)
    assert 2000 + 2000 < alarms[1].row < 2000 + 4500
    assert alarms[1].message.startswith("Over: 'f0': ")


def test_predictions_confidence_and_errors_are_watched(reference):
    """Each by its own name, with the means before and now."""
    random = np.random.default_rng(6)
    rows, late = 6000, np.arange(6000) >= 3000
    alarms = fed(
        Watch(reference, SCHEMA, models=("model",)),
        table(rows, 6),
        predictions={
            "model": np.where(random.random(rows) < np.where(late, 0.9, 0.5), "yes", "no").astype(object)
        },
        confidence={"model": np.clip(random.normal(np.where(late, 0.7, 0.9), 0.05), 0, 1)},
        errors={
            "model": np.where(random.random(rows) < 0.5, np.nan, random.random(rows) < 0.05 + 0.3 * late)
        },
    )
    told = {alarm.topic: alarm for alarm in alarms if not alarm.cleared}
    assert set(told) == {"predictions", "confidence", "errors"}
    assert sum(not alarm.cleared for alarm in alarms) == 3
    assert "The confidence of 'model' fell from 0." in told["confidence"].message
    assert "The mean error of 'model' rose from 0.0" in told["errors"].message
    assert "'yes' makes up" in told["predictions"].message
    assert all(alarm.row >= 3000 for alarm in alarms)


def test_beyond_its_limit_it_samples_and_says_so(reference):
    """Rows are skipped evenly, counted, and a shift is still noticed."""
    columns = table(40_000, 7)
    columns["f2"][20_000:] += 1.0
    watch = Watch(reference, SCHEMA, WatchSettings(limit=100))
    alarms = fed(watch, columns, batch=1000)
    assert [alarm.name for alarm in alarms] == ["f2"]
    assert (watch.rows, watch.skipped) == (40_000, 36_000)


def test_detectors_can_be_chosen(reference):
    """Without stream detectors the window alone notices, later."""
    columns = table(4000, 8)
    columns["f2"][2000:] += 1.0
    rows = {}
    for detectors in ((), ("adwin",), ("page_hinkley",)):
        settings = WatchSettings(detectors=detectors, drift=DriftSettings())
        alarms = fed(Watch(reference, SCHEMA, settings), columns)
        rows[detectors] = alarms[0].row
        assert alarms[0].detectors == (detectors or ("window",))
    assert rows["page_hinkley",] < rows[()]


def test_nothing_given_is_nothing_told(reference):
    """Empty batches and columns that the profile does not know."""
    watch = Watch(reference, SCHEMA)
    assert watch.observe({}) == []
    assert watch.observe({"f0": np.array([])}) == []
    assert watch.observe({"unknown": np.zeros(600)}) == []
    assert watch.rows == 600
