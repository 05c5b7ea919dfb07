"""Bringing a database's tables up to this release.

Opening a store that is up to date costs one small query and does not import Alembic.
"""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DBAPIError

from modelwright.store.database import Database
from modelwright.store.errors import StoreTooNew, StoreTooOld
from modelwright.store.migrations import HEAD, REVISIONS, VERSION_TABLE
from modelwright.store.sqlite import SqliteDatabase, use_write_ahead_log

if TYPE_CHECKING:
    from alembic.config import Config

_REVISION = text(f"SELECT version_num FROM {VERSION_TABLE}")  # noqa: S608 - a constant

_ALEMBIC = threading.Lock()
"""Alembic hands its scripts what they work on through globals: one thread of a process at a time."""


def bring_up(database: Database, *, migrate: bool) -> None:
    """See that the tables are as this release needs them, migrating if ``migrate``.

    Any number of processes may do so at once: one migrates, the others wait and find it done.

    Raises:
        StoreTooNew: A newer release was here.
        StoreTooOld: Older tables, and ``migrate`` is false.
    """
    revision = _revision(database)
    if revision == HEAD:
        return
    _refuse_unknown(database, revision)
    if not migrate:
        raise StoreTooOld(database.where, revision, HEAD)
    if isinstance(database, SqliteDatabase):
        use_write_ahead_log(database)
    with database.write() as connection:
        bring_up_within(database, connection)


def bring_up_within(database: Database, connection: Connection) -> None:
    """Migrate, if need be, in a writing transaction, with which it also comes to nothing.

    An SQLite file must have a write-ahead log before: nobody can switch to one in a transaction.

    Raises:
        StoreTooNew: A newer release was here.
    """
    database.lock(connection, "migration")
    revision = recorded(connection)  # another process may have been faster
    if revision != HEAD:
        _refuse_unknown(database, revision)
        _upgrade(connection)


def alembic_config(connection: Connection) -> Config:
    """Alembic set up to work over ``connection``, with the scripts inside this package."""
    from alembic.config import Config

    config = Config(stdout=sys.stdout)  # the default is what standard output was when Alembic was loaded
    config.set_main_option("script_location", "modelwright.store:migrations")
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def _upgrade(connection: Connection) -> None:
    from alembic import command

    with _ALEMBIC:
        command.upgrade(alembic_config(connection), "head")


def _revision(database: Database) -> str | None:
    """Where the database stands: one query where it has tables, a second look where that fails."""
    with database.read() as connection:
        try:
            return connection.execute(_REVISION).scalar()
        except DBAPIError:
            connection.rollback()
    with database.read() as connection:
        return recorded(connection)


def recorded(connection: Connection) -> str | None:
    """The revision of the tables; ``None`` where there are none."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    return connection.execute(_REVISION).scalar()


def _refuse_unknown(database: Database, revision: str | None) -> None:
    if revision is not None and revision not in REVISIONS:
        raise StoreTooNew(database.where, revision)
