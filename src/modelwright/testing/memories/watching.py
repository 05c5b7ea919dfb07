"""What monitors keep, and online features, in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from modelwright.store import clock, rows
from modelwright.store.codec import keep, key, micros, restore, unpack
from modelwright.store.overriding import KIND as SETTINGS
from modelwright.store.overriding import sentence
from modelwright.store.records import (
    EventRecord,
    GenerationRecord,
    OnlineValues,
    OverrideRecord,
    WindowRecord,
)
from modelwright.testing.memories.base import Repository, atomic, of


class MemoryOnline(Repository):
    """``ports.Online`` in memory."""

    @atomic
    def current(self, project: str) -> GenerationRecord | None:
        """The one there is."""
        found = self._tables.online.get(keep(project))
        return None if found is None else rows.generation(found[0])

    @atomic
    def replace(
        self,
        project: str,
        names: Sequence[str],
        values: Mapping[str, OnlineValues],
        *,
        as_of: str = "",
        digest: str = "",
    ) -> GenerationRecord:
        """Put it in the place of the one before."""
        row = rows.generation_row(project, names, len(values), clock.now(), as_of, digest)
        packed = [rows.online_row(key, each) for key, each in values.items()]
        row = self._tables.append([], row)
        self._tables.online[row["project"]] = (row, {each["key"]: each["data"] for each in packed})
        return rows.generation(row)

    @atomic
    def get(self, project: str, keys: Sequence[str]) -> Mapping[str, OnlineValues]:
        """By key."""
        found = self._tables.online.get(keep(project))
        known = {} if found is None else found[1]
        return {key: tuple(unpack(known[keep(key)])) for key in keys if keep(key) in known}

    @atomic
    def all(self, project: str) -> tuple[GenerationRecord, Mapping[str, OnlineValues]] | None:
        """Everything."""
        found = self._tables.online.get(keep(project))
        if found is None:
            return None
        row, known = found
        return rows.generation(row), {restore(key): tuple(unpack(known[key])) for key in sorted(known)}


class MemoryWindows(Repository):
    """``ports.Windows`` in memory."""

    @atomic
    def add(self, record: WindowRecord) -> WindowRecord:
        """Append."""
        return rows.window(self._tables.append(self._tables.windows, rows.window_row(record)))

    @atomic
    def list(
        self,
        project: str,
        *,
        kind: str | None = None,
        version: int | None = None,
        since: datetime | None = None,
        limit: int = 100,
    ) -> Sequence[WindowRecord]:
        """Newest first."""
        found = [
            row
            for row in of(project, self._tables.windows)
            if (kind is None or row["kind"] == key(kind, "kind of window"))
            and (version is None or row["version"] == version)
            and (since is None or row["until"] >= micros(since))
        ]
        return [rows.window(row) for row in found[::-1][:limit]]

    @atomic
    def prune(self, project: str, *, older_than: datetime | None = None, keep: int | None = None) -> int:
        """By age, then by number."""
        of_project = of(project, self._tables.windows)
        gone = [
            row["sequence"]
            for row in of_project
            if (older_than is not None and row["until"] < micros(older_than))
            or (
                keep is not None
                and sum(
                    other["kind"] == row["kind"] and other["sequence"] > row["sequence"]
                    for other in of_project
                )
                >= keep
            )
        ]
        self._tables.windows[:] = [row for row in self._tables.windows if row["sequence"] not in gone]
        return len(gone)


class MemoryStates(Repository):
    """``ports.States`` in memory."""

    @atomic
    def get(self, project: str, name: str) -> str | None:
        """By its key."""
        found = self._tables.states.get((keep(project), keep(name)))
        return None if found is None else restore(found)

    @atomic
    def put(self, project: str, name: str, text: str) -> None:
        """In place of what was there."""
        place = key(project, "project name"), key(name, "name of the state")
        self._tables.states[place] = keep(text)


class MemoryOverrides(Repository):
    """``ports.Overrides`` in memory."""

    def get(self, project: str) -> dict[str, Any]:
        """By name."""
        return {record.name: record.value for record in self.list(project)}

    @atomic
    def list(self, project: str) -> Sequence[OverrideRecord]:
        """By name."""
        found = of(project, self._tables.overrides.values())
        return [rows.override(row) for row in sorted(found, key=lambda row: row["name"])]

    @atomic
    def set(self, project: str, values: Mapping[str, Any], *, actor: str, reason: str) -> EventRecord:
        """With the event."""
        now = clock.now()
        for name, value in values.items():
            record = OverrideRecord(
                project=project, name=name, value=value, actor=actor, reason=reason, time=now
            )
            row = rows.override_row(record)
            place = (row["project"], row["name"])
            self._tables.overrides.pop(place, None)
            if value is not None:
                self._tables.overrides[place] = row
        said = {"values": dict(values), "actor": actor, "reason": reason}
        row = rows.event_row(project, now, SETTINGS, sentence(values, actor, reason), said)
        return rows.event(self._tables.append(self._tables.events, row))
