"""Jobs, events and leases in memory."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Any

from modelwright.store import clock, rows
from modelwright.store.codec import finite, keep, key, micros, restore
from modelwright.store.errors import (
    UnknownJob,
)
from modelwright.store.jobs import FREE, moved, new_job
from modelwright.store.records import (
    EventRecord,
    JobRecord,
    JobState,
)
from modelwright.testing.memories.base import Repository, Row, atomic, of


class MemoryJobs(Repository):
    """``ports.Jobs`` in memory."""

    @atomic
    def add(
        self, project: str, *, trigger: str, reason: str, settings: dict[str, Any] | None = None
    ) -> JobRecord:
        """Append a waiting job."""
        row = rows.job_row(new_job(uuid.uuid4().hex, project, trigger, reason, settings))
        self._tables.jobs[row["id"]] = {**row, "lease_ends": None}
        return rows.job(row)

    @atomic
    def add_alone(
        self,
        project: str,
        *,
        trigger: str,
        reason: str,
        settings: dict[str, Any] | None = None,
        besides: Collection[str] = (),
    ) -> tuple[JobRecord, bool]:
        """Look and append."""
        at_work = {JobState.QUEUED, JobState.TRAINING, JobState.JUDGED}
        for row in of(project, self._tables.jobs.values()):
            if JobState(row["state"]) in at_work and restore(row["id"]) not in besides:
                return rows.job(row), False
        return self.add(project, trigger=trigger, reason=reason, settings=settings), True

    @atomic
    def get(self, id: str) -> JobRecord | None:
        """By its id."""
        row = self._tables.jobs.get(keep(id))
        return None if row is None else rows.job(row)

    @atomic
    def list(self, project: str, *, limit: int = 100) -> Sequence[JobRecord]:
        """Newest first."""
        return [rows.job(row) for row in of(project, self._tables.jobs.values())[::-1][:limit]]

    @atomic
    def take(self, project: str, owner: str, *, seconds: float) -> JobRecord | None:
        """The oldest that is free."""
        for row in of(project, self._tables.jobs.values()):
            state, ends = JobState(row["state"]), row["lease_ends"]
            ran_out = state is JobState.TRAINING and ends is not None and ends <= clock.ticks()
            if state is JobState.QUEUED or ran_out:
                row |= {"state": JobState.TRAINING.value, "lease_owner": keep(owner), **_lease(seconds)}
                return rows.job(row)
        return None

    @atomic
    def renew(self, id: str, owner: str, *, seconds: float, progress: float | None = None) -> bool:
        """If it is still this owner's and at work."""
        row = self._tables.jobs.get(keep(id))
        if row is None or row["lease_owner"] != keep(owner) or JobState(row["state"]) in FREE:
            return False
        row |= _lease(seconds)
        if progress is not None:
            row["progress"] = finite(progress, "progress")
        return True

    @atomic
    def move(self, id: str, state: JobState, *, version: int | None = None, error: str = "") -> JobRecord:
        """By the rules."""
        row = self._tables.jobs.get(keep(id))
        if row is None:
            raise UnknownJob(id)
        row |= rows.job_row(moved(rows.job(row), state, version=version, error=error))
        if state in FREE:
            row["lease_ends"] = None
        return rows.job(row)


def _lease(seconds: float) -> Row:
    now = clock.now()
    return {
        "lease_until": micros(now + timedelta(seconds=seconds)),
        "lease_ends": clock.ticks() + int(seconds * 1_000_000),
        "updated": micros(now),
    }


class MemoryEvents(Repository):
    """``ports.Events`` in memory."""

    @atomic
    def add(self, project: str, kind: str, message: str, data: dict[str, Any] | None = None) -> EventRecord:
        """Append."""
        row = rows.event_row(project, clock.now(), kind, message, data or {})
        return rows.event(self._tables.append(self._tables.events, row))

    @atomic
    def list(self, project: str, *, kind: str | None = None, limit: int = 100) -> Sequence[EventRecord]:
        """Newest first."""
        found = [row for row in of(project, self._tables.events) if kind is None or row["kind"] == keep(kind)]
        return [rows.event(row) for row in found[::-1][:limit]]


class MemoryLeases(Repository):
    """``ports.Leases`` in memory."""

    @atomic
    def acquire(self, name: str, owner: str, *, seconds: float) -> bool:
        """By the clock of the host."""
        place = key(name, "name of the lease")
        holder = self._tables.leases.get(place)
        if holder is not None and holder[0] != owner and holder[1] > clock.ticks():
            return False
        self._tables.leases[place] = (owner, clock.ticks() + int(seconds * 1_000_000))
        return True

    @atomic
    def release(self, name: str, owner: str) -> None:
        """If it is this owner's."""
        holder = self._tables.leases.get(keep(name))
        if holder is not None and holder[0] == owner:
            del self._tables.leases[keep(name)]
