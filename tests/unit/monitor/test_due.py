"""When a retraining is due by what the monitors saw, and that it is asked for once."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from modelwright.monitor.alertmanager import NotAnAlert, new_alerts, note, read_payload, wish_of
from modelwright.monitor.due import ASKED, TAKEN_UP, WAITING, Wish, ask, cooling, due
from modelwright.monitor.standing import LIVE, LiveView, QualityView, StandingAlarm
from modelwright.monitor.thresholds import Effective, effective
from modelwright.project.model import Monitor, Retrain
from modelwright.schema.metrics import Metric
from modelwright.store import clock
from modelwright.store.records import JobState, Truth
from modelwright.testing.factories import predictions, version
from modelwright.testing.memory import MemoryStore


@pytest.fixture
def store():
    """A store in which version 1 answers."""
    made = MemoryStore()
    made.versions.add(version(1))
    made.releases.append("iris", 1, reason="", actor="test")
    return made


def held(**retrain):
    """Thresholds: these of ``retrain``, a window of 100, no cool-down to speak of."""
    made = Retrain.model_validate({"cooldown": "0.001", **retrain})
    return Effective(made, Monitor(window=100), effective(None).entries)


def see(store, *, value=0.7, high=0.8, below=("f1",), alarms=(), number=1):
    """Let the monitors have seen this of a version."""
    quality = QualityView(
        version=number,
        model="model",
        rows=100,
        window=100,
        until=clock.now(),
        metrics={"f1": Metric(value, 0.6, high)},
        below=below,
    )
    view = LiveView(updated=clock.now(), version=number, quality=(quality,), alarms=alarms)
    store.states.put("iris", LIVE, msgspec.json.encode(view).decode())


def drifted(number=1):
    """An alarm of a feature that moved."""
    return StandingAlarm(
        kind="drift", topic="values", name="x", message="'x' moved.", version=number, raised=clock.now()
    )


def label(store, count, client="ann"):
    """So many new labelled predictions."""
    made = predictions(count)
    store.predictions.add(made)
    store.labels.record("iris", [Truth(each.id, 1) for each in made], client=client)


def test_quality_below_its_floor_is_due_once_there_is_something_to_learn(store):
    """The metric, its interval and its floor are the reason; ten new labelled rows are the least."""
    see(store)
    wanted = held(quality={"f1": 0.9})
    assert due(wanted, store, "iris") is None
    label(store, 10)
    wish = due(wanted, store, "iris")
    assert wish.trigger == "quality"
    assert wish.reason.startswith("f1 of version 1 is 0.700 (0.600 to 0.800) over 100 labelled predictions")
    assert due(held(), store, "iris") is None
    see(store, below=())
    assert due(wanted, store, "iris") is None
    see(store, number=2)
    assert due(wanted, store, "iris") is None


def test_drift_is_due_where_the_project_says_so(store):
    """The alarm's own words are the reason; an alarm of a former version is none."""
    label(store, 10)
    see(store, below=(), alarms=(drifted(),))
    assert due(held(on_drift=False), store, "iris") is None
    assert due(held(on_drift=True), store, "iris") == Wish("drift", "'x' moved.")
    see(store, below=(), alarms=(drifted(2),))
    assert due(held(on_drift=True), store, "iris") is None


def test_after_a_job_took_the_rows_up_new_ones_are_awaited(store):
    """A job that was refused is not asked for again on the same rows."""
    label(store, 10)
    see(store, alarms=(drifted(),))
    wanted = held(on_drift=True, quality={"f1": 0.9}, new_samples=10)
    job, made = ask(store, "iris", due(wanted, store, "iris"))
    assert made and due(wanted, store, "iris") is None
    store.jobs.take("iris", "w", seconds=60)
    store.events.add("iris", TAKEN_UP, "", {"job": job.id, "taken": clock.now().isoformat()})
    store.jobs.move(job.id, JobState.FAILED, error="no")
    assert due(wanted, store, "iris", now=clock.now() + timedelta(seconds=1)) is None


def test_asking_twice_makes_one_job_and_one_event(store):
    """The reason is in the log of events; what waits for a person is not in the way."""
    first, made = ask(store, "iris", Wish("manual", "a new season"), settings={"client": "ann"})
    again, twice = ask(store, "iris", Wish("drift", "x moved"))
    assert (made, twice, again.id) == (True, False, first.id)
    (event,) = store.events.list("iris", kind=ASKED)
    assert "a new season" in event.message
    assert event.data == {"trigger": "manual", "job": first.id, "client": "ann"}
    store.jobs.take("iris", "w", seconds=60)
    store.jobs.move(first.id, JobState.JUDGED)
    store.events.add("iris", WAITING, "", {"job": first.id})
    assert ask(store, "iris", Wish("drift", "x moved"))[1]


def test_the_cool_down_is_told_in_seconds(store):
    """Nothing is left of it before the first job, and after it is over."""
    wanted = held(cooldown="1h")
    assert cooling(wanted, store, "iris") == 0
    ask(store, "iris", Wish("manual", ""))
    assert 3_500 < cooling(wanted, store, "iris") <= 3_600
    assert cooling(wanted, store, "iris", now=clock.now() + timedelta(hours=2)) == 0


def payload(status="firing", start="2026-11-21T11:20:24.5Z", **labels):
    """What Alertmanager 0.27 sends, with one alert."""
    alert = {
        "status": status,
        "labels": {"alertname": "QualityLow", "severity": "page", **labels},
        "annotations": {"summary": "f1 is 0.71"},
        "startsAt": start,
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus:9090/graph?g0.expr=x",
        "fingerprint": "f" + "".join(labels.values()),
    }
    return msgspec.json.encode(
        {
            "receiver": "modelwright",
            "status": status,
            "alerts": [alert],
            "groupLabels": {},
            "commonLabels": {},
            "commonAnnotations": {},
            "externalURL": "http://alertmanager:9093",
            "version": "4",
            "groupKey": '{}:{alertname="QualityLow"}',
            "truncatedAlerts": 0,
        }
    )


def test_an_alert_asks_once_each_time_it_fires(store):
    """Told again it is known; over it asks for nothing; fired anew, or with other labels, it asks again."""
    told = read_payload(payload())
    alerts = new_alerts(store, "iris", told)
    assert wish_of(alerts) == Wish("alertmanager", "QualityLow: f1 is 0.71")
    note(store, "iris", alerts, "j1", "a retraining was asked for")
    assert new_alerts(store, "iris", told) == []
    assert new_alerts(store, "iris", read_payload(payload("resolved", job="b"))) == []
    assert new_alerts(store, "iris", read_payload(payload(start="2026-11-22T11:20:24Z")))
    assert new_alerts(store, "iris", read_payload(payload(job="b")))


@pytest.mark.parametrize("body", [b"", b"[]", b'{"version": "3", "alerts": []}', b'{"alerts": [1]}', b"\xff"])
def test_what_is_no_webhook_is_refused(body):
    """With the version that is understood."""
    with pytest.raises(NotAnAlert, match=r"Alertmanager|version"):
        read_payload(body)
