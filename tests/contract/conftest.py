"""The stores that keep the contract: memory, SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import make_url

from modelwright.schema.urls import mask_url
from modelwright.store.database import Database
from modelwright.store.engine import open_store
from modelwright.store.ports import Store
from modelwright.store.postgres import open_postgres
from modelwright.store.sqlite import open_sqlite
from modelwright.testing.memory import MemoryStore

DATABASES = ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]


@pytest.fixture(params=["memory", *DATABASES])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """An empty store of each kind."""
    if request.param == "memory":
        yield MemoryStore()
        return
    url = address(request, tmp_path)
    with closing(open_store(url)) as opened:
        yield opened


@pytest.fixture(params=DATABASES)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a fresh database of each kind, which nobody has opened yet."""
    return address(request, tmp_path)


def address(request: pytest.FixtureRequest, folder: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{folder / 'store.db'}"
    return str(request.getfixturevalue("postgres_url"))


def database_of(url: str) -> Database:
    """The database behind ``url``, made if need be, with whatever tables it has."""
    parsed = make_url(url)
    if parsed.drivername == "sqlite":
        return open_sqlite(Path(str(parsed.database)), create=True)
    return open_postgres(parsed, mask_url(url))
