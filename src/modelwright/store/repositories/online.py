"""Online features, over a database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from sqlalchemy import delete, select, update

from modelwright.store import clock, rows
from modelwright.store.codec import keep, micros, restore, unpack
from modelwright.store.database import Database
from modelwright.store.records import GenerationRecord, OnlineValues
from modelwright.store.repositories.chunks import chunks
from modelwright.store.tables import generations, online_features

_BATCH = 2_000
_ABANDONED = timedelta(days=1)
_TRIES = 5


class SqlOnline:
    """``ports.Online`` over a database.

    A generation is written in batches while nobody looks at it, so that a large one does not keep
    others from writing; then one transaction makes it live and drops the one before.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def current(self, project: str) -> GenerationRecord | None:
        """The newest live one."""
        statement = (
            select(generations)
            .where(generations.c.project == keep(project), generations.c.live.is_(True))
            .order_by(generations.c.sequence.desc())
            .limit(1)
        )
        with self._database.read() as connection:
            row = connection.execute(statement).mappings().first()
            return None if row is None else rows.generation(row)

    def replace(
        self,
        project: str,
        names: Sequence[str],
        values: Mapping[str, OnlineValues],
        *,
        as_of: str = "",
        digest: str = "",
    ) -> GenerationRecord:
        """Write, then switch."""
        row = rows.generation_row(project, names, len(values), clock.now(), as_of, digest)
        packed = [rows.online_row(key, values[key]) for key in values]
        with self._database.write() as connection:
            statement = generations.insert().values({**row, "live": False}).returning(generations.c.sequence)
            number = int(connection.execute(statement).scalar_one())
        for some in chunks(packed, _BATCH):
            with self._database.write() as connection:
                numbered = [{**each, "generation": number} for each in some]
                connection.execute(online_features.insert(), numbered)
        with self._database.write() as connection:
            connection.execute(update(generations).where(generations.c.sequence == number).values(live=True))
        self._drop_others(project, number)
        return rows.generation({**row, "sequence": number})

    def get(self, project: str, keys: Sequence[str]) -> Mapping[str, OnlineValues]:
        """Those of the live generation."""
        record = self.current(project)
        if record is None:
            return {}
        found: dict[str, OnlineValues] = {}
        with self._database.read() as connection:
            for some in chunks([keep(key) for key in keys]):
                statement = select(online_features.c.key, online_features.c.data).where(
                    online_features.c.generation == record.sequence, online_features.c.key.in_(some)
                )
                for key, data in connection.execute(statement):
                    found[restore(key)] = tuple(unpack(data))
        return found

    def all(self, project: str) -> tuple[GenerationRecord, Mapping[str, OnlineValues]] | None:
        """Read whole; begun anew where another generation took its place meanwhile."""
        found: dict[str, OnlineValues] = {}
        record = self.current(project)
        for _ in range(_TRIES):
            if record is None:
                return None
            statement = (
                select(online_features.c.key, online_features.c.data)
                .where(online_features.c.generation == record.sequence)
                .order_by(online_features.c.key)
            )
            with self._database.read() as connection:
                found = {restore(key): tuple(unpack(data)) for key, data in connection.execute(statement)}
            if len(found) == record.keys:
                return record, found
            record = self.current(project)
        return None if record is None else (record, found)

    def _drop_others(self, project: str, number: int) -> None:
        """Drop what was live before, and what an interrupted update left a day ago or longer."""
        of_project = generations.c.project == keep(project)
        long_ago = micros(clock.now() - _ABANDONED)
        old = generations.c.live.is_(True) | (generations.c.created < long_ago)
        with self._database.write() as connection:
            statement = select(generations.c.sequence).where(of_project, generations.c.sequence < number, old)
            numbers = list(connection.execute(statement).scalars())
            for some in chunks(numbers):
                connection.execute(delete(online_features).where(online_features.c.generation.in_(some)))
                connection.execute(delete(generations).where(generations.c.sequence.in_(some)))
