"""Versions and releases in memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from modelwright.store import clock, rows
from modelwright.store.codec import keep, key
from modelwright.store.errors import (
    Duplicate,
    NotServable,
    UnknownVersion,
    refuse_superseded,
)
from modelwright.store.records import (
    ReleaseRecord,
    Verdict,
    VersionRecord,
)
from modelwright.testing.memories.base import Repository, atomic, of


class MemoryVersions(Repository):
    """``ports.Versions`` in memory."""

    @atomic
    def reserve(self, project: str) -> int:
        """Count up."""
        name = key(project, "project name")
        self._tables.counters[name] = self._tables.counters.get(name, 0) + 1
        return self._tables.counters[name]

    @atomic
    def count_from(self, project: str, number: int) -> None:
        """Raise the counter."""
        name = key(project, "project name")
        self._tables.counters[name] = max(self._tables.counters.get(name, 0), number - 1)

    @atomic
    def add(self, record: VersionRecord) -> None:
        """Keep it, and never give its number again."""
        row = rows.version_row(record)
        place = (row["project"], record.number)
        if place in self._tables.versions:
            raise Duplicate(f"Version {record.number} of project '{record.project}'")
        self._tables.versions[place] = row
        counted = self._tables.counters.get(row["project"], 0)
        self._tables.counters[row["project"]] = max(counted, record.number)

    @atomic
    def get(self, project: str, number: int) -> VersionRecord | None:
        """By its key."""
        row = self._tables.versions.get((keep(project), number))
        return None if row is None else rows.version(row)

    def latest(self, project: str) -> VersionRecord | None:
        """The highest number."""
        return next(iter(self.list(project, limit=1)), None)

    def by_fingerprint(self, project: str, fingerprint: str) -> VersionRecord | None:
        """The highest number of these."""
        found = self.list(project, limit=len(self._tables.versions))
        return next((version for version in found if version.fingerprint == fingerprint), None)

    @atomic
    def list(self, project: str, *, limit: int = 100) -> Sequence[VersionRecord]:
        """By number, falling."""
        found = of(project, self._tables.versions.values())
        found.sort(key=lambda row: -row["number"])
        return [rows.version(row) for row in found[:limit]]

    @atomic
    def projects(self) -> Sequence[str]:
        """By name."""
        return sorted({rows.version(row).project for row in self._tables.versions.values()})


class MemoryReleases(Repository):
    """``ports.Releases`` in memory."""

    @atomic
    def append(
        self,
        project: str,
        version: int,
        *,
        reason: str,
        actor: str,
        settings: dict[str, Any] | None = None,
        after: int | None = None,
    ) -> ReleaseRecord:
        """Look and append."""
        if after is not None:
            sequences = [row["sequence"] for row in of(project, self._tables.releases)]
            refuse_superseded(project, after, max(sequences, default=None))
        found = self._tables.versions.get((keep(project), version))
        if found is None:
            numbers = [row["number"] for row in of(project, self._tables.versions.values())]
            raise UnknownVersion(project, version, max(numbers, default=None))
        record = rows.version(found)
        if record.decision.verdict is not Verdict.ACCEPTED:
            raise NotServable(project, version, record.decision.reasons)
        row = rows.release_row(
            ReleaseRecord(
                sequence=0,
                project=project,
                version=version,
                bundle=record.bundle,
                content_hash=record.content_hash,
                released=clock.now(),
                reason=reason,
                actor=actor,
                settings=settings or {},
            )
        )
        return rows.release(self._tables.append(self._tables.releases, row))

    def current(self, project: str) -> ReleaseRecord | None:
        """The newest."""
        return next(iter(self.list(project, limit=1)), None)

    @atomic
    def list(self, project: str, *, limit: int = 100) -> Sequence[ReleaseRecord]:
        """By sequence, falling."""
        return [rows.release(row) for row in of(project, self._tables.releases)[::-1][:limit]]
