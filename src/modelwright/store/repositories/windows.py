"""What the monitors found, over a database."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, delete, select

from modelwright.store import rows
from modelwright.store.codec import keep, micros
from modelwright.store.database import Database
from modelwright.store.records import WindowRecord
from modelwright.store.tables import windows


class SqlWindows:
    """``ports.Windows`` over a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, record: WindowRecord) -> WindowRecord:
        """Append."""
        row = rows.window_row(record)
        with self._database.write() as connection:
            appended = windows.insert().values(row).returning(windows.c.sequence)
            return rows.window({**row, "sequence": connection.execute(appended).scalar_one()})

    def list(
        self,
        project: str,
        *,
        kind: str | None = None,
        version: int | None = None,
        since: datetime | None = None,
        limit: int = 100,
    ) -> Sequence[WindowRecord]:
        """By sequence, falling."""
        statement = select(windows).where(windows.c.project == keep(project))
        if kind is not None:
            statement = statement.where(windows.c.kind == keep(kind))
        if version is not None:
            statement = statement.where(windows.c.version == version)
        if since is not None:
            statement = statement.where(windows.c.until >= micros(since))
        with self._database.read() as connection:
            found = connection.execute(statement.order_by(windows.c.sequence.desc()).limit(limit))
            return [rows.window(row) for row in found.mappings()]

    def prune(self, project: str, *, older_than: datetime | None = None, keep: int | None = None) -> int:
        """In one transaction: there is a window for many predictions, so there are few."""
        gone = 0
        with self._database.write() as connection:
            if older_than is not None:
                gone += _delete(connection, project, windows.c.until < micros(older_than))
            if keep is not None:
                kinds = select(windows.c.kind).where(windows.c.project == _kept(project)).distinct()
                for kind in connection.execute(kinds).scalars().all():
                    of_kind = windows.c.kind == kind
                    newest = (
                        select(windows.c.sequence)
                        .where(windows.c.project == _kept(project), of_kind)
                        .order_by(windows.c.sequence.desc())
                        .offset(max(keep, 0))
                        .limit(1)
                    )
                    first_out = connection.execute(newest).scalar()
                    if first_out is not None:
                        gone += _delete(connection, project, of_kind, windows.c.sequence <= first_out)
        return gone


def _kept(project: str) -> str:
    return keep(project)  # where an argument is called keep as well


def _delete(connection: Connection, project: str, *conditions: ColumnElement[bool]) -> int:
    return connection.execute(delete(windows).where(windows.c.project == keep(project), *conditions)).rowcount
