"""From a store's address to its database, of whichever kind."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from modelwright.schema.urls import mask_url
from modelwright.store.database import Database
from modelwright.store.errors import StoreUnavailable
from modelwright.store.sqlite import open_sqlite

_KINDS = "sqlite:///path/to/file.db or postgresql://user:password@host/database"


def open_database(url: str | None, path: Path | None = None, *, create: bool) -> Database:
    """The database at ``url``, or where none is given, in the SQLite file ``path``, with whatever it holds.

    Args:
        url: ``sqlite:///…``, ``postgresql://…`` or ``postgres://…``.
        path: A file.
        create: Make an SQLite file that is not there, readable by its owner only.

    Raises:
        StoreUnavailable: The address cannot be read, or the file is not there or cannot be made.
        MissingExtra: PostgreSQL's driver is not installed.
        ValueError: Neither ``url`` nor ``path`` was given.
    """
    if not url:
        if path is None:
            raise ValueError("a database needs a url or a path")
        return open_sqlite(path, create=create)
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise StoreUnavailable(
            url, "has an address that cannot be read.", f"Write it like {_KINDS}"
        ) from error
    kind = parsed.drivername.partition("+")[0]
    if kind == "sqlite":
        if parsed.database in (None, "", ":memory:"):
            raise StoreUnavailable(
                url,
                "would be in memory, and gone with the process.",
                "Name a file: sqlite:///path/to/file.db",
            )
        return open_sqlite(Path(str(parsed.database)), create=create)
    if kind in ("postgres", "postgresql"):
        from modelwright.store.postgres import open_postgres

        return open_postgres(parsed, mask_url(url))
    raise StoreUnavailable(url, f"is of a kind that is not supported ({kind}).", f"Write it like {_KINDS}")
