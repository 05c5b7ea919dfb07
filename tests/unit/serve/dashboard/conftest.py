"""A store on disk and a dashboard over it."""

from __future__ import annotations

from contextlib import closing

import pytest

from dashboards import Browser, InProcess
from modelwright.serve.dashboard.house import Room
from modelwright.store.engine import open_store


@pytest.fixture
def store(tmp_path):
    """An empty store."""
    with closing(open_store(path=tmp_path / "work" / "store.db")) as opened:
        yield opened


@pytest.fixture
def room(tmp_path):
    """The project iris, without a model loaded."""
    return Room("iris", "iris", tmp_path / "work", "", None)


@pytest.fixture
def browser(store, room, tmp_path):
    """A browser at the dashboard of ``room``."""
    return Browser(InProcess(store, tmp_path / "work", [room]))
