"""The monitors over a log: what is noticed, told once, written down, and survives a restart."""

from __future__ import annotations

import contextlib
from datetime import datetime, timedelta

import msgspec
import pytest

from modelwright.monitor.live import shadow_id
from modelwright.monitor.memory import STATE, Memory, keep, remembered
from modelwright.monitor.monitors import Monitors
from modelwright.monitor.standing import LIVE, live_view
from modelwright.serve import wording
from modelwright.store.errors import StoreUnavailable
from watched import rows

from .conftest import Stream


def shifted(count, seed, by=1.5, column=3):
    """Rows of which one feature moved."""
    matrix, target = rows(count, seed)
    matrix[:, column] += by
    return matrix, target


def kinds(stream):
    """Kinds of all events but what the settings leave."""
    return sorted({event.kind for event in stream.store.events.list("iris", limit=1000)})


def test_stable_traffic_raises_nothing(stream):
    """4,000 stable rows, labelled rightly: windows and gauges, and no alarm of any kind."""
    for seed in range(4):
        matrix, target = rows(1_000, 10 + seed)
        stream.answer(matrix, target, label_every=4)
        assert stream.look() == 1_000
    assert kinds(stream) == []
    view = live_view(stream.store, "iris")
    assert (view.version, view.rows, view.skipped, view.alarms) == (1, 4_000, 0, ())
    assert view.drift.drifted == () and set(view.drift.features) == {f"f{n}" for n in range(6)}
    (quality,) = view.quality
    assert quality.full and quality.metrics["accuracy"].value > 0.8
    assert stream.store.windows.list("iris", kind="drift")
    assert stream.store.windows.list("iris", kind="quality")


def test_a_shift_of_one_feature_is_named_with_its_evidence(stream):
    """One alarm, of that feature, with how far, since when, rows that show it and a picture."""
    stream.answer(*rows(1_000, 20))
    stream.look()
    began = stream.now
    stream.answer(*shifted(600, 21))
    stream.look()
    stream.answer(*shifted(600, 22))
    stream.look()
    (event,) = [each for each in stream.events("drift") if each.data["topic"] == "values"]
    data = event.data
    assert (data["name"], data["version"]) == ("f3", 1)
    assert "'f3'" in event.message and "since about row" in event.message
    assert abs(datetime.fromisoformat(data["since_time"]) - began) < timedelta(minutes=10)
    assert data["examples"] and all(row["id"].startswith("p") for row in data["examples"])
    assert len(data["shares"]["before"]) == len(data["shares"]["now"]) == len(data["shares"]["names"])
    drawn = stream.pictures.parent / data["picture"]
    assert drawn.read_text().startswith("<svg") and "f3" in drawn.read_text()
    view = live_view(stream.store, "iris")
    assert [(alarm.topic, alarm.name) for alarm in view.alarms if alarm.topic == "values"] == [
        ("values", "f3")
    ]
    assert "f3" in view.drift.drifted and view.drift.features["f3"] > 0.2
    (window, *_) = stream.store.windows.list("iris", kind="drift")
    assert window.data["drifted"] and window.data["findings"][0]["name"] == "f3"


def test_rows_that_came_late_are_judged_as_a_window_of_their_own(stream):
    """Behind what was read they raise no alarm of the stream, but are told once, restart or not."""
    stream.answer(*rows(300, 24))
    stream.look()
    while_away, stream.now = stream.now, stream.now + timedelta(hours=1)
    stream.answer(*rows(300, 25))
    stream.look()
    later, stream.now = stream.now, while_away
    stream.answer(*shifted(400, 26))
    data = {"rows": 400, "since": while_away.isoformat(), "until": stream.now.isoformat()}
    stream.now = later + timedelta(seconds=10)
    assert stream.look() == 0, "the place they belong to was read past"
    assert not stream.events("drift")
    stream.store.events.add("iris", "delivered_late", "400 came late", data)
    stream.now += timedelta(seconds=10)
    stream.look()
    stream.monitors = stream.monitor()
    stream.look()
    (event,) = stream.events("drift")
    assert (event.data["topic"], event.data["rows"]) == ("late", 400)
    assert "f3" in event.data["names"] and "'f3'" in event.message
    assert live_view(stream.store, "iris").alarms == ()


def test_a_restart_in_between_changes_nothing(bundles, tmp_path):
    """Monitors that are begun anew after every look end in the same state and events as others."""
    told = []
    for restarts in (False, True):
        stream = Stream(bundles, tmp_path / str(restarts))
        for part in range(8):
            matrix, target = shifted(300, 30 + part, by=1.5 if part > 3 else 0.0)
            stream.answer(matrix, target, label_every=3)
            if restarts:
                stream.monitors = stream.monitor()
            stream.look()
            stream.now += timedelta(seconds=10)
            stream.look()
        stream.now += timedelta(seconds=10)
        stream.look()
        told.append(
            (
                [(event.kind, event.message) for event in stream.store.events.list("iris")],
                live_view(stream.store, "iris").alarms,
                remembered(stream.store, "iris").watch,
            )
        )
    assert told[0] == told[1]
    assert any(kind == "drift" for kind, _ in told[0][0])


class Failing:
    """A store whose writes fail from some point on, as if the process had been killed there."""

    def __init__(self, store, after):
        self._store, self._left = store, after

    def __getattr__(self, name):
        part = getattr(self._store, name)
        return _Dying(self, part) if name in {"events", "windows", "states"} else part

    def spend(self):
        self._left -= 1
        if self._left < 0:
            raise StoreUnavailable("memory", "was killed.", "")


class _Dying:
    def __init__(self, owner, part):
        self._owner, self._part = owner, part

    def __getattr__(self, name):
        method = getattr(self._part, name)
        if name not in {"add", "put"}:
            return method

        def call(*args, **named):
            self._owner.spend()
            return method(*args, **named)

        return call


@pytest.mark.parametrize("after", range(8))
def test_killed_at_any_write_nothing_is_lost_or_told_twice(bundles, tmp_path, after):
    """Whichever write is the last one, the next start ends with each alarm and window once."""
    stream = Stream(bundles, tmp_path / "alarms")
    stream.answer(*rows(1_000, 40))
    stream.look()
    stream.answer(*shifted(600, 41))
    dying = Monitors(Failing(stream.store, after), "iris", pictures=stream.pictures, now=lambda: stream.now)
    with contextlib.suppress(StoreUnavailable):
        stream.look(dying)
    stream.look(stream.monitor())
    stream.look(stream.monitor())
    told = [event.data["id"] for event in stream.store.events.list("iris", limit=1000)]
    assert len(told) == len(set(told))
    assert [each for each in told if " values f3 " in each]
    windows = [
        (window.kind, window.since, window.until) for window in stream.store.windows.list("iris", limit=1000)
    ]
    assert len(windows) == len(set(windows))


def test_quality_below_its_floor_is_told_once_and_taken_back(stream):
    """Not for a bad batch in a good window; for a whole window with its interval; over when good again."""
    stream.settings = {
        "retrain": {"quality": {"accuracy": 0.75, "window": 200}},
        "monitor": {"window": 200, "drift": {"detectors": []}},
    }
    stream.answer(*rows(200, 50), label_every=1)
    stream.look()
    stream.answer(*rows(30, 51), label_every=1, wrong=1.0)
    stream.look()
    assert stream.events("quality") == []
    for seed in range(3):
        stream.answer(*rows(100, 52 + seed), label_every=1, wrong=0.5)
        stream.look()
    (event,) = stream.events("quality")
    assert event.message.startswith("accuracy is 0.")
    assert (event.data["topic"], event.data["metric"], event.data["floor"]) == ("floor", "accuracy", 0.75)
    assert live_view(stream.store, "iris").quality[0].below == ("accuracy",)
    for seed in range(3):
        stream.answer(*rows(100, 60 + seed), label_every=1)
        stream.look()
    assert len(stream.events("quality")) == 1
    assert len(stream.events("quality_over")) == 1
    assert live_view(stream.store, "iris").alarms == ()


def test_errors_that_grow_are_noticed_as_they_come(stream):
    """The stream of errors has detectors of its own: features as in training, answers wrong."""
    for seed in range(3):
        stream.answer(*rows(400, 70 + seed), label_every=1)
        stream.look()
    stream.answer(*rows(800, 75), label_every=1, wrong=0.8)
    stream.look()
    assert [event.data["topic"] for event in stream.events("quality")] == ["errors"]
    assert stream.events("drift") == []


def test_a_new_champion_is_watched_from_its_first_row(stream):
    """The former version's alarms are over; the place in the log stays; its rows count no more."""
    stream.answer(*rows(400, 80))
    stream.answer(*shifted(600, 81))
    stream.look()
    assert live_view(stream.store, "iris").alarms
    stream.version = 2
    stream.answer(*rows(300, 82))
    assert stream.look() == 300
    view = live_view(stream.store, "iris")
    assert (view.version, view.alarms) == (2, ())
    assert stream.events("drift_over")
    memory = remembered(stream.store, "iris")
    assert (memory.version, memory.watch.rows) == (2, 300)


def test_what_is_too_much_is_sampled_and_said(stream):
    """Where more waits than is taken, the newest are looked at and the others are counted."""
    stream.monitors = stream.monitor(most_behind=1_000)
    stream.answer(*rows(3_000, 90))
    read = stream.look()
    assert 400 <= read <= 600
    (event,) = stream.events("monitor_skipped")
    assert event.data["skipped"] == 3_000 - read
    assert live_view(stream.store, "iris").skipped == 3_000 - read


def test_estimates_without_labels_follow_the_answers(stream):
    """Once confidences are calibrated, quality is estimated of newer rows that nobody labelled."""
    stream.answer(*rows(600, 95), label_every=1)
    stream.look()
    before = live_view(stream.store, "iris").quality[0].estimate["accuracy"]
    matrix, target = rows(600, 96)
    matrix[:, :2] *= 0.1  # all near the border, where the model knows little
    stream.answer(matrix, target)
    stream.now += timedelta(seconds=20)
    stream.look()
    after = live_view(stream.store, "iris").quality[0].estimate["accuracy"]
    assert after.high < before.low
    (window, *_) = stream.store.windows.list("iris", kind="quality")
    assert {"metrics", "classes", "confusion", "calibration", "coverage", "segments"} <= set(window.data)


def test_state_of_another_release_is_begun_anew(stream):
    """What cannot be read is told in the log and does not stop the watch."""
    stream.store.states.put("iris", STATE, '{"version": "x"}')
    stream.store.states.put("iris", LIVE, "no JSON")
    assert live_view(stream.store, "iris") is None
    stream.answer(*rows(300, 97))
    assert stream.look() == 300
    assert live_view(stream.store, "iris").rows == 300


def test_memory_is_written_whole(stream):
    """An empty memory comes back as it was."""
    keep(stream.store, "iris", Memory(version=3))
    assert remembered(stream.store, "iris") == Memory(version=3)


def test_a_shadow_is_judged_by_the_labels_beside_it(stream):
    """Its answers have ids of their own and no labels; those of the champion's answers are theirs too."""
    matrix, target = rows(300, 98)
    ids = stream.answer(matrix, target, label_every=1)
    said = [
        msgspec.structs.replace(
            record,
            id=f"{record.id}~v2",
            version=2,
            role="challenger",
            outputs={"prediction": 1 - record.outputs["prediction"]},
        )
        for record in stream.store.predictions.get_many("iris", ids).values()
    ]
    stream.store.predictions.add(said)
    assert wording.shadow_id("a", 2) == shadow_id("a", 2)
    stream.beside = (2,)
    stream.look()
    quality = {
        view.version: view.metrics["accuracy"].value for view in live_view(stream.store, "iris").quality
    }
    assert quality[1] + quality[2] == pytest.approx(1)
    assert {window.version for window in stream.store.windows.list("iris", kind="quality")} == {1, 2}


def test_values_beyond_all_measure_are_an_alarm_and_no_harm(stream):
    """Numbers whose squares no float holds are counted, told, and remembered over a restart."""
    stream.answer(*rows(400, 99))
    stream.look()
    far, target = rows(300, 100)
    far[:, 2] = 1e300
    stream.answer(far, target, label_every=1)
    stream.look()
    stream.now += timedelta(seconds=10)
    stream.look()
    before = live_view(stream.store, "iris")
    assert "f2" in [alarm.name for alarm in before.alarms]
    stream.answer(*rows(100, 101))
    stream.look(stream.monitor())
    after = live_view(stream.store, "iris")
    assert after.rows == before.rows + 100
    assert len([event for event in stream.events("drift") if event.data["name"] == "f2"]) == 1
