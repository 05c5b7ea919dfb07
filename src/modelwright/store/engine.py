"""Opening a store, in SQLite or PostgreSQL."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

from modelwright.store.address import open_database
from modelwright.store.database import Database
from modelwright.store.migrate import bring_up
from modelwright.store.ports import (
    Events,
    Jobs,
    Keys,
    Labels,
    Leases,
    Online,
    Overrides,
    Predictions,
    Releases,
    Samples,
    States,
    Summaries,
    Versions,
    Windows,
)
from modelwright.store.repositories.events import SqlEvents
from modelwright.store.repositories.jobs import SqlJobs
from modelwright.store.repositories.keys import SqlKeys
from modelwright.store.repositories.labels import SqlLabels
from modelwright.store.repositories.leases import SqlLeases
from modelwright.store.repositories.online import SqlOnline
from modelwright.store.repositories.overrides import SqlOverrides
from modelwright.store.repositories.predictions import SqlPredictions
from modelwright.store.repositories.releases import SqlReleases
from modelwright.store.repositories.samples import SqlSamples
from modelwright.store.repositories.states import SqlStates
from modelwright.store.repositories.summaries import SqlSummaries
from modelwright.store.repositories.versions import SqlVersions
from modelwright.store.repositories.windows import SqlWindows
from modelwright.store.tables import counters

_PINGED = {"project": "", "value": 0}
"""The row that ``ping`` writes: no project has an empty name."""


class SqlStore:
    """All repositories over one database. Threads may share it; a forked process opens its own.

    Attributes:
        where: The address as people may see it, without password.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self.where = database.where
        self.versions: Versions = SqlVersions(database)
        self.releases: Releases = SqlReleases(database)
        self.predictions: Predictions = SqlPredictions(database)
        self.summaries: Summaries = SqlSummaries(database)
        self.labels: Labels = SqlLabels(database)
        self.samples: Samples = SqlSamples(database)
        self.jobs: Jobs = SqlJobs(database)
        self.events: Events = SqlEvents(database)
        self.leases: Leases = SqlLeases(database)
        self.keys: Keys = SqlKeys(database)
        self.online: Online = SqlOnline(database)
        self.windows: Windows = SqlWindows(database)
        self.states: States = SqlStates(database)
        self.overrides: Overrides = SqlOverrides(database)

    def ping(self) -> None:
        """Write one small row. Raises ``StoreUnavailable`` unless that works."""
        statement = self._database.upsert(
            counters, _PINGED, on=["project"], change={"value": counters.c.value + 1}
        )
        with self._database.write() as connection:
            connection.execute(statement)

    def close(self) -> None:
        """Give all connections back."""
        self._database.engine.dispose()

    def __enter__(self) -> SqlStore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_store(url: str | None = None, *, path: Path | None = None, migrate: bool = True) -> SqlStore:
    """The store at ``url``, or where none is given, in the SQLite file ``path``.

    Args:
        url: ``sqlite:///…``, ``postgresql://…`` or ``postgres://…``.
        path: A file; it is made if it is not there, readable by its owner only.
        migrate: Bring older (or no) tables up to this release; if false, they are an error.

    Raises:
        StoreUnavailable: It cannot be reached, opened or written, or is no store of this release
            (``StoreTooNew``, ``StoreTooOld``, ``StoreNotWritable`` are kinds of it).
        MissingExtra: PostgreSQL's driver is not installed.
        ValueError: Neither ``url`` nor ``path`` was given.
    """
    database = open_database(url, path, create=migrate)
    try:
        bring_up(database, migrate=migrate)
    except BaseException:  # also an interrupt: nobody else knows of the connections
        database.engine.dispose()
        raise
    return SqlStore(database)
