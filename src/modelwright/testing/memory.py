"""A store in memory, for tests: the same ports, the same rules, nothing on disk.

It passes the same contract suite as SQLite and PostgreSQL do. Records go through the same rows as
theirs, so what comes back is equal, and never the very object that was put in. Threads may share it.
"""

from __future__ import annotations

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
from modelwright.testing.memories.base import Tables
from modelwright.testing.memories.keys import MemoryKeys
from modelwright.testing.memories.predictions import MemoryPredictions, MemorySummaries
from modelwright.testing.memories.truths import MemoryLabels, MemorySamples
from modelwright.testing.memories.versions import MemoryReleases, MemoryVersions
from modelwright.testing.memories.watching import MemoryOnline, MemoryOverrides, MemoryStates, MemoryWindows
from modelwright.testing.memories.work import MemoryEvents, MemoryJobs, MemoryLeases


class MemoryStore:
    """All repositories, in memory, empty."""

    def __init__(self) -> None:
        tables = Tables()
        self.versions: Versions = MemoryVersions(tables)
        self.releases: Releases = MemoryReleases(tables)
        self.predictions: Predictions = MemoryPredictions(tables)
        self.summaries: Summaries = MemorySummaries(tables)
        self.labels: Labels = MemoryLabels(tables)
        self.samples: Samples = MemorySamples(tables)
        self.jobs: Jobs = MemoryJobs(tables)
        self.events: Events = MemoryEvents(tables)
        self.leases: Leases = MemoryLeases(tables)
        self.keys: Keys = MemoryKeys(tables)
        self.online: Online = MemoryOnline(tables)
        self.windows: Windows = MemoryWindows(tables)
        self.states: States = MemoryStates(tables)
        self.overrides: Overrides = MemoryOverrides(tables)

    def ping(self) -> None:
        """Memory answers."""

    def close(self) -> None:
        """Nothing to give back."""
