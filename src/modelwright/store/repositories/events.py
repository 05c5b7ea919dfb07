"""What happened, over a database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select

from modelwright.store import clock, rows
from modelwright.store.codec import keep
from modelwright.store.database import Database
from modelwright.store.records import EventRecord
from modelwright.store.tables import events


class SqlEvents:
    """``ports.Events`` over a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, project: str, kind: str, message: str, data: dict[str, Any] | None = None) -> EventRecord:
        """Append."""
        row = rows.event_row(project, clock.now(), kind, message, data or {})
        with self._database.write() as connection:
            appended = events.insert().values(row).returning(events.c.sequence)
            return rows.event({**row, "sequence": connection.execute(appended).scalar_one()})

    def list(self, project: str, *, kind: str | None = None, limit: int = 100) -> Sequence[EventRecord]:
        """By sequence, falling."""
        statement = select(events).where(events.c.project == keep(project))
        if kind is not None:
            statement = statement.where(events.c.kind == keep(kind))
        statement = statement.order_by(events.c.sequence.desc()).limit(limit)
        with self._database.read() as connection:
            return [rows.event(row) for row in connection.execute(statement).mappings()]
