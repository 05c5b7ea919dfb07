"""One database behind an engine: reading, writing, and telling its errors. The two kinds derive from it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Insert, Table
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from modelwright.store.errors import StoreUnavailable

WRITING = "modelwright_writing"
"""Execution option of a connection that will write: SQLite then takes its write lock at once."""


class Database(ABC):
    """What the repositories need of a database, the same for both kinds.

    Attributes:
        engine: SQLAlchemy's, with its pool.
        where: The address as people may see it.
    """

    def __init__(self, engine: Engine, where: str) -> None:
        self.engine = engine
        self.where = where

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection in a transaction that changes nothing."""
        with self.telling(), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A connection in a transaction that is committed at the end, or rolled back on an error."""
        with self.telling(), self.engine.connect() as connection:
            connection.execution_options(**{WRITING: True})
            with connection.begin():
                yield connection

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """A connection that changes nothing and sees the database as it is now, whatever others write."""
        with self.read() as connection:
            yield connection

    @contextmanager
    def telling(self) -> Iterator[None]:
        """Put the driver's errors in the block into words about this database."""
        try:
            yield
        except DBAPIError as error:
            told = self.explain(error)
            if told is None:
                raise
            raise told from error
        except PoolTimeout as error:
            raise StoreUnavailable(
                self.where,
                "has all its connections in use.",
                "Try again; if it stays so, find what holds them for so long.",
            ) from error

    @abstractmethod
    def explain(self, error: DBAPIError) -> StoreUnavailable | None:
        """The driver's error in words, or None if it is not about the database being unusable."""

    @abstractmethod
    def ticks(self, connection: Connection) -> int:
        """Microseconds of the clock that leases are judged by, shared by all users of the database."""

    @abstractmethod
    def lock(self, connection: Connection, name: str) -> None:
        """Hold ``name`` alone until the transaction ends."""

    @abstractmethod
    def shut_out(self, connection: Connection, tables: Sequence[Table]) -> None:
        """Let nobody else write to ``tables`` until the transaction ends."""

    @abstractmethod
    def last_given(self, connection: Connection, table: Table) -> int:
        """The greatest number that was given as the sequence of a row of ``table``, also if it is gone."""

    @abstractmethod
    def give_beyond(self, connection: Connection, table: Table, number: int) -> None:
        """Let the sequence of the next row of ``table`` be greater than ``number``."""

    @abstractmethod
    def sizes(self, connection: Connection, tables: Sequence[Table]) -> dict[str, int]:
        """Bytes on disk of each of ``tables`` with its indices; empty where the database cannot tell."""

    @abstractmethod
    def insert_new(self, connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> int:
        """Insert those rows whose key is not there yet, and say how many were new."""

    @abstractmethod
    def upsert(
        self,
        table: Table,
        values: Mapping[str, Any],
        *,
        on: Sequence[str],
        change: Mapping[str, Any],
        where: ColumnElement[bool] | None = None,
    ) -> Insert:
        """Insert ``values``, or where the columns ``on`` are taken, apply ``change`` (if ``where`` holds)."""
