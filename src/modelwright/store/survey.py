"""What there is in a store, without changing anything in it: tables, projects, how much and of when."""

from __future__ import annotations

import contextlib
from datetime import datetime
from pathlib import Path

import msgspec
from sqlalchemy import Connection, func, inspect, select

from modelwright.store.address import open_database
from modelwright.store.codec import moment, restore
from modelwright.store.contents import count
from modelwright.store.database import Database
from modelwright.store.errors import StoreTooOld
from modelwright.store.migrate import recorded
from modelwright.store.migrations import HEAD, REVISIONS
from modelwright.store.sqlite import SqliteDatabase
from modelwright.store.tables import metadata, predictions, versions


class TableSurvey(msgspec.Struct, frozen=True):
    """One table.

    Attributes:
        name: Its name in the database.
        rows: How many.
        bytes: On disk, with its indices; ``None`` where the database cannot tell.
    """

    name: str
    rows: int
    bytes: int | None


class ProjectSurvey(msgspec.Struct, frozen=True):
    """What there is of one project.

    Attributes:
        name: Its name.
        versions: How many.
        predictions: How many.
        oldest, newest: When the first and the last of them were answered; ``None`` without any.
    """

    name: str
    versions: int
    predictions: int
    oldest: datetime | None
    newest: datetime | None


class Survey(msgspec.Struct, frozen=True):
    """A store.

    Attributes:
        where: Its address, without password.
        kind: "SQLite" or "PostgreSQL".
        revision: Of its tables.
        needs: "" where this release has tables of that revision, else "upgrade" (of the tables, by the
            next command that writes) or "newer release".
        bytes: All it takes on disk; ``None`` where nobody knows.
        tables: By name.
        projects: By name.
    """

    where: str
    kind: str
    revision: str
    needs: str
    bytes: int | None
    tables: tuple[TableSurvey, ...]
    projects: tuple[ProjectSurvey, ...]


def survey(url: str) -> Survey:
    """Look at the store at ``url``.

    Raises:
        StoreUnavailable: It cannot be reached or read, or there is none.
    """
    database = open_database(url, create=False)
    try:
        with database.snapshot() as connection:
            return _survey(database, connection)
    finally:
        database.engine.dispose()


def _survey(database: Database, connection: Connection) -> Survey:
    revision = recorded(connection)
    if revision is None:
        raise StoreTooOld(database.where, None, HEAD)
    present = set(inspect(connection).get_table_names())
    tables = [table for name, table in sorted(metadata.tables.items()) if name in present]
    rows = {str(table.name): count(connection, table) for table in tables}
    sizes = database.sizes(connection, tables)
    needs = "" if revision == HEAD else "upgrade" if revision in REVISIONS else "newer release"
    file = isinstance(database, SqliteDatabase)
    return Survey(
        where=database.where,
        kind="SQLite" if file else "PostgreSQL",
        revision=revision,
        needs=needs,
        bytes=_file_size(Path(database.where)) if file else sum(sizes.values()),
        tables=tuple(TableSurvey(name, rows[name], sizes.get(name)) for name in rows),
        projects=_projects(connection),
    )


def _file_size(path: Path) -> int:
    """Bytes of an SQLite file and of the log beside it."""
    total = 0
    for each in (path, path.with_name(f"{path.name}-wal")):
        with contextlib.suppress(FileNotFoundError):
            total += each.stat().st_size
    return total


def _projects(connection: Connection) -> tuple[ProjectSurvey, ...]:
    registered = select(versions.c.project, func.count()).group_by(versions.c.project)
    known: dict[str, int] = {row[0]: row[1] for row in connection.execute(registered)}
    time = predictions.c.time
    asked = select(predictions.c.project, func.count(), func.min(time), func.max(time))
    log = {row[0]: row[1:] for row in connection.execute(asked.group_by(predictions.c.project))}
    return tuple(
        ProjectSurvey(
            restore(name),
            known.get(name, 0),
            log[name][0] if name in log else 0,
            moment(log[name][1]) if name in log else None,
            moment(log[name][2]) if name in log else None,
        )
        for name in sorted(known.keys() | log.keys())
    )
