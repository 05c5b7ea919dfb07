"""Labels and samples in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from modelwright.store import clock, rows
from modelwright.store.codec import keep, key, micros, moment
from modelwright.store.records import (
    LabelOutcome,
    LabelRecord,
    Recorded,
    SampleRecord,
    Truth,
)
from modelwright.store.truths import counting, outcome
from modelwright.testing.memories.base import Repository, Row, atomic, of


class MemoryLabels(Repository):
    """``ports.Labels`` in memory."""

    @atomic
    def add(self, project: str, prediction_id: str, target: Any, *, client: str = "") -> LabelRecord:
        """Append, and mark the prediction."""
        prediction = self._tables.predictions.get((keep(project), keep(prediction_id)))
        told = self.get(project, prediction_id)
        became = outcome(told, target, client, known=prediction is not None)
        row = rows.label_row(project, prediction_id, target, clock.now(), client=client, became=became)
        if prediction is not None:
            prediction["labelled"] = True
        return rows.label(self._tables.append(self._tables.labels, row))

    @atomic
    def record(self, project: str, truths: Sequence[Truth], *, client: str = "") -> Sequence[Recorded]:
        """One after the other."""
        place = keep(project)
        releases = of(project, self._tables.releases)
        live = releases[-1]["version"] if releases else None
        recorded = []
        for truth in truths:
            prediction = self._tables.predictions.get((place, keep(truth.prediction_id)))
            told = self.get(project, truth.prediction_id)
            became = outcome(told, truth.target, client, known=prediction is not None)
            joined = became is LabelOutcome.JOINED and prediction is not None and live is not None
            late = joined and prediction is not None and prediction["version"] != live
            if became is not LabelOutcome.DUPLICATE:
                self.add(project, truth.prediction_id, truth.target, client=client)
            recorded.append(Recorded(prediction_id=truth.prediction_id, outcome=became, late=late))
        return recorded

    @atomic
    def get(self, project: str, prediction_id: str) -> Sequence[LabelRecord]:
        """By sequence."""
        wanted = keep(prediction_id)
        found = [row for row in self._tables.labels if row["prediction_id"] == wanted]
        return [rows.label(row) for row in of(project, found)]

    @atomic
    def latest(self, project: str, ids: Sequence[str]) -> Mapping[str, LabelRecord]:
        """What counts of each."""
        counts = {id: counting(self.get(project, id)) for id in dict.fromkeys(ids)}
        return {id: label for id, label in counts.items() if label is not None}

    @atomic
    def count(self, project: str, *, since: datetime | None = None) -> int:
        """The joined ones."""
        joined = [row["joined"] for row in of(project, self._tables.labels) if row["joined"] is not None]
        return sum(since is None or time >= micros(since) for time in joined)

    @atomic
    def joined(
        self, project: str, *, after: tuple[datetime, int] | None = None, limit: int = 1000
    ) -> Sequence[tuple[datetime, LabelRecord]]:
        """By (joined, sequence), rising."""
        start = None if after is None else (micros(after[0]), after[1])
        found = [
            row
            for row in of(project, self._tables.labels)
            if row["joined"] is not None and (start is None or (row["joined"], row["sequence"]) > start)
        ]
        found.sort(key=lambda row: (row["joined"], row["sequence"]))
        return [(moment(row["joined"]), rows.label(row)) for row in found[:limit]]

    @atomic
    def orphans(self, project: str, *, client: str | None = None) -> int:
        """Of all, or of a client."""
        return sum(client is None or row["client"] == keep(client) for row in self._waiting(project))

    @atomic
    def prune_orphans(
        self, project: str, *, older_than: datetime | None = None, keep: int | None = None
    ) -> int:
        """With what else was told of the same predictions."""
        waiting = self._waiting(project)[::-1]
        gone = {
            row["prediction_id"]
            for place, row in enumerate(waiting)
            if (older_than is not None and row["received"] < micros(older_than))
            or (keep is not None and place >= keep)
        }
        owner = key(project, "project name")
        self._tables.labels[:] = [
            row for row in self._tables.labels if row["project"] != owner or row["prediction_id"] not in gone
        ]
        return len(gone)

    def _waiting(self, project: str) -> list[Row]:
        orphan = LabelOutcome.ORPHAN.value
        return [row for row in of(project, self._tables.labels) if row["outcome"] == orphan]


class MemorySamples(Repository):
    """``ports.Samples`` in memory."""

    @atomic
    def add(self, project: str, features: dict[str, Any], target: Any, *, client: str = "") -> SampleRecord:
        """Append."""
        row = rows.sample_row(project, features, target, clock.now(), client)
        return rows.sample(self._tables.append(self._tables.samples, row))

    @atomic
    def list(self, project: str) -> Sequence[SampleRecord]:
        """By sequence."""
        return [rows.sample(row) for row in of(project, self._tables.samples)]

    def pending(self, project: str, *, client: str | None = None) -> int:
        """The unused."""
        return sum(client is None or sample.client == client for sample in self.take(project))

    @atomic
    def take(self, project: str, *, limit: int | None = None) -> Sequence[SampleRecord]:
        """The unused, by sequence."""
        unused = [row for row in of(project, self._tables.samples) if row["used_by_version"] is None]
        return [rows.sample(row) for row in unused[:limit]]

    @atomic
    def mark_used(self, project: str, sequences: Sequence[int], version: int) -> None:
        """The first version stays."""
        wanted = set(sequences)
        for row in of(project, self._tables.samples):
            if row["sequence"] in wanted and row["used_by_version"] is None:
                row["used_by_version"] = version
