"""The prediction log and its counts, in memory."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from modelwright.store import clock, rows
from modelwright.store.codec import keep, micros, restore
from modelwright.store.errors import (
    UnknownPrediction,
)
from modelwright.store.records import (
    LabelOutcome,
    PredictionRecord,
    SummaryRecord,
)
from modelwright.store.summaries import HOUR, MINUTE, Counted, counted, summarise
from modelwright.testing.memories.base import Repository, Row, atomic, of


class MemoryPredictions(Repository):
    """``ports.Predictions`` in memory."""

    @atomic
    def add(self, records: Sequence[PredictionRecord]) -> int:
        """Keep those that are new."""
        new = [rows.prediction_row(record) for record in records]
        labelled = {(row["project"], row["prediction_id"]) for row in self._tables.labels}
        orphan, joined = LabelOutcome.ORPHAN.value, LabelOutcome.JOINED.value
        arrived = {(row["project"], row["id"]) for row in new}
        for label in self._tables.labels:
            if label["outcome"] == orphan and (label["project"], label["prediction_id"]) in arrived:
                label |= {"outcome": joined, "joined": micros(clock.now())}
        fresh: list[PredictionRecord] = []
        for record, row in zip(records, new, strict=True):
            place = (row["project"], row["id"])
            if place not in self._tables.predictions:
                self._tables.predictions[place] = {**row, "labelled": place in labelled}
                fresh.append(record)
        for place_in, found in summarise(fresh).items():
            self._tables.summaries.setdefault(place_in, Counted()).add(found)
        return len(fresh)

    def get(self, project: str, id: str) -> PredictionRecord | None:
        """By its key."""
        return self.get_many(project, [id]).get(id)

    @atomic
    def get_many(self, project: str, ids: Sequence[str]) -> Mapping[str, PredictionRecord]:
        """By their keys."""
        places = {id: (keep(project), keep(id)) for id in ids}
        stored = self._tables.predictions
        return {id: rows.prediction(stored[place]) for id, place in places.items() if place in stored}

    @atomic
    def neighbours(self, project: str, id: str, *, limit: int = 20) -> Sequence[str]:
        """Sorted, cut around ``id``."""
        ids = sorted(id for owner, id in self._tables.predictions if owner == keep(project))
        place, half = bisect_left(ids, keep(id)), max(1, limit // 2)
        return [restore(found) for found in ids[max(0, place - half) : place + half]]

    @atomic
    def history(
        self,
        project: str,
        *,
        limit: int = 100,
        before: str | None = None,
        version: int | None = None,
        labelled: bool | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        answer: str | None = None,
        refused: bool = False,
        warned: bool = False,
    ) -> Sequence[PredictionRecord]:
        """By (time, id), falling."""
        end: tuple[int, str] | None = None
        if before is not None:
            last = self._tables.predictions.get((keep(project), keep(before)))
            if last is None:
                raise UnknownPrediction(project, before)
            end = _order(last)
        found = [
            row
            for row in self._newest_first(project)
            if (end is None or _order(row) < end)
            and (version is None or row["version"] == version)
            and (labelled is None or row["labelled"] == labelled)
            and (since is None or row["time"] >= micros(since))
            and (until is None or row["time"] < micros(until))
            and (answer is None or row["answer"] == keep(answer))
            and (not refused or row["status"] >= 400)
            and (not warned or row["warnings"] != "[]")
        ]
        return [rows.prediction(row) for row in found[:limit]]

    @atomic
    def following(
        self,
        project: str,
        *,
        after: tuple[datetime, str] | None = None,
        until: datetime | None = None,
        limit: int = 1000,
    ) -> Sequence[PredictionRecord]:
        """By (time, id), rising."""
        start = None if after is None else (micros(after[0]), keep(after[1]))
        found = [
            row
            for row in self._newest_first(project)[::-1]
            if (start is None or _order(row) > start) and (until is None or row["time"] < micros(until))
        ]
        return [rows.prediction(row) for row in found[:limit]]

    @atomic
    def count(self, project: str, *, version: int | None = None, since: datetime | None = None) -> int:
        """Of all, or of a version, or from a time on."""
        found = of(project, self._tables.predictions.values())
        return sum(
            (version is None or row["version"] == version) and (since is None or row["time"] >= micros(since))
            for row in found
        )

    @atomic
    def prune(
        self,
        project: str,
        *,
        older_than: datetime | None = None,
        keep: int | None = None,
        told: Callable[[int], None] | None = None,
    ) -> int:
        """With their labels."""
        newest = self._newest_first(project)
        gone = [
            (row["project"], row["id"])
            for place, row in enumerate(newest)
            if (older_than is not None and row["time"] < micros(older_than))
            or (keep is not None and place >= keep)
        ]
        for place in gone:
            del self._tables.predictions[place]
        lost = set(gone)
        self._tables.labels[:] = [
            row for row in self._tables.labels if (row["project"], row["prediction_id"]) not in lost
        ]
        if told is not None and gone:
            told(len(gone))
        return len(gone)

    def _newest_first(self, project: str) -> list[Row]:
        return sorted(of(project, self._tables.predictions.values()), key=_order, reverse=True)


def _order(row: Row) -> tuple[int, str]:
    return row["time"], row["id"]


class MemorySummaries(Repository):
    """``ports.Summaries`` in memory."""

    @atomic
    def list(
        self, project: str, *, span: int, since: datetime | None = None, until: datetime | None = None
    ) -> Sequence[SummaryRecord]:
        """Through the databases' rows."""
        found = [rows.summary(row) for row in self._of(project, span)]
        return [
            record
            for record in found
            if (since is None or micros(record.start) >= micros(since) // 1_000_000 * 1_000_000)
            and (until is None or record.start < until)
        ]

    @atomic
    def totals(self, project: str) -> Sequence[SummaryRecord]:
        """Summed by version and role."""
        sums: dict[tuple[int, str], Counted] = {}
        starts: dict[tuple[int, str], datetime] = {}
        for row in self._of(project, HOUR):
            record = rows.summary(row)
            place = (record.version, record.role)
            sums.setdefault(place, Counted()).add(counted(record))
            starts.setdefault(place, record.start)
        return [
            SummaryRecord(
                project=project,
                span=HOUR,
                start=starts[place],
                version=place[0],
                role=place[1],
                answered=total.answered,
                refused=total.refused,
                failed=total.failed,
                warned=total.warned,
                seconds=total.seconds,
            )
            for place, total in sorted(sums.items())
        ]

    @atomic
    def prune(self, project: str, *, older_than: datetime) -> int:
        """Minutes only."""
        end = micros(older_than) // 1_000_000
        gone = [
            place
            for place in self._tables.summaries
            if place[0] == project and place[1] == MINUTE and place[2] < end
        ]
        for place in gone:
            del self._tables.summaries[place]
        return len(gone)

    def _of(self, project: str, span: int) -> Sequence[Row]:
        places = sorted(place for place in self._tables.summaries if place[:2] == (project, span))
        return [rows.summary_row(place, self._tables.summaries[place]) for place in places]
