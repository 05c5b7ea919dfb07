"""Registered versions, over a database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Executable, Select, case, select
from sqlalchemy.exc import IntegrityError

from modelwright.store import rows
from modelwright.store.codec import keep, key, restore
from modelwright.store.database import Database
from modelwright.store.errors import Duplicate
from modelwright.store.records import VersionRecord
from modelwright.store.tables import counters, versions


class SqlVersions:
    """``ports.Versions`` over a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def reserve(self, project: str) -> int:
        """Count the project's counter up by one, in one statement."""
        statement = self._database.upsert(
            counters,
            {"project": key(project, "project name"), "value": 1},
            on=["project"],
            change={"value": counters.c.value + 1},
        ).returning(counters.c.value)
        with self._database.write() as connection:
            return int(connection.execute(statement).scalar_one())

    def count_from(self, project: str, number: int) -> None:
        """Raise the project's counter, in one statement."""
        with self._database.write() as connection:
            connection.execute(self._raised(key(project, "project name"), number - 1))

    def _raised(self, project: str, value: int) -> Executable:
        return self._database.upsert(
            counters,
            {"project": project, "value": value},
            on=["project"],
            change={"value": case((counters.c.value < value, value), else_=counters.c.value)},
        )

    def add(self, record: VersionRecord) -> None:
        """Insert; the counter follows if the number was not reserved, so that it is not given again."""
        row = rows.version_row(record)
        counted = self._raised(row["project"], record.number)
        try:
            with self._database.write() as connection:
                connection.execute(counted)
                connection.execute(versions.insert().values(row))
        except IntegrityError as error:
            raise Duplicate(f"Version {record.number} of project '{record.project}'") from error

    def get(self, project: str, number: int) -> VersionRecord | None:
        """By its key."""
        return self._first(_of(project).where(versions.c.number == number))

    def latest(self, project: str) -> VersionRecord | None:
        """The one with the highest number."""
        return self._first(_of(project))

    def by_fingerprint(self, project: str, fingerprint: str) -> VersionRecord | None:
        """The highest number of those with this fingerprint."""
        return self._first(_of(project).where(versions.c.fingerprint == keep(fingerprint)))

    def list(self, project: str, *, limit: int = 100) -> Sequence[VersionRecord]:
        """By number, falling."""
        with self._database.read() as connection:
            found = connection.execute(_of(project).limit(limit)).mappings()
            return [rows.version(row) for row in found]

    def projects(self) -> Sequence[str]:
        """By name."""
        statement = select(versions.c.project).distinct().order_by(versions.c.project)
        with self._database.read() as connection:
            return [restore(name) for name in connection.execute(statement).scalars()]

    def _first(self, statement: Select[Any]) -> VersionRecord | None:
        with self._database.read() as connection:
            row = connection.execute(statement.limit(1)).mappings().first()
            return None if row is None else rows.version(row)


def _of(project: str) -> Select[Any]:
    return select(versions).where(versions.c.project == keep(project)).order_by(versions.c.number.desc())
