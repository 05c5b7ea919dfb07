"""Counts by minute and hour, over a database."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, delete, func, select, tuple_, update

from modelwright.store import rows
from modelwright.store.codec import keep, micros, moment, restore
from modelwright.store.database import Database
from modelwright.store.records import PredictionRecord, SummaryRecord
from modelwright.store.repositories.chunks import chunks
from modelwright.store.summaries import HOUR, MINUTE, Counted, Key, counted, summarise
from modelwright.store.tables import summaries

_KEY = ("project", "span", "start", "version", "role")
_MOST_KEYS = 1_000
_COUNTS = ("answered", "refused", "failed", "warned", "seconds", "latency", "answers")


class SqlSummaries:
    """``ports.Summaries`` over a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def list(
        self, project: str, *, span: int, since: datetime | None = None, until: datetime | None = None
    ) -> Sequence[SummaryRecord]:
        """A range of the primary key."""
        statement = (
            select(summaries)
            .where(summaries.c.project == keep(project), summaries.c.span == span)
            .order_by(summaries.c.start, summaries.c.version, summaries.c.role)
        )
        if since is not None:
            statement = statement.where(summaries.c.start >= micros(since) // 1_000_000)
        if until is not None:
            statement = statement.where(summaries.c.start < -(micros(until) // -1_000_000))
        with self._database.read() as connection:
            return [rows.summary(row) for row in connection.execute(statement).mappings()]

    def totals(self, project: str) -> Sequence[SummaryRecord]:
        """Summed by the database over the hours."""
        sums = [func.sum(summaries.c[name]).label(name) for name in _COUNTS[:5]]
        statement = (
            select(summaries.c.version, summaries.c.role, func.min(summaries.c.start).label("start"), *sums)
            .where(summaries.c.project == keep(project), summaries.c.span == HOUR)
            .group_by(summaries.c.version, summaries.c.role)
            .order_by(summaries.c.version, summaries.c.role)
        )
        with self._database.read() as connection:
            return [_total(project, row) for row in connection.execute(statement).mappings()]

    def prune(self, project: str, *, older_than: datetime) -> int:
        """One statement: a minute is one small row a version."""
        statement = delete(summaries).where(
            summaries.c.project == keep(project),
            summaries.c.span == MINUTE,
            summaries.c.start < micros(older_than) // 1_000_000,
        )
        with self._database.write() as connection:
            return connection.execute(statement).rowcount


def count_in(database: Database, connection: Connection, records: Iterable[PredictionRecord]) -> None:
    """Count ``records``, which are stored in this transaction; the log's lock keeps others from counting."""
    put(database, connection, summarise(records))


def put(database: Database, connection: Connection, found: Mapping[Key, Counted]) -> None:
    """Add counts to those that are stored; nobody else may be counting the same projects."""
    columns = tuple_(*(summaries.c[name] for name in _KEY))
    changed: set[Key] = set()
    for some in chunks(list(found), _MOST_KEYS):
        keys = [
            (keep(project), span, start, version, keep(role)) for project, span, start, version, role in some
        ]
        for row in connection.execute(select(summaries).where(columns.in_(keys))).mappings():
            known = rows.summary(row)
            place = (known.project, known.span, row["start"], known.version, known.role)
            found[place].add(counted(known))
            changed.add(place)
    for place in changed:
        now = rows.summary_row(place, found[place])
        same = and_(*(summaries.c[name] == now[name] for name in _KEY))
        connection.execute(update(summaries).where(same).values({name: now[name] for name in _COUNTS}))
    new = [rows.summary_row(place, total) for place, total in found.items() if place not in changed]
    database.insert_new(connection, summaries, new)


def _total(project: str, row: Mapping[Any, Any]) -> SummaryRecord:
    return SummaryRecord(
        project=project,
        span=HOUR,
        start=moment(int(row["start"]) * 1_000_000),
        version=row["version"],
        role=restore(row["role"]),
        answered=int(row["answered"]),
        refused=int(row["refused"]),
        failed=int(row["failed"]),
        warned=int(row["warned"]),
        seconds=float(row["seconds"]),
    )
