"""A whole store into an empty one at another address, between SQLite and PostgreSQL or within one kind.

The source is read in one snapshot and never changed. The target is written in one transaction, its
tables included, and what was written is read back and compared before it is committed: whatever ends a
copy early, a signal, a full disk, a cut connection, leaves the target as empty as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Connection, Table, func, inspect, select
from sqlalchemy.exc import DBAPIError

from modelwright.errors import Busy, ExitCode, ModelwrightError
from modelwright.store.address import open_database
from modelwright.store.contents import CONTENTS, Digest, blocks, count, digest, is_content, standing
from modelwright.store.database import Database
from modelwright.store.errors import StoreUnavailable
from modelwright.store.migrate import bring_up, bring_up_within
from modelwright.store.sqlite import SqliteDatabase, use_write_ahead_log
from modelwright.store.tables import leases

Told = Callable[[float, str], None]
"""Hears what share of the whole is done, and what is done now."""


class NotEmpty(ModelwrightError):
    """The store to copy into holds something."""

    code = ExitCode.USAGE

    def __init__(self, where: str, held: dict[str, int]) -> None:
        super().__init__(
            f"The store {where} is not empty, and two records cannot be joined into one.",
            "Copy into an empty database, or to a file that is not there yet.",
            details=[f"{name}: {rows:,} {'row' if rows == 1 else 'rows'}" for name, rows in held.items()],
        )


class CannotCopy(ModelwrightError):
    """The target's database refuses rows of a table."""

    code = ExitCode.DATA

    def __init__(self, table: Table, where: str, error: DBAPIError) -> None:
        super().__init__(
            f"The store {where} refuses rows of {table.name}.",
            "Nothing was left there. Look into those rows at the source, then try again.",
            details=str(error.orig).splitlines(),
        )


class CopyDiffers(ModelwrightError):
    """What was read back is not what was written."""

    code = ExitCode.STORAGE

    def __init__(self, table: Table, where: str) -> None:
        super().__init__(
            f"What {where} gave back of {table.name} is not what was written there.",
            "Nothing was left there. Look at that database's own log, then try again.",
        )


class AtWork(Busy):
    """Somebody uses the store: what they write after the copy began would be missing in it."""

    def __init__(self, where: str, users: Sequence[User]) -> None:
        super().__init__(
            f"A server or a worker is at work on the store {where}.",
            "Stop it, then copy. If it was killed, wait until what it held has run out.",
            details=[
                f"{user.name}: held by {user.owner}, for {user.seconds:.0f} s more at least" for user in users
            ],
        )


class ChangedMeanwhile(Busy):
    """The source was written to while it was copied."""

    def __init__(self, where: str, tables: Sequence[str]) -> None:
        super().__init__(
            f"The store {where} was written to while it was copied ({', '.join(tables)}).",
            "Nothing was left at the other place. Stop what writes there (servers and workers, of other "
            "hosts too), then copy again.",
        )


class User(msgspec.Struct, frozen=True):
    """Who holds something in a store.

    Attributes:
        name: What is held.
        owner: By whom.
        seconds: For how long, if it is not renewed.
    """

    name: str
    owner: str
    seconds: float


class Copied(msgspec.Struct, frozen=True):
    """A copy that was made.

    Attributes:
        source: Where it was read, as people may see it.
        target: Where it is.
        rows: By table.
        digests: By table.
    """

    source: str
    target: str
    rows: dict[str, int]
    digests: dict[str, str]


def copy_store(source: str, target: str, *, told: Told = lambda *_: None) -> Copied:
    """Copy all projects of the store at ``source`` into the empty one at ``target``.

    Rows pass in blocks of about two megabytes. Stop what writes to the source: that is checked before and
    after, but what is written later is not in the copy.

    Raises:
        NotEmpty: There are rows at the target.
        AtWork: Somebody holds a lease in the source.
        ChangedMeanwhile: Somebody wrote to the source all the same.
        CannotKeep: A value of the source is none that both kinds of database keep alike.
        CannotCopy: The target's database refuses rows.
        CopyDiffers: The rows at the target are not those of the source.
        StoreUnavailable: One of both cannot be reached, read or written (full disk), or its tables are
            of another release.
    """
    _refuse_missing_folder(target)
    with _opened(source, create=False) as origin:
        bring_up(origin, migrate=False)
        with _opened(target, create=True) as goal, _leaving_nothing(goal):
            if isinstance(goal, SqliteDatabase):
                with goal.telling():
                    use_write_ahead_log(goal)
            with origin.snapshot() as reading, goal.write() as writing:
                return _Copy(origin, reading, goal, writing, told).run()


def users(database: Database, connection: Connection) -> list[User]:
    """Who holds a lease, by the database's clock; one from before that was set back does not count."""
    ticks = database.ticks(connection)
    holding = select(leases).where(leases.c.ends > ticks, leases.c.ends <= ticks + leases.c.length)
    return [
        User(row.name, row.owner, (row.ends - ticks) / 1e6)
        for row in connection.execute(holding.order_by(leases.c.name))
    ]


def _refuse_missing_folder(url: str) -> None:
    """A folder that is not there may be a slip of the keyboard, so none is made."""
    if not url.startswith("sqlite:///"):
        return
    path = Path(url.removeprefix("sqlite:///").partition("?")[0]).absolute()
    if not path.parent.exists():
        raise StoreUnavailable(
            str(path),
            "cannot be made: there is no such folder.",
            f"Make the folder {path.parent} first, or give another path.",
        )


@contextmanager
def _opened(url: str, *, create: bool) -> Iterator[Database]:
    database = open_database(url, create=create)
    try:
        yield database
    finally:
        database.engine.dispose()


@contextmanager
def _leaving_nothing(goal: Database) -> Iterator[None]:
    """Remove the SQLite file that was made for a copy which failed: nothing is in it."""
    try:
        yield
    except BaseException:
        if isinstance(goal, SqliteDatabase) and _holds_nothing(goal):
            goal.engine.dispose()
            Path(goal.where).unlink(missing_ok=True)
        raise


def _holds_nothing(goal: Database) -> bool:
    """Whether there is not one table; no, if the file cannot be read: then it is not ours to judge."""
    try:
        with goal.read() as connection:
            return not inspect(connection).get_table_names()
    except (StoreUnavailable, DBAPIError):
        return False


class _Copy:
    """One copy under way."""

    def __init__(
        self, origin: Database, reading: Connection, goal: Database, writing: Connection, told: Told
    ) -> None:
        self._origin, self._reading = origin, reading
        self._goal, self._writing = goal, writing
        self._told = told
        self._done = self._total = 0

    def run(self) -> Copied:
        """From the first check to the last, within both transactions."""
        at_work = users(self._origin, self._reading)
        if at_work:
            raise AtWork(self._origin.where, at_work)
        self._prepare()
        before = standing(self._origin, self._reading)
        self._total = 2 * sum(rows for rows, _ in before.values())
        digests: dict[str, Digest] = {}
        for table in CONTENTS:
            digests[table.name] = self._copy(table)
        for table in CONTENTS:
            if self._compared(table) != digests[table.name]:
                raise CopyDiffers(table, self._goal.where)
        self._refuse_changes(before)
        return Copied(
            self._origin.where,
            self._goal.where,
            {name: each.rows for name, each in digests.items()},
            {name: each.value for name, each in digests.items()},
        )

    def _prepare(self) -> None:
        """Make the tables, once it is sure that nothing is in them, and let nobody else write there."""
        self._goal.lock(self._writing, "copy")
        present = set(inspect(self._writing).get_table_names())
        there = [table for table in CONTENTS if table.name in present]
        self._goal.shut_out(self._writing, there)
        held = {table.name: rows for table in there if (rows := count(self._writing, table))}
        if held:
            raise NotEmpty(self._goal.where, held)
        bring_up_within(self._goal, self._writing)

    def _copy(self, table: Table) -> Digest:
        found = Digest()
        names = table.columns.keys()
        try:
            for rows in blocks(self._origin, self._reading, table):
                found.add(rows)
                new = self._goal.insert_new(
                    self._writing, table, [dict(zip(names, row, strict=True)) for row in rows]
                )
                if new != len(rows):
                    raise CopyDiffers(table, self._goal.where)
                self._went(len(rows), f"Copying {table.name}")
            if "sequence" in table.c:
                self._goal.give_beyond(self._writing, table, self._greatest(table))
        except DBAPIError as error:
            if self._goal.explain(error) is not None:
                raise
            raise CannotCopy(table, self._goal.where, error) from error
        return found

    def _greatest(self, table: Table) -> int:
        """The greatest number ever given at the source: what was deleted must not come again."""
        present = self._reading.execute(select(func.max(table.c.sequence)).where(is_content(table))).scalar()
        return max(present or 0, self._origin.last_given(self._reading, table))

    def _compared(self, table: Table) -> Digest:
        def told(rows: int) -> None:
            self._went(rows, f"Comparing {table.name}")

        return digest(self._goal, self._writing, table, told)

    def _went(self, rows: int, text: str) -> None:
        self._done += rows
        self._told(self._done / max(self._total, 1), text)

    def _refuse_changes(self, before: dict[str, tuple[int, Any]]) -> None:
        with self._origin.read() as connection:
            after = standing(self._origin, connection)
        changed = [name for name, mark in after.items() if mark != before[name]]
        if changed:
            raise ChangedMeanwhile(self._origin.where, changed)
