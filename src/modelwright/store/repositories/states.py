"""Small named texts, over a database."""

from __future__ import annotations

from sqlalchemy import select

from modelwright.store import clock
from modelwright.store.codec import keep, key, micros, restore
from modelwright.store.database import Database
from modelwright.store.tables import states


class SqlStates:
    """``ports.States`` over a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, project: str, name: str) -> str | None:
        """By its key."""
        statement = select(states.c.text).where(
            states.c.project == keep(project), states.c.name == keep(name)
        )
        with self._database.read() as connection:
            found = connection.execute(statement).scalar()
        return None if found is None else restore(found)

    def put(self, project: str, name: str, text: str) -> None:
        """Insert or replace, in one statement."""
        change = {"text": keep(text), "updated": micros(clock.now())}
        place = {"project": key(project, "project name"), "name": key(name, "name of the state")}
        statement = self._database.upsert(states, {**place, **change}, on=["project", "name"], change=change)
        with self._database.write() as connection:
            connection.execute(statement)
