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
        with self._told(), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A connection in a transaction that is committed at the end, or rolled back on an error."""
        with self._told(), self.engine.connect() as connection:
            connection.execution_options(**{WRITING: True})
            with connection.begin():
                yield connection

    @contextmanager
    def _told(self) -> Iterator[None]:
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
