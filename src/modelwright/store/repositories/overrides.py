"""Thresholds set while the service runs, over a database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import delete, select

from modelwright.store import clock, rows
from modelwright.store.codec import keep
from modelwright.store.database import Database
from modelwright.store.overriding import KIND, sentence
from modelwright.store.records import EventRecord, OverrideRecord
from modelwright.store.tables import events, overrides


class SqlOverrides:
    """``ports.Overrides`` over a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, project: str) -> dict[str, Any]:
        """By name."""
        return {record.name: record.value for record in self.list(project)}

    def list(self, project: str) -> Sequence[OverrideRecord]:
        """By name."""
        statement = select(overrides).where(overrides.c.project == keep(project)).order_by(overrides.c.name)
        with self._database.read() as connection:
            return [rows.override(row) for row in connection.execute(statement).mappings()]

    def set(self, project: str, values: Mapping[str, Any], *, actor: str, reason: str) -> EventRecord:
        """All of them and the event in one transaction."""
        now = clock.now()
        said = {"values": dict(values), "actor": actor, "reason": reason}
        event = rows.event_row(project, now, KIND, sentence(values, actor, reason), said)
        with self._database.write() as connection:
            for name, value in sorted(values.items()):
                record = OverrideRecord(
                    project=project, name=name, value=value, actor=actor, reason=reason, time=now
                )
                row = rows.override_row(record)
                if value is None:
                    place = (overrides.c.project == row["project"], overrides.c.name == row["name"])
                    connection.execute(delete(overrides).where(*place))
                    continue
                change = {column: row[column] for column in ("value", "actor", "reason", "time")}
                connection.execute(
                    self._database.upsert(overrides, row, on=["project", "name"], change=change)
                )
            appended = events.insert().values(event).returning(events.c.sequence)
            return rows.event({**event, "sequence": connection.execute(appended).scalar_one()})
