"""Labelled rows given for training, over a database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, func, select, update

from modelwright.store import clock, rows
from modelwright.store.codec import keep
from modelwright.store.database import Database
from modelwright.store.records import SampleRecord
from modelwright.store.repositories.chunks import chunks
from modelwright.store.tables import samples


class SqlSamples:
    """``ports.Samples`` over a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, project: str, features: dict[str, Any], target: Any, *, client: str = "") -> SampleRecord:
        """Append."""
        row = rows.sample_row(project, features, target, clock.now(), client)
        with self._database.write() as connection:
            appended = samples.insert().values(row).returning(samples.c.sequence)
            return rows.sample({**row, "sequence": connection.execute(appended).scalar_one()})

    def list(self, project: str) -> Sequence[SampleRecord]:
        """By sequence."""
        statement = select(samples).where(samples.c.project == keep(project)).order_by(samples.c.sequence)
        with self._database.read() as connection:
            return [rows.sample(row) for row in connection.execute(statement).mappings()]

    def pending(self, project: str, *, client: str | None = None) -> int:
        """Counted in the index of the unused."""
        statement = select(func.count()).select_from(samples).where(*_unused(project))
        if client is not None:
            statement = statement.where(samples.c.client == keep(client))
        with self._database.read() as connection:
            return int(connection.execute(statement).scalar_one())

    def take(self, project: str, *, limit: int | None = None) -> Sequence[SampleRecord]:
        """By sequence."""
        statement = select(samples).where(*_unused(project)).order_by(samples.c.sequence).limit(limit)
        with self._database.read() as connection:
            return [rows.sample(row) for row in connection.execute(statement).mappings()]

    def mark_used(self, project: str, sequences: Sequence[int], version: int) -> None:
        """All in one transaction."""
        with self._database.write() as connection:
            for some in chunks(sequences):
                connection.execute(
                    update(samples)
                    .where(*_unused(project), samples.c.sequence.in_(some))
                    .values(used_by_version=version)
                )


def _unused(project: str) -> tuple[ColumnElement[bool], ...]:
    return samples.c.project == keep(project), samples.c.used_by_version.is_(None)
