"""API keys in memory."""

from __future__ import annotations

from collections.abc import Sequence

from modelwright.store import clock, rows
from modelwright.store.codec import keep, micros
from modelwright.store.errors import (
    Duplicate,
)
from modelwright.store.records import (
    KeyRecord,
)
from modelwright.testing.memories.base import Repository, atomic


class MemoryKeys(Repository):
    """``ports.Keys`` in memory."""

    @atomic
    def add(self, record: KeyRecord) -> None:
        """Keep it."""
        row = rows.key_row(record)
        if row["id"] in self._tables.keys:
            raise Duplicate(f"An API key with the id '{record.id}'")
        self._tables.keys[row["id"]] = row

    @atomic
    def get(self, id: str) -> KeyRecord | None:
        """By its id."""
        row = self._tables.keys.get(keep(id))
        return None if row is None else rows.api_key(row)

    @atomic
    def list(self) -> Sequence[KeyRecord]:
        """By time, then id."""
        found = sorted(self._tables.keys.values(), key=lambda row: (row["created"], row["id"]))
        return [rows.api_key(row) for row in found]

    @atomic
    def revoke(self, id: str) -> bool:
        """Set the time, unless one is set."""
        row = self._tables.keys.get(keep(id))
        if row is None or row["revoked"] is not None:
            return False
        row["revoked"] = micros(clock.now())
        return True
