"""The store in PostgreSQL: for several hosts.

Nothing is kept in a session (no prepared statements, no session locks), so that it works behind a
transaction pooler too. Connections are tried before use, so that a restarted server is found again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec
from sqlalchemy import URL, Column, ColumnElement, Connection, Insert, Table, create_engine, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError, OperationalError

from modelwright.errors import MissingExtra
from modelwright.store.database import Database
from modelwright.store.errors import StoreNotWritable, StoreUnavailable

_CONNECTING = {
    "connect_timeout": 5,
    "tcp_user_timeout": 15_000,  # ms: a host that went away mid-way is noticed
    "application_name": "modelwright",
}
_TICKS = text("SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint)")
# Who delivers rows throws its own copy away once they are committed, so that must mean: on disk.
_DURABLE = text(
    "SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') = 'off'"
)
_LOCK = text("SELECT pg_advisory_xact_lock(:key)")
_LAST_GIVEN = text(
    "SELECT pg_sequence_last_value(CAST(pg_get_serial_sequence(:name, 'sequence') AS regclass))"
)
_GIVE_BEYOND = text("SELECT setval(CAST(pg_get_serial_sequence(:name, 'sequence') AS regclass), :number)")
_SIZE = text("SELECT pg_total_relation_size(CAST(:name AS regclass))")


class PostgresDatabase(Database):
    """A PostgreSQL database."""

    def explain(self, error: DBAPIError) -> StoreUnavailable | None:
        """The error by its SQLSTATE; one without is about the connection."""
        return explain(error, self.where)

    def ticks(self, connection: Connection) -> int:
        """The database server's clock, which all hosts share."""
        return int(connection.execute(_TICKS).scalar_one())

    def lock(self, connection: Connection, name: str) -> None:
        """An advisory lock, given back with the transaction."""
        digest = hashlib.blake2b(f"modelwright {name}".encode(), digest_size=8).digest()
        key = int.from_bytes(digest, "big", signed=True)
        connection.execute(_LOCK, {"key": key})

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """All statements see what was committed before the first of them."""
        with self.telling(), self.engine.connect() as connection:
            connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            with connection.begin():
                yield connection

    def shut_out(self, connection: Connection, tables: Sequence[Table]) -> None:
        """Lock them against all but readers."""
        if tables:
            names = ", ".join(table.name for table in tables)
            connection.execute(text(f"LOCK TABLE {names} IN SHARE ROW EXCLUSIVE MODE"))

    def last_given(self, connection: Connection, table: Table) -> int:
        """As the sequence behind the column knows it."""
        return connection.execute(_LAST_GIVEN, {"name": table.name}).scalar() or 0

    def give_beyond(self, connection: Connection, table: Table, number: int) -> None:
        """Set the sequence behind the column; never back."""
        if number > self.last_given(connection, table):
            connection.execute(_GIVE_BEYOND, {"name": table.name, "number": number})

    def sizes(self, connection: Connection, tables: Sequence[Table]) -> dict[str, int]:
        """With indices and what is stored out of line."""
        return {table.name: connection.execute(_SIZE, {"name": table.name}).scalar_one() for table in tables}

    def insert_new(self, connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> int:
        """One statement for all rows, which travel as one JSON text: the fastest way short of COPY."""
        if not rows:
            return 0
        names = ", ".join(rows[0])
        typed = ", ".join(f"{name} {_bare(table.c[name], connection)}" for name in rows[0])
        statement = text(
            f"INSERT INTO {table.name} ({names}) SELECT {names} "  # noqa: S608 - names are of our own tables
            f"FROM json_to_recordset(CAST(:rows AS json)) AS new ({typed}) ON CONFLICT DO NOTHING"
        )
        connection.execute(_DURABLE)
        return connection.execute(statement, {"rows": msgspec.json.encode(rows).decode()}).rowcount

    def upsert(
        self,
        table: Table,
        values: Mapping[str, Any],
        *,
        on: Sequence[str],
        change: Mapping[str, Any],
        where: ColumnElement[bool] | None = None,
    ) -> Insert:
        """PostgreSQL's ON CONFLICT DO UPDATE."""
        return insert(table).values(values).on_conflict_do_update(index_elements=on, set_=change, where=where)


def _bare(column: Column[Any], connection: Connection) -> str:
    """The type as a list of columns takes it, without a collation."""
    return column.type.compile(connection.dialect).partition(" COLLATE ")[0]


def open_postgres(url: URL, where: str) -> PostgresDatabase:
    """The database at ``url`` (any spelling of the scheme). Nothing is connected yet.

    Raises:
        MissingExtra: The driver is not installed.
    """
    try:
        import psycopg  # noqa: F401 - only to name the extra if it is missing
    except ImportError as error:
        if error.name not in (None, "psycopg"):
            raise
        raise MissingExtra("psycopg", "postgres") from error
    settings: dict[str, Any] = {name: v for name, v in _CONNECTING.items() if name not in url.query}
    engine = create_engine(
        url.set(drivername="postgresql+psycopg"),
        connect_args={**settings, "prepare_threshold": None},
        pool_pre_ping=True,
        max_overflow=20,
        hide_parameters=True,
    )
    return PostgresDatabase(engine, where)


def explain(error: DBAPIError, where: str) -> StoreUnavailable | None:
    """PostgreSQL's error in words, or None for those that are not about the database being usable."""
    state = getattr(error.orig, "sqlstate", None) or ""
    words = [f"PostgreSQL says: {line.strip()}" for line in str(error.orig).splitlines() if line.strip()]
    if state == "53100":
        return StoreNotWritable(where, "has a full disk.", "Free space on its server.", details=words)
    if state in ("25006", "42501"):
        return StoreNotWritable(
            where,
            "does not let this user write.",
            "Grant the user CREATE on the schema and use of its tables, and point at the primary server.",
            details=words,
        )
    if state in ("42P01", "42703"):
        return StoreUnavailable(
            where,
            "lacks a table or column it should have.",
            "Restore it from a backup, or use an empty database.",
            details=words,
        )
    if state in ("55P03", "57014", "40001", "40P01"):
        return StoreUnavailable(
            where, "gave up waiting for another program's work.", "Try again.", details=words
        )
    if isinstance(error, OperationalError) or error.connection_invalidated or state[:2] in ("08", "53", "57"):
        return StoreUnavailable(
            where,
            "cannot be reached.",
            "See that the server runs and that host, port, database, user and password are right.",
            details=words,
        )
    return None
