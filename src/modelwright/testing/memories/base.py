"""What the repositories in memory share: rows as the databases hold them, under one lock."""

from __future__ import annotations

import functools
import itertools
import threading
from collections.abc import Callable, Iterable
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from modelwright.store.codec import keep
from modelwright.store.summaries import Counted, Key

Row = dict[str, Any]
P = ParamSpec("P")
R = TypeVar("R")


class Tables:
    """What the repositories share: rows as the databases hold them, one lock, one count of sequences."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.counters: dict[str, int] = {}
        self.versions: dict[tuple[str, int], Row] = {}
        self.releases: list[Row] = []
        self.predictions: dict[tuple[str, str], Row] = {}
        self.summaries: dict[Key, Counted] = {}
        self.labels: list[Row] = []
        self.samples: list[Row] = []
        self.jobs: dict[str, Row] = {}
        self.events: list[Row] = []
        self.leases: dict[str, tuple[str, int]] = {}
        self.keys: dict[str, Row] = {}
        self.online: dict[str, tuple[Row, dict[str, str]]] = {}
        self.windows: list[Row] = []
        self.states: dict[tuple[str, str], str] = {}
        self.overrides: dict[tuple[str, str], Row] = {}
        self._sequence = itertools.count(1)

    def append(self, table: list[Row], row: Row) -> Row:
        """Put a row at the end of a table, with the next sequence."""
        numbered = {**row, "sequence": next(self._sequence)}
        table.append(numbered)
        return numbered


class HasTables(Protocol):
    """What ``atomic`` needs of an object."""

    _tables: Tables


S = TypeVar("S", bound=HasTables)


def atomic(method: Callable[Concatenate[S, P], R]) -> Callable[Concatenate[S, P], R]:
    """One at a time."""

    @functools.wraps(method)
    def locked(self: S, /, *args: P.args, **named: P.kwargs) -> R:
        with self._tables.lock:
            return method(self, *args, **named)

    return locked


def of(project: str, table: Iterable[Row]) -> list[Row]:
    """The project's rows of a table."""
    owner = keep(project)
    return [row for row in table if row["project"] == owner]


class Repository:
    """One of the store's repositories, over the shared tables."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
