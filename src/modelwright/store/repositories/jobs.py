"""Retraining jobs, over a database."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import and_, or_, select, update

from modelwright.store import clock, rows
from modelwright.store.codec import finite, keep, micros
from modelwright.store.database import Database
from modelwright.store.errors import UnknownJob
from modelwright.store.jobs import FREE, moved, new_job
from modelwright.store.records import JobRecord, JobState
from modelwright.store.tables import jobs


class SqlJobs:
    """``ports.Jobs`` over a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(
        self, project: str, *, trigger: str, reason: str, settings: dict[str, Any] | None = None
    ) -> JobRecord:
        """Append a waiting job under an id of its own."""
        row = rows.job_row(new_job(uuid.uuid4().hex, project, trigger, reason, settings))
        with self._database.write() as connection:
            connection.execute(jobs.insert().values(row))
        return rows.job(row)

    def add_alone(
        self,
        project: str,
        *,
        trigger: str,
        reason: str,
        settings: dict[str, Any] | None = None,
        besides: Collection[str] = (),
    ) -> tuple[JobRecord, bool]:
        """Look and append under a lock of the project's."""
        row = rows.job_row(new_job(uuid.uuid4().hex, project, trigger, reason, settings))
        at_work = [JobState.QUEUED.value, JobState.TRAINING.value, JobState.JUDGED.value]
        open_ones = (
            select(jobs)
            .where(
                jobs.c.project == keep(project),
                jobs.c.state.in_(at_work),
                jobs.c.id.not_in([keep(id) for id in besides]),
            )
            .order_by(jobs.c.sequence)
            .limit(1)
        )
        with self._database.write() as connection:
            self._database.lock(connection, f"jobs of {row['project']!r}")
            found = connection.execute(open_ones).mappings().first()
            if found is not None:
                return rows.job(found), False
            connection.execute(jobs.insert().values(row))
        return rows.job(row), True

    def get(self, id: str) -> JobRecord | None:
        """By its id."""
        with self._database.read() as connection:
            row = connection.execute(select(jobs).where(jobs.c.id == keep(id))).mappings().first()
            return None if row is None else rows.job(row)

    def list(self, project: str, *, limit: int = 100) -> Sequence[JobRecord]:
        """By sequence, falling."""
        statement = (
            select(jobs).where(jobs.c.project == keep(project)).order_by(jobs.c.sequence.desc()).limit(limit)
        )
        with self._database.read() as connection:
            return [rows.job(row) for row in connection.execute(statement).mappings()]

    def take(self, project: str, owner: str, *, seconds: float) -> JobRecord | None:
        """Lock the oldest that is free and not locked by another taker, and lease it.

        A lease that would end later than its whole length from now was given before the clock was set
        back: it is cut to its length.
        """
        length = int(seconds * 1_000_000)
        with self._database.write() as connection:
            ticks = self._database.ticks(connection)
            training = and_(jobs.c.project == keep(project), jobs.c.state == JobState.TRAINING.value)
            connection.execute(
                update(jobs)
                .where(training, jobs.c.lease_ends > ticks + jobs.c.lease_length)
                .values(lease_ends=ticks + jobs.c.lease_length)
            )
            waiting = and_(jobs.c.project == keep(project), jobs.c.state == JobState.QUEUED.value)
            free = (
                select(jobs)
                .where(or_(waiting, and_(training, jobs.c.lease_ends <= ticks)))
                .order_by(jobs.c.sequence)
                .limit(1)
                .with_for_update(skip_locked=True)
            )
            found = connection.execute(free).mappings().first()
            if found is None:
                return None
            now = clock.now()
            change = {
                "state": JobState.TRAINING.value,
                "lease_owner": keep(owner),
                "lease_until": micros(now + timedelta(seconds=seconds)),
                "lease_ends": ticks + length,
                "lease_length": length,
                "updated": micros(now),
            }
            connection.execute(update(jobs).where(jobs.c.sequence == found["sequence"]).values(change))
            return rows.job({**found, **change})

    def renew(self, id: str, owner: str, *, seconds: float, progress: float | None = None) -> bool:
        """Extend in one statement, if the job is still this owner's and at work."""
        now = clock.now()
        length = int(seconds * 1_000_000)
        with self._database.write() as connection:
            change: dict[str, Any] = {
                "lease_until": micros(now + timedelta(seconds=seconds)),
                "lease_ends": self._database.ticks(connection) + length,
                "lease_length": length,
                "updated": micros(now),
            }
            if progress is not None:
                change["progress"] = finite(progress, "progress")
            at_work = jobs.c.state.in_([JobState.TRAINING.value, JobState.JUDGED.value])
            statement = update(jobs).where(jobs.c.id == keep(id), jobs.c.lease_owner == keep(owner), at_work)
            return connection.execute(statement.values(change)).rowcount == 1

    def move(self, id: str, state: JobState, *, version: int | None = None, error: str = "") -> JobRecord:
        """Read the job locked, check the move, write it."""
        with self._database.write() as connection:
            of_id = jobs.c.id == keep(id)
            found = connection.execute(select(jobs).where(of_id).with_for_update()).mappings().first()
            if found is None:
                raise UnknownJob(id)
            row = rows.job_row(moved(rows.job(found), state, version=version, error=error))
            if state in FREE:
                row |= {"lease_ends": None, "lease_length": None}
            connection.execute(update(jobs).where(of_id).values(row))
            return rows.job(row)
