"""Whether it is time to retrain: new labelled rows, or a long time without; not too soon after the last."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from modelwright.project.durations import seconds
from modelwright.project.model import Retrain
from modelwright.store import clock
from modelwright.store.ports import Store
from modelwright.store.records import EventRecord, JobState

TAKEN_UP = "retrain_data"
"""Event of a job that wrote its data: ``taken`` says when it began to read labels."""
WAITING = "retrain_waiting"
"""Event of a version that won its duel and does not answer at once; ``for`` says what it waits for."""
BY_STEPS = frozenset({"shadow", "canary"})
"""What it may wait for that the keeper sees to, and not a person."""


@dataclass(frozen=True)
class Wish:
    """A retraining that is due.

    Attributes:
        trigger: "new_samples" or "schedule".
        reason: Why, a sentence.
    """

    trigger: str
    reason: str


def due(settings: Retrain, store: Store, project: str, *, now: datetime | None = None) -> Wish | None:
    """The retraining that the project's triggers ask for now, if any.

    None is due while a job waits or is at work, while a version that won is brought in by steps,
    within the cool-down of the last one, and before there is a champion.

    Args:
        settings: The project file's ``retrain``.
        store: Where rows and jobs are.
        project: Its name.
        now: The present time, by default the clock's.
    """
    if settings.new_samples is None and settings.every is None:
        return None
    now = now or clock.now()
    champion = store.releases.current(project)
    if champion is None or open_jobs(store, project) or being_brought_in(store, project):
        return None
    latest = next(iter(store.jobs.list(project, limit=1)), None)
    if latest is not None and now - latest.created < timedelta(seconds=seconds(settings.cooldown)):
        return None
    if settings.new_samples is not None:
        new = new_rows(store, project)
        if new >= settings.new_samples:
            return Wish(
                "new_samples", f"{new:,} new labelled rows came; {settings.new_samples:,} were awaited."
            )
    since = champion.released if latest is None else latest.created
    if settings.every is not None and now - since >= timedelta(seconds=seconds(settings.every)):
        return Wish(
            "schedule", f"The last training was on {since:%Y-%m-%d %H:%M} UTC; every {settings.every}."
        )
    return None


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
    waiting = {event.data.get("job") for event in store.events.list(project, kind=WAITING)}
    found = []
    for job in store.jobs.list(project):
        judged = job.state is JobState.JUDGED and job.id not in waiting
        if judged or job.state in {JobState.QUEUED, JobState.TRAINING}:
            found.append(job.id)
    return found[::-1]
