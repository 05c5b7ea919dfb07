"""What a store holds, table by table, whichever database keeps it: read in blocks, counted, digested.

Contents are what was recorded. Not among them: who is at work just now (leases, judged by the clock of
their own database) and the mark that a health check leaves.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Row, Table, func, select, true
from sqlalchemy.exc import DBAPIError

from modelwright.errors import ExitCode, ModelwrightError
from modelwright.store.database import Database
from modelwright.store.portable import check
from modelwright.store.tables import counters, leases, metadata

CONTENTS: tuple[Table, ...] = tuple(table for table in metadata.sorted_tables if table is not leases)
"""The tables of a store's contents, each after those it refers to."""

_ROWS = 1_000
_BYTES = 2_000_000
_FIRST = 8  # rows of the first block, from which the size of the next ones is judged
_WHOLE = 5_000  # rows of a table that is compared by its digest, to tell whether it was changed

_encode = msgspec.json.Encoder().encode


class CannotRead(ModelwrightError):
    """A database cannot give the rows of a table."""

    code = ExitCode.DATA

    def __init__(self, where: str, table: Table, error: DBAPIError) -> None:
        super().__init__(
            f"The store {where} cannot give the rows of {table.name}.",
            "Look into those rows with the database's own program, then try again.",
            details=str(error.orig).splitlines(),
        )


class Digest:
    """How many rows there were and a sum over what is in them, whatever their order.

    Attributes:
        rows: How many.
    """

    def __init__(self) -> None:
        self.rows = 0
        self._sum = 0

    def add(self, rows: Sequence[Sequence[Any]]) -> None:
        """Take rows in: numbers, text and ``None``."""
        self.rows += len(rows)
        for row in rows:
            digest = hashlib.blake2b(_encode(tuple(row)), digest_size=16).digest()
            self._sum += int.from_bytes(digest, "big")

    @property
    def value(self) -> str:
        """The sum: 32 hexadecimal digits."""
        return f"{self._sum % (1 << 128):032x}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Digest) and (self.rows, self.value) == (other.rows, other.value)

    __hash__ = None  # type: ignore[assignment]  # it changes


def blocks(database: Database, connection: Connection, table: Table) -> Iterator[Sequence[Row[Any]]]:
    """The contents of a table in blocks of about two megabytes, however many rows or long texts it has.

    Raises:
        CannotKeep: A value is none that both kinds of database keep alike.
        CannotRead: The database cannot give the rows.
        StoreUnavailable: The database went away.
    """
    wanted = _FIRST
    with _reading(database, table):
        result = connection.execute(
            select(table).where(is_content(table)),
            execution_options={"stream_results": True, "max_row_buffer": 1},
        )
    try:
        while True:
            with _reading(database, table):
                rows = result.fetchmany(wanted)
            if not rows:
                return
            check(database.where, table, rows)
            yield rows
            wanted = _next_size(rows)
    finally:
        result.close()


def digest(
    database: Database, connection: Connection, table: Table, told: Callable[[int], None] = lambda _: None
) -> Digest:
    """The digest of a table's contents; ``told`` hears of every block how many rows it had."""
    found = Digest()
    for rows in blocks(database, connection, table):
        found.add(rows)
        told(len(rows))
    return found


def count(connection: Connection, table: Table) -> int:
    """How many rows of contents a table has."""
    statement = select(func.count()).select_from(table).where(is_content(table))
    return int(connection.execute(statement).scalar_one())


def standing(database: Database, connection: Connection) -> dict[str, tuple[int, Any]]:
    """What differs as soon as somebody has written: counts, with the newest row or a digest."""
    found: dict[str, tuple[int, Any]] = {}
    for table in CONTENTS:
        rows = count(connection, table)
        mark: Any = None
        if rows <= _WHOLE:
            mark = digest(database, connection, table).value
        elif "sequence" in table.c:
            mark = connection.execute(select(func.max(table.c.sequence))).scalar()
        found[table.name] = (rows, mark)
    return found


def is_content(table: Table) -> ColumnElement[bool]:
    """The condition on rows that belong to the contents."""
    return table.c.project != "" if table is counters else true()


@contextmanager
def _reading(database: Database, table: Table) -> Iterator[None]:
    with database.telling():
        try:
            yield
        except DBAPIError as error:
            if database.explain(error) is not None:
                raise
            raise CannotRead(database.where, table, error) from error


def _next_size(rows: Sequence[Row[Any]]) -> int:
    size = sum(len(value) for row in rows for value in row if isinstance(value, str))
    return max(1, min(_ROWS, _BYTES * len(rows) // max(size, 1)))
