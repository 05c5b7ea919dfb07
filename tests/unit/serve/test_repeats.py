"""Ids of clients: looking for one is made ready before the first one comes."""

from __future__ import annotations

import asyncio
from pathlib import Path

from modelwright.serve.repeats import Repeats
from modelwright.serve.store_access import StoreAccess


def _warmed(folder: Path, url: str) -> bool:
    """Whether the store is open once the search was warmed up."""
    store = StoreAccess(url)
    try:
        asyncio.run(Repeats(folder, store).warm_up(["iris", "iris"]))
        return store.opened("iris")
    finally:
        store.close()


def test_the_store_is_open_before_the_first_id_comes(tmp_path: Path) -> None:
    """Whoever gives an id first does not wait for imports and a connection."""
    assert _warmed(tmp_path, f"sqlite:///{tmp_path / 'store.db'}")


def test_a_store_that_is_away_stops_nothing(tmp_path: Path) -> None:
    """A worker serves without its store, so warming up the search for ids fails without a word."""
    (tmp_path / "file").touch()
    assert not _warmed(tmp_path, f"sqlite:///{tmp_path / 'file' / 'store.db'}")
