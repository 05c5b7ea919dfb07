"""What several pages read out of the store's records."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from modelwright.monitor.due import BY_STEPS, WAITING
from modelwright.schema.metrics import Metric
from modelwright.serve.dashboard.house import Room
from modelwright.store.ports import Store
from modelwright.store.records import EventRecord, JobRecord, JobState, ReleaseRecord, VersionRecord

_HIDDEN = frozenset({"duel_rows"})
"""Events that are kept for programs: their words say nothing that the event after them does not."""


@dataclass(frozen=True, slots=True)
class Beside:
    """A version that answers beside the champion: in which role, and which share of the clients."""

    role: str
    version: int
    share: float


def hidden_event(event: EventRecord) -> bool:
    """Whether an event is left out of what people read."""
    return event.kind in _HIDDEN


def challengers(store: Store, project: str, release: ReleaseRecord | None) -> list[Beside]:
    """Who answers beside the champion, by the release."""
    found = []
    for role in ("canary", "shadow"):
        asked = release.settings.get(role) if release is not None else None
        if isinstance(asked, dict) and isinstance(asked.get("version"), int):
            share = asked.get("share", 0.0)
            found.append(
                Beside(role, asked["version"], float(share) if isinstance(share, int | float) else 0.0)
            )
    return [each for each in found if store.versions.get(project, each.version) is not None]


def main_metric(record: VersionRecord | None) -> tuple[str, Metric] | None:
    """The metric that picked a version's winner, with its interval on held-out rows."""
    if record is None:
        return None
    for name in (record.metric, record.metric.rpartition(" ")[2]):
        if name in record.metrics:
            return name, record.metrics[name]
    return next(iter(record.metrics.items()), None)


@dataclass(frozen=True, slots=True)
class Work:
    """Retrainings that are not at their end.

    Attributes:
        at_work: Queued, training or judged, the newest first.
        waiting: Judged, and waiting for a person's word.
        by_steps: Judged, and brought to its users by steps.
    """

    at_work: tuple[JobRecord, ...]
    waiting: tuple[JobRecord, ...]
    by_steps: tuple[JobRecord, ...] = ()

    def of_version(self, number: int) -> JobRecord | None:
        """The job whose version waits, for a person or for its next step."""
        return next((job for job in (*self.waiting, *self.by_steps) if job.version == number), None)


def open_work(store: Store, project: str) -> Work:
    """What is under way, and what waits for a person."""
    jobs = store.jobs.list(project, limit=50)
    told = {event.data.get("job"): event for event in store.events.list(project, kind=WAITING, limit=50)}
    judged = [job for job in jobs if job.state is JobState.JUDGED and job.id in told]
    by_steps = tuple(job for job in judged if told[job.id].data.get("for") in BY_STEPS)
    waiting = tuple(job for job in judged if job not in by_steps)
    busy = {JobState.QUEUED, JobState.TRAINING, JobState.JUDGED}
    at_work = tuple(job for job in jobs if job.state in busy and job not in judged)
    return Work(at_work, waiting, by_steps)


def report_folder(room: Room, version: int) -> Path | None:
    """Where a version's plots and report lie, if they are here."""
    if room.work_dir is None:
        return None
    folder = room.work_dir / "reports" / f"v{version}"
    return folder if folder.is_dir() else None


def roles_of(release: ReleaseRecord | None, beside: list[Beside]) -> dict[int, str]:
    """What versions do now, by number."""
    roles: dict[int, str] = {each.version: each.role for each in beside}
    if release is not None:
        roles[release.version] = "champion"
    return roles
