"""One holder at a time, over a database."""

from __future__ import annotations

from sqlalchemy import delete, or_, update

from modelwright.store.codec import keep, key
from modelwright.store.database import Database
from modelwright.store.tables import leases


class SqlLeases:
    """``ports.Leases`` over a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def acquire(self, name: str, owner: str, *, seconds: float) -> bool:
        """One statement decides, by the database's clock.

        A lease of another that would end later than its whole length from now was given before the
        clock was set back. It is cut to its length: a living holder renews it, a dead one's ends.
        """
        length = int(seconds * 1_000_000)
        with self._database.write() as connection:
            ticks = self._database.ticks(connection)
            terms = {"owner": keep(owner), "ends": ticks + length, "length": length}
            taken = self._database.upsert(
                leases,
                {"name": key(name, "name of the lease"), **terms},
                on=["name"],
                change=terms,
                where=or_(leases.c.owner == keep(owner), leases.c.ends <= ticks),
            ).returning(leases.c.name)
            if connection.execute(taken).first() is not None:
                return True
            connection.execute(
                update(leases)
                .where(leases.c.name == keep(name), leases.c.ends > ticks + leases.c.length)
                .values(ends=ticks + leases.c.length)
            )
            return False

    def release(self, name: str, owner: str) -> None:
        """Delete the row, if it is this owner's."""
        with self._database.write() as connection:
            connection.execute(
                delete(leases).where(leases.c.name == keep(name), leases.c.owner == keep(owner))
            )
