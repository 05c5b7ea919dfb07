"""Whether it is time to retrain, why, and the asking for it; never too soon, never two at once.

The reasons, in the order they are looked at: new labelled rows, quality below a floor, drift, a long
time without. Quality and drift also need rows to learn from: a model that is trained again on what it
knows already comes out the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from modelwright.monitor.standing import LiveView, live_view
from modelwright.monitor.thresholds import Effective
from modelwright.project.durations import seconds
from modelwright.store import clock
from modelwright.store.ports import Store
from modelwright.store.records import EventRecord, JobRecord, JobState, ReleaseRecord

TAKEN_UP = "retrain_data"
"""Event of a job that wrote its data: ``taken`` says when it began to read labels."""
WAITING = "retrain_waiting"
"""Event of a version that won its duel and does not answer at once; ``for`` says what it waits for."""
BY_STEPS = frozenset({"shadow", "canary"})
"""What it may wait for that the keeper sees to, and not a person."""
ASKED = "retrain_asked"
"""Event of a job that was made: ``trigger`` and ``job``, and the reason as its message."""
_LEAST_NEW = 10


@dataclass(frozen=True)
class Wish:
    """A retraining that is due.

    Attributes:
        trigger: "new_samples", "quality", "drift" or "schedule"; of what is asked for, "manual" or
            "alertmanager".
        reason: Why, a sentence.
    """

    trigger: str
    reason: str


def due(effective: Effective, store: Store, project: str, *, now: datetime | None = None) -> Wish | None:
    """The retraining that the project's triggers ask for now, if any.

    None is due while a job waits or is at work, while a version that won is brought in by steps,
    within the cool-down of the last one, and before there is a champion.

    Args:
        effective: The thresholds that hold.
        store: Where rows and jobs are.
        project: Its name.
        now: The present time, by default the clock's.
    """
    settings = effective.retrain
    asked = (settings.new_samples, settings.every, effective.floors or None, settings.on_drift or None)
    if all(each is None for each in asked):
        return None
    now = now or clock.now()
    champion = store.releases.current(project)
    if champion is None or open_jobs(store, project) or being_brought_in(store, project):
        return None
    if cooling(effective, store, project, now=now):
        return None
    return next(_wishes(effective, store, project, champion, now), None)


def _wishes(
    effective: Effective, store: Store, project: str, champion: ReleaseRecord, now: datetime
) -> Iterator[Wish]:
    settings = effective.retrain
    new = new_rows(store, project)
    if settings.new_samples is not None and new >= settings.new_samples:
        said = f"{new:,} new labelled rows came; {settings.new_samples:,} were awaited."
        yield Wish("new_samples", said)
    if new >= least_new(effective):
        yield from _noticed(effective, live_view(store, project), champion.version)
    latest = next(iter(store.jobs.list(project, limit=1)), None)
    since = champion.released if latest is None else latest.created
    if settings.every is not None and now - since >= timedelta(seconds=seconds(settings.every)):
        yield Wish(
            "schedule", f"The last training was on {since:%Y-%m-%d %H:%M} UTC; every {settings.every}."
        )


def _noticed(effective: Effective, view: LiveView | None, version: int) -> Iterator[Wish]:
    """What the monitors saw of the version that answers."""
    if view is None or view.version != version:
        return
    for each in view.quality:
        for name in each.below if each.version == version and effective.floors else ():
            if name in effective.floors:
                metric = each.metrics[name]
                yield Wish(
                    "quality",
                    f"{name} of version {version} is {metric.value:.3f} ({metric.low:.3f} to "
                    f"{metric.high:.3f}) over {each.rows:,} labelled predictions; the floor is "
                    f"{effective.floors[name]:g}.",
                )
    if effective.retrain.on_drift:
        for alarm in view.alarms:
            if alarm.kind in {"drift", "alarm"} and alarm.version == version:
                yield Wish("drift", alarm.message)


def least_new(effective: Effective) -> int:
    """New labelled rows that quality and drift wait for: a tenth of the window, and at least ten."""
    return max(_LEAST_NEW, effective.quality_window // 10)


def cooling(effective: Effective, store: Store, project: str, *, now: datetime | None = None) -> float:
    """Seconds of the cool-down that are left; 0 when it is over."""
    latest = next(iter(store.jobs.list(project, limit=1)), None)
    if latest is None:
        return 0.0
    over = latest.created + timedelta(seconds=seconds(effective.retrain.cooldown))
    return max(0.0, (over - (now or clock.now())).total_seconds())


def ask(
    store: Store, project: str, wish: Wish, *, settings: Mapping[str, Any] | None = None
) -> tuple[JobRecord, bool]:
    """Make the job that ``wish`` asks for, or find the one that waits or is at work; whether it was made.

    A job that is made leaves an event with its reason.
    """
    job, made = store.jobs.add_alone(
        project,
        trigger=wish.trigger,
        reason=wish.reason,
        settings=dict(settings or {}),
        besides=sorted(_waiting(store, project)),
    )
    if made:
        data = {"trigger": wish.trigger, "job": job.id, **(settings or {})}
        store.events.add(project, ASKED, f"A retraining was asked for ({wish.trigger}): {wish.reason}", data)
    return job, made


def being_brought_in(store: Store, project: str) -> bool:
    """Whether a version that won answers on the side or a share, or is about to: one at a time."""
    told = {
        event.data.get("job")
        for event in store.events.list(project, kind=WAITING)
        if event.data.get("for") in BY_STEPS
    }
    return bool(told) and any(
        job.state is JobState.JUDGED and job.id in told for job in store.jobs.list(project)
    )


def new_rows(store: Store, project: str) -> int:
    """Samples that no version used, and labels that came since a job last took them up."""
    last = next(iter(store.events.list(project, kind=TAKEN_UP, limit=1)), None)
    taken = None if last is None else _time(last)
    return store.samples.pending(project) + store.labels.count(project, since=taken)


def _time(event: EventRecord) -> datetime:
    """When a job began to read its rows; what came since may not be among them."""
    said = event.data.get("taken")
    return datetime.fromisoformat(said) if isinstance(said, str) else event.time


def open_jobs(store: Store, project: str) -> list[str]:
    """Ids of the jobs that wait for a worker or are at work, the oldest first.

    One that waits for a person, or is brought in by steps, is not among them.
    """
    waiting = _waiting(store, project)
    found = []
    for job in store.jobs.list(project):
        judged = job.state is JobState.JUDGED and job.id not in waiting
        if judged or job.state in {JobState.QUEUED, JobState.TRAINING}:
            found.append(job.id)
    return found[::-1]


def _waiting(store: Store, project: str) -> set[str]:
    return {str(event.data.get("job")) for event in store.events.list(project, kind=WAITING)}
