"""The store in a SQLite file: for one host, any number of its processes.

Write-ahead logging lets readers go on while one writes; ``synchronous=FULL`` makes a commit survive a
power cut, because the journal segment that was delivered is removed right after. A file that was
removed or replaced under an open connection is noticed at the next use (SQLite itself would go on
writing into the deleted file).
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Mapping, Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import ColumnElement, Connection, Insert, Table, create_engine, event, text
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool

from modelwright.store import clock
from modelwright.store.database import WRITING, Database
from modelwright.store.errors import StoreNotWritable, StoreUnavailable

PATIENCE = 15.0
"""Seconds to wait for another process's write to end."""

_PRAGMAS = (
    "PRAGMA foreign_keys = ON",
    "PRAGMA synchronous = FULL",
    "PRAGMA journal_size_limit = 67108864",  # a log that once grew large gives its space back
)

_LAST_GIVEN = text("SELECT seq FROM sqlite_sequence WHERE name = :name")
_RAISE_GIVEN = text("UPDATE sqlite_sequence SET seq = max(seq, :number) WHERE name = :name")
_NOTE_GIVEN = text("INSERT INTO sqlite_sequence (name, seq) VALUES (:name, :number)")
_SIZES = text("SELECT name, sum(pgsize) FROM dbstat GROUP BY name")
_INDICES = text("SELECT name FROM sqlite_master WHERE type = 'index' AND tbl_name = :name")


class SqliteDatabase(Database):
    """A SQLite file."""

    def explain(self, error: DBAPIError) -> StoreUnavailable | None:
        """The error by SQLite's own number."""
        return explain(error.orig, self.where)

    def ticks(self, connection: Connection) -> int:  # noqa: ARG002 - no need to ask the file
        """The host's clock since start: no other host may use the file, and nobody can set it."""
        return clock.ticks()

    def lock(self, connection: Connection, name: str) -> None:
        """Nothing to do: a writing transaction is alone from its start."""

    def shut_out(self, connection: Connection, tables: Sequence[Table]) -> None:
        """Nothing to do: a writing transaction is alone from its start."""

    def last_given(self, connection: Connection, table: Table) -> int:
        """As SQLite notes it for tables with AUTOINCREMENT."""
        return connection.execute(_LAST_GIVEN, {"name": table.name}).scalar() or 0

    def give_beyond(self, connection: Connection, table: Table, number: int) -> None:
        """Raise SQLite's note, or make one: a table that never had a row has none."""
        values = {"name": table.name, "number": number}
        if number and connection.execute(_RAISE_GIVEN, values).rowcount == 0:
            connection.execute(_NOTE_GIVEN, values)

    def sizes(self, connection: Connection, tables: Sequence[Table]) -> dict[str, int]:
        """By going through all pages, where this SQLite was built with the means to."""
        try:
            found: dict[str, int] = {row[0]: row[1] for row in connection.execute(_SIZES)}
        except DBAPIError:
            return {}
        return {
            table.name: sum(found.get(name, 0) for name in (table.name, *_indices(connection, table)))
            for table in tables
        }

    def insert_new(self, connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> int:
        """One prepared statement for all rows, which go to the driver as they are.

        SQLAlchemy's preparing of each row costs as much as SQLite's own work with it.
        """
        if not rows:
            return 0
        names = tuple(rows[0])
        columns = [table.c[name] for name in names]
        statement = insert(table).values(dict.fromkeys(columns)).on_conflict_do_nothing()
        compiled = statement.compile(dialect=connection.dialect)
        assert compiled.positiontup is not None  # noqa: S101 - SQLite's places have no names
        values = itemgetter(*compiled.positiontup)
        return connection.exec_driver_sql(str(compiled), [values(row) for row in rows]).rowcount

    def upsert(
        self,
        table: Table,
        values: Mapping[str, Any],
        *,
        on: Sequence[str],
        change: Mapping[str, Any],
        where: ColumnElement[bool] | None = None,
    ) -> Insert:
        """SQLite's ON CONFLICT DO UPDATE."""
        return insert(table).values(values).on_conflict_do_update(index_elements=on, set_=change, where=where)


def _indices(connection: Connection, table: Table) -> Sequence[str]:
    return connection.execute(_INDICES, {"name": table.name}).scalars().all()


def open_sqlite(path: Path, *, create: bool) -> SqliteDatabase:
    """The database in the file ``path``, made (empty, readable by its owner only) if ``create``."""
    path = path.absolute()  # the working directory may change
    where = str(path)
    _ensure_file(path, create=create)

    def connect() -> sqlite3.Connection:
        # mode=rw: a file that vanished is an error, not silently begun anew
        mode = "mode=ro&immutable=1" if _frozen(path) else "mode=rw"
        connection = sqlite3.connect(
            f"file:{quote(where)}?{mode}",
            uri=True,
            timeout=PATIENCE,
            isolation_level=None,  # transactions begin where we say so, below
            check_same_thread=False,
        )
        try:
            for pragma in _PRAGMAS:
                connection.execute(pragma)
        except sqlite3.Error:  # not a database, locked: nobody else knows of the connection
            connection.close()
            raise
        return connection

    engine = create_engine(
        "sqlite://", creator=connect, poolclass=QueuePool, max_overflow=20, hide_parameters=True
    )

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writing = connection.get_execution_options().get(WRITING, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")

    @event.listens_for(engine, "checkout")
    def same_file(_: Any, entry: ConnectionPoolEntry, __: Any) -> None:
        present = _identity(path)
        if entry.info.setdefault("file", present) != present:
            raise DisconnectionError("the file was removed or replaced")

    return SqliteDatabase(engine, where)


def use_write_ahead_log(database: SqliteDatabase) -> None:
    """Switch the file to write-ahead logging, for good. Waits for others who use it just now.

    SQLite answers "locked" at once here, without the usual patience, so it is asked again for a while.
    """
    end = time.monotonic() + PATIENCE
    with database.engine.connect() as pooled:
        connection = pooled.connection.driver_connection
        assert isinstance(connection, sqlite3.Connection)  # noqa: S101 - narrows the type
        while True:
            try:
                connection.execute("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError as error:
                told = explain(error, database.where)
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                    raise told or error from error
                time.sleep(0.01)
            except sqlite3.DatabaseError as error:
                raise explain(error, database.where) or error from error
            else:
                return


def explain(error: BaseException | None, where: str) -> StoreUnavailable | None:
    """SQLite's error in words, or None for those that are not about the file."""
    code = getattr(error, "sqlite_errorcode", None)
    if not isinstance(code, int):
        return None
    family = code & 0xFF  # the lower byte of an extended code
    if family == sqlite3.SQLITE_ERROR and "no such" in str(error):
        family = sqlite3.SQLITE_CORRUPT
    if family == sqlite3.SQLITE_CANTOPEN and Path(where).exists() and not os.access(where, os.W_OK):
        family = sqlite3.SQLITE_READONLY
    if family not in _WORDS:
        return None
    kind, what, instruction = _WORDS[family]
    return kind(where, what, instruction, details=[f"SQLite says: {error}"])


_Words = tuple[type[StoreUnavailable], str, str]
_FULL: _Words = (
    StoreNotWritable,
    "cannot be written: the disk is full or failing.",
    "Free some space (or look at the disk), then try again; what was stored before is intact.",
)
_READ_ONLY: _Words = (
    StoreNotWritable,
    "can only be read.",
    "Make the file and its folder writable for this user, or set MODELWRIGHT_WORK_DIR to another folder.",
)
_GONE: _Words = (
    StoreUnavailable,
    "cannot be opened: it was removed, or its folder is not accessible.",
    "Put the file back, or start again to have a new one made.",
)
_DAMAGED: _Words = (
    StoreUnavailable,
    "is damaged or is no store of Modelwright.",
    "Restore it from a backup, or move it aside to have a new one made.",
)
_LOCKED: _Words = (
    StoreUnavailable,
    f"has been locked by another program for more than {PATIENCE:.0f} seconds.",
    "End the program that holds it (a database browser, a backup), then try again.",
)
_WORDS: dict[int, _Words] = {
    sqlite3.SQLITE_FULL: _FULL,
    sqlite3.SQLITE_IOERR: _FULL,
    sqlite3.SQLITE_READONLY: _READ_ONLY,
    sqlite3.SQLITE_PERM: _READ_ONLY,
    sqlite3.SQLITE_AUTH: _READ_ONLY,
    sqlite3.SQLITE_CANTOPEN: _GONE,
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_NOTADB: _DAMAGED,
    sqlite3.SQLITE_BUSY: _LOCKED,
    sqlite3.SQLITE_LOCKED: _LOCKED,
}


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _frozen(path: Path) -> bool:
    """Whether nobody here can change the file, so that it may be read without what SQLite writes beside it.

    With a write-ahead log beside it, it is in use or was left behind by a crash: then not.
    """
    return (
        path.exists()
        and not os.access(path.parent, os.W_OK)
        and not path.with_name(path.name + "-wal").exists()
    )


def _ensure_file(path: Path, *, create: bool) -> None:
    """See that there is a file at ``path``. The folder is made too, but not the folders above it."""
    if path.is_dir():
        raise StoreUnavailable(str(path), "is a folder, not a file.", "Give the path of a file.")
    if path.exists():
        return
    if not create:
        raise StoreUnavailable(str(path), "does not exist yet.", "It is made by the first training.")
    try:
        path.parent.mkdir(exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        if not path.exists():  # the folder's name is taken by a file
            raise StoreUnavailable(
                str(path), "cannot be made: its folder is a file.", "Give another path."
            ) from None
    except FileNotFoundError as error:
        raise StoreUnavailable(
            str(path),
            "cannot be made: there is no such folder.",
            f"Make the folder {path.parent} first, or give another path.",
        ) from error
    except OSError as error:
        raise StoreNotWritable(
            str(path),
            f"cannot be made: {error.strerror}.",
            "Make the folder writable, free some space, or give another path.",
        ) from error
