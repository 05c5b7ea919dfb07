"""API keys, over a database."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from modelwright.store import clock, rows
from modelwright.store.codec import keep, micros
from modelwright.store.database import Database
from modelwright.store.errors import Duplicate
from modelwright.store.records import KeyRecord
from modelwright.store.tables import api_keys


class SqlKeys:
    """``ports.Keys`` over a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, record: KeyRecord) -> None:
        """Insert."""
        try:
            with self._database.write() as connection:
                connection.execute(api_keys.insert().values(rows.key_row(record)))
        except IntegrityError as error:
            raise Duplicate(f"An API key with the id '{record.id}'") from error

    def get(self, id: str) -> KeyRecord | None:
        """By its id."""
        with self._database.read() as connection:
            row = connection.execute(select(api_keys).where(api_keys.c.id == keep(id))).mappings().first()
            return None if row is None else rows.api_key(row)

    def list(self) -> Sequence[KeyRecord]:
        """By time, then id."""
        statement = select(api_keys).order_by(api_keys.c.created, api_keys.c.id)
        with self._database.read() as connection:
            return [rows.api_key(row) for row in connection.execute(statement).mappings()]

    def revoke(self, id: str) -> bool:
        """Set the time, unless one is set."""
        statement = (
            update(api_keys)
            .where(api_keys.c.id == keep(id), api_keys.c.revoked.is_(None))
            .values(revoked=micros(clock.now()))
        )
        with self._database.write() as connection:
            return connection.execute(statement).rowcount == 1
