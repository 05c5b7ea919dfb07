"""Reads the rows of a query, in portions, from any database that SQLAlchemy knows."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, create_engine, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, ResourceClosedError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from modelwright.errors import ExitCode, MissingExtra, ModelwrightError
from modelwright.schema.urls import mask_url

Portion = tuple[tuple[str, ...], Sequence[Sequence[Any]]]
"""Column names, and some rows."""

_DRIVERS = {"postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg"}


class ExtractFailed(ModelwrightError):
    """The query's rows cannot be had: wrong address, database away, or the query is wrong."""

    code = ExitCode.DATA


class SourceUnavailable(ExtractFailed):
    """The database does not answer."""

    code = ExitCode.UNAVAILABLE


def resolve_url(url: str, base: Path) -> URL:
    """The address with its driver; a relative SQLite path is taken from ``base``.

    Raises:
        ExtractFailed: It is no database address, or the SQLite file is not there.
    """
    try:
        address = make_url(url)
    except ArgumentError as error:
        raise ExtractFailed(
            f"{mask_url(url)!r} is no database address.", "Write it as postgresql://user@host/database."
        ) from error
    if address.drivername in _DRIVERS:
        return address.set(drivername=_DRIVERS[address.drivername])
    if address.get_backend_name() == "sqlite" and address.database not in {None, "", ":memory:"}:
        path = base / str(address.database)
        if not path.is_file():
            raise ExtractFailed(
                f"There is no SQLite database {path}.",
                "Check the path; a relative one starts at the project.",
            )
        return address.set(database=str(path))
    return address


def stream_rows(url: str, query: str, *, base: Path, chunk: int = 20_000) -> Generator[Portion, None, None]:
    """Run ``query`` in a read-only transaction and give its rows in portions of ``chunk``.

    The first portion is given even if there are no rows, so that the names are known. Whoever may stop
    half-way closes it (``contextlib.closing``): until then a connection and a cursor are open.

    Raises:
        ExtractFailed: The address or the query is wrong.
        SourceUnavailable: The database does not answer.
        MissingExtra: The database's driver is not installed.
    """
    address = resolve_url(url, base)
    shown = mask_url(url)
    try:
        engine = create_engine(address, poolclass=NullPool, hide_parameters=True)
    except NoSuchModuleError as error:
        raise ExtractFailed(f"No driver knows the database address {shown}.", str(error)) from error
    except ModuleNotFoundError as error:
        raise _missing_driver(error) from error
    try:
        with engine.connect() as connection:
            yield from _portions(connection, query, chunk)
    except ResourceClosedError as error:
        raise ExtractFailed(f"The query gives no rows: {query}", "Write a SELECT.") from error
    except DBAPIError as error:
        raise _worded(error, shown, query) from error
    except SQLAlchemyError as error:
        raise ExtractFailed(f"The query at {shown} failed: {mask_url(str(error))}", "") from error
    finally:
        engine.dispose()


def _portions(connection: Connection, query: str, chunk: int) -> Iterator[Portion]:
    _forbid_writing(connection)
    # exec_driver_sql would read ":" and "%" in a query as they stand; text() needs the colons escaped.
    statement = text(query.rstrip().rstrip(";").replace(":", r"\:"))
    with connection.execution_options(stream_results=True, yield_per=chunk).execute(statement) as result:
        names = tuple(result.keys())
        empty = True
        for rows in result.partitions(chunk):
            empty = False
            yield names, rows
        if empty:
            yield names, ()


def _forbid_writing(connection: Connection) -> None:
    """A source is only read, whatever the query says."""
    backend = connection.dialect.name
    if backend == "sqlite":
        connection.exec_driver_sql("PRAGMA query_only = ON")
    elif backend == "postgresql":
        connection.exec_driver_sql("SET TRANSACTION READ ONLY")


def _missing_driver(error: ModuleNotFoundError) -> ModelwrightError:
    module = error.name or "the database driver"
    if module.startswith("psycopg"):
        return MissingExtra(module, "postgres")
    return ExtractFailed(
        f"This database needs the Python package {module!r}, which is not installed.",
        f"Install it with: pip install {module}",
    )


def _worded(error: DBAPIError, shown: str, query: str) -> ExtractFailed:
    lines = mask_url(str(error.orig)).strip().splitlines() or [type(error).__name__]
    if error.connection_invalidated or error.statement is None:
        return SourceUnavailable(
            f"The database {shown} cannot be reached: {lines[0]}",
            "Check that it runs, that the address is right and that you may connect.",
            details=lines[1:],
        )
    return ExtractFailed(
        f"The database {shown} refused the query: {lines[0]}",
        "Try the query in the database's own program.",
        details=[*lines[1:], f"The query: {query}"],
    )
