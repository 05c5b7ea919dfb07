"""The stores that keep the contract: memory, SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from modelwright.store.engine import SqlStore, open_store
from modelwright.store.ports import Store
from modelwright.testing.memory import MemoryStore

DATABASES = ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]

OpenStore = Callable[[], SqlStore]


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
