"""A store in memory, for tests: the same ports, the same rules, nothing on disk.

It passes the same contract suite as SQLite and PostgreSQL do. Records go through the same rows as
theirs, so what comes back is equal, and never the very object that was put in. Threads may share it.
"""

from __future__ import annotations

import functools
import itertools
import threading
import uuid
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from modelwright.store import clock, rows
from modelwright.store.codec import finite, keep, key, micros, moment, restore, unpack
from modelwright.store.errors import (
    Duplicate,
    NotServable,
    UnknownJob,
    UnknownPrediction,
    UnknownVersion,
    refuse_superseded,
)
from modelwright.store.jobs import FREE, moved, new_job
from modelwright.store.overriding import KIND as SETTINGS
from modelwright.store.overriding import sentence
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
from modelwright.store.records import (
    EventRecord,
    GenerationRecord,
    JobRecord,
    JobState,
    KeyRecord,
    LabelOutcome,
    LabelRecord,
    OnlineValues,
    OverrideRecord,
    PredictionRecord,
    Recorded,
    ReleaseRecord,
    SampleRecord,
    SummaryRecord,
    Truth,
    Verdict,
    VersionRecord,
    WindowRecord,
)
from modelwright.store.summaries import HOUR, MINUTE, Counted, Key, counted, summarise
from modelwright.store.truths import counting, outcome

Row = dict[str, Any]
P = ParamSpec("P")
R = TypeVar("R")


class _Tables:
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
        numbered = {**row, "sequence": next(self._sequence)}
        table.append(numbered)
        return numbered


class _HasTables(Protocol):
    _tables: _Tables


S = TypeVar("S", bound=_HasTables)


def _atomic(method: Callable[Concatenate[S, P], R]) -> Callable[Concatenate[S, P], R]:
    """One at a time."""

    @functools.wraps(method)
    def locked(self: S, /, *args: P.args, **named: P.kwargs) -> R:
        with self._tables.lock:
            return method(self, *args, **named)

    return locked


def _of(project: str, table: Iterable[Row]) -> list[Row]:
    return [row for row in table if row["project"] == keep(project)]


class _Repository:
    def __init__(self, tables: _Tables) -> None:
        self._tables = tables


class MemoryVersions(_Repository):
    """``ports.Versions`` in memory."""

    @_atomic
    def reserve(self, project: str) -> int:
        """Count up."""
        name = key(project, "project name")
        self._tables.counters[name] = self._tables.counters.get(name, 0) + 1
        return self._tables.counters[name]

    @_atomic
    def add(self, record: VersionRecord) -> None:
        """Keep it, and never give its number again."""
        row = rows.version_row(record)
        place = (row["project"], record.number)
        if place in self._tables.versions:
            raise Duplicate(f"Version {record.number} of project '{record.project}'")
        self._tables.versions[place] = row
        counted = self._tables.counters.get(row["project"], 0)
        self._tables.counters[row["project"]] = max(counted, record.number)

    @_atomic
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

    @_atomic
    def list(self, project: str, *, limit: int = 100) -> Sequence[VersionRecord]:
        """By number, falling."""
        found = _of(project, self._tables.versions.values())
        found.sort(key=lambda row: -row["number"])
        return [rows.version(row) for row in found[:limit]]

    @_atomic
    def projects(self) -> Sequence[str]:
        """By name."""
        return sorted({rows.version(row).project for row in self._tables.versions.values()})


class MemoryReleases(_Repository):
    """``ports.Releases`` in memory."""

    @_atomic
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
            sequences = [row["sequence"] for row in _of(project, self._tables.releases)]
            refuse_superseded(project, after, max(sequences, default=None))
        found = self._tables.versions.get((keep(project), version))
        if found is None:
            numbers = [row["number"] for row in _of(project, self._tables.versions.values())]
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

    @_atomic
    def list(self, project: str, *, limit: int = 100) -> Sequence[ReleaseRecord]:
        """By sequence, falling."""
        return [rows.release(row) for row in _of(project, self._tables.releases)[::-1][:limit]]


class MemoryPredictions(_Repository):
    """``ports.Predictions`` in memory."""

    @_atomic
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

    @_atomic
    def get_many(self, project: str, ids: Sequence[str]) -> Mapping[str, PredictionRecord]:
        """By their keys."""
        places = {id: (keep(project), keep(id)) for id in ids}
        stored = self._tables.predictions
        return {id: rows.prediction(stored[place]) for id, place in places.items() if place in stored}

    @_atomic
    def neighbours(self, project: str, id: str, *, limit: int = 20) -> Sequence[str]:
        """Sorted, cut around ``id``."""
        ids = sorted(id for owner, id in self._tables.predictions if owner == keep(project))
        place, half = bisect_left(ids, keep(id)), max(1, limit // 2)
        return [restore(found) for found in ids[max(0, place - half) : place + half]]

    @_atomic
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

    @_atomic
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

    @_atomic
    def count(self, project: str, *, version: int | None = None, since: datetime | None = None) -> int:
        """Of all, or of a version, or from a time on."""
        found = _of(project, self._tables.predictions.values())
        return sum(
            (version is None or row["version"] == version) and (since is None or row["time"] >= micros(since))
            for row in found
        )

    @_atomic
    def prune(self, project: str, *, older_than: datetime | None = None, keep: int | None = None) -> int:
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
        return len(gone)

    def _newest_first(self, project: str) -> list[Row]:
        return sorted(_of(project, self._tables.predictions.values()), key=_order, reverse=True)


def _order(row: Row) -> tuple[int, str]:
    return row["time"], row["id"]


class MemorySummaries(_Repository):
    """``ports.Summaries`` in memory."""

    @_atomic
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

    @_atomic
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

    @_atomic
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


class MemoryLabels(_Repository):
    """``ports.Labels`` in memory."""

    @_atomic
    def add(self, project: str, prediction_id: str, target: Any, *, client: str = "") -> LabelRecord:
        """Append, and mark the prediction."""
        prediction = self._tables.predictions.get((keep(project), keep(prediction_id)))
        told = self.get(project, prediction_id)
        became = outcome(told, target, client, known=prediction is not None)
        row = rows.label_row(project, prediction_id, target, clock.now(), client=client, became=became)
        if prediction is not None:
            prediction["labelled"] = True
        return rows.label(self._tables.append(self._tables.labels, row))

    @_atomic
    def record(self, project: str, truths: Sequence[Truth], *, client: str = "") -> Sequence[Recorded]:
        """One after the other."""
        place = keep(project)
        releases = _of(project, self._tables.releases)
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

    @_atomic
    def get(self, project: str, prediction_id: str) -> Sequence[LabelRecord]:
        """By sequence."""
        found = _of(project, self._tables.labels)
        return [rows.label(row) for row in found if row["prediction_id"] == keep(prediction_id)]

    @_atomic
    def latest(self, project: str, ids: Sequence[str]) -> Mapping[str, LabelRecord]:
        """What counts of each."""
        counts = {id: counting(self.get(project, id)) for id in dict.fromkeys(ids)}
        return {id: label for id, label in counts.items() if label is not None}

    @_atomic
    def count(self, project: str, *, since: datetime | None = None) -> int:
        """The joined ones."""
        joined = [row["joined"] for row in _of(project, self._tables.labels) if row["joined"] is not None]
        return sum(since is None or time >= micros(since) for time in joined)

    @_atomic
    def joined(
        self, project: str, *, after: tuple[datetime, int] | None = None, limit: int = 1000
    ) -> Sequence[tuple[datetime, LabelRecord]]:
        """By (joined, sequence), rising."""
        start = None if after is None else (micros(after[0]), after[1])
        found = [
            row
            for row in _of(project, self._tables.labels)
            if row["joined"] is not None and (start is None or (row["joined"], row["sequence"]) > start)
        ]
        found.sort(key=lambda row: (row["joined"], row["sequence"]))
        return [(moment(row["joined"]), rows.label(row)) for row in found[:limit]]

    @_atomic
    def orphans(self, project: str, *, client: str | None = None) -> int:
        """Of all, or of a client."""
        return sum(client is None or row["client"] == keep(client) for row in self._waiting(project))

    @_atomic
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
        return [row for row in _of(project, self._tables.labels) if row["outcome"] == orphan]


class MemorySamples(_Repository):
    """``ports.Samples`` in memory."""

    @_atomic
    def add(self, project: str, features: dict[str, Any], target: Any, *, client: str = "") -> SampleRecord:
        """Append."""
        row = rows.sample_row(project, features, target, clock.now(), client)
        return rows.sample(self._tables.append(self._tables.samples, row))

    @_atomic
    def list(self, project: str) -> Sequence[SampleRecord]:
        """By sequence."""
        return [rows.sample(row) for row in _of(project, self._tables.samples)]

    def pending(self, project: str, *, client: str | None = None) -> int:
        """The unused."""
        return sum(client is None or sample.client == client for sample in self.take(project))

    @_atomic
    def take(self, project: str, *, limit: int | None = None) -> Sequence[SampleRecord]:
        """The unused, by sequence."""
        unused = [row for row in _of(project, self._tables.samples) if row["used_by_version"] is None]
        return [rows.sample(row) for row in unused[:limit]]

    @_atomic
    def mark_used(self, project: str, sequences: Sequence[int], version: int) -> None:
        """The first version stays."""
        wanted = set(sequences)
        for row in _of(project, self._tables.samples):
            if row["sequence"] in wanted and row["used_by_version"] is None:
                row["used_by_version"] = version


class MemoryJobs(_Repository):
    """``ports.Jobs`` in memory."""

    @_atomic
    def add(
        self, project: str, *, trigger: str, reason: str, settings: dict[str, Any] | None = None
    ) -> JobRecord:
        """Append a waiting job."""
        row = rows.job_row(new_job(uuid.uuid4().hex, project, trigger, reason, settings))
        self._tables.jobs[row["id"]] = {**row, "lease_ends": None}
        return rows.job(row)

    @_atomic
    def add_alone(
        self,
        project: str,
        *,
        trigger: str,
        reason: str,
        settings: dict[str, Any] | None = None,
        besides: Collection[str] = (),
    ) -> tuple[JobRecord, bool]:
        """Look and append."""
        at_work = {JobState.QUEUED, JobState.TRAINING, JobState.JUDGED}
        for row in _of(project, self._tables.jobs.values()):
            if JobState(row["state"]) in at_work and restore(row["id"]) not in besides:
                return rows.job(row), False
        return self.add(project, trigger=trigger, reason=reason, settings=settings), True

    @_atomic
    def get(self, id: str) -> JobRecord | None:
        """By its id."""
        row = self._tables.jobs.get(keep(id))
        return None if row is None else rows.job(row)

    @_atomic
    def list(self, project: str, *, limit: int = 100) -> Sequence[JobRecord]:
        """Newest first."""
        return [rows.job(row) for row in _of(project, self._tables.jobs.values())[::-1][:limit]]

    @_atomic
    def take(self, project: str, owner: str, *, seconds: float) -> JobRecord | None:
        """The oldest that is free."""
        for row in _of(project, self._tables.jobs.values()):
            state, ends = JobState(row["state"]), row["lease_ends"]
            ran_out = state is JobState.TRAINING and ends is not None and ends <= clock.ticks()
            if state is JobState.QUEUED or ran_out:
                row |= {"state": JobState.TRAINING.value, "lease_owner": keep(owner), **_lease(seconds)}
                return rows.job(row)
        return None

    @_atomic
    def renew(self, id: str, owner: str, *, seconds: float, progress: float | None = None) -> bool:
        """If it is still this owner's and at work."""
        row = self._tables.jobs.get(keep(id))
        if row is None or row["lease_owner"] != keep(owner) or JobState(row["state"]) in FREE:
            return False
        row |= _lease(seconds)
        if progress is not None:
            row["progress"] = finite(progress, "progress")
        return True

    @_atomic
    def move(self, id: str, state: JobState, *, version: int | None = None, error: str = "") -> JobRecord:
        """By the rules."""
        row = self._tables.jobs.get(keep(id))
        if row is None:
            raise UnknownJob(id)
        row |= rows.job_row(moved(rows.job(row), state, version=version, error=error))
        if state in FREE:
            row["lease_ends"] = None
        return rows.job(row)


def _lease(seconds: float) -> Row:
    now = clock.now()
    return {
        "lease_until": micros(now + timedelta(seconds=seconds)),
        "lease_ends": clock.ticks() + int(seconds * 1_000_000),
        "updated": micros(now),
    }


class MemoryEvents(_Repository):
    """``ports.Events`` in memory."""

    @_atomic
    def add(self, project: str, kind: str, message: str, data: dict[str, Any] | None = None) -> EventRecord:
        """Append."""
        row = rows.event_row(project, clock.now(), kind, message, data or {})
        return rows.event(self._tables.append(self._tables.events, row))

    @_atomic
    def list(self, project: str, *, kind: str | None = None, limit: int = 100) -> Sequence[EventRecord]:
        """Newest first."""
        found = [
            row for row in _of(project, self._tables.events) if kind is None or row["kind"] == keep(kind)
        ]
        return [rows.event(row) for row in found[::-1][:limit]]


class MemoryLeases(_Repository):
    """``ports.Leases`` in memory."""

    @_atomic
    def acquire(self, name: str, owner: str, *, seconds: float) -> bool:
        """By the clock of the host."""
        place = key(name, "name of the lease")
        holder = self._tables.leases.get(place)
        if holder is not None and holder[0] != owner and holder[1] > clock.ticks():
            return False
        self._tables.leases[place] = (owner, clock.ticks() + int(seconds * 1_000_000))
        return True

    @_atomic
    def release(self, name: str, owner: str) -> None:
        """If it is this owner's."""
        holder = self._tables.leases.get(keep(name))
        if holder is not None and holder[0] == owner:
            del self._tables.leases[keep(name)]


class MemoryKeys(_Repository):
    """``ports.Keys`` in memory."""

    @_atomic
    def add(self, record: KeyRecord) -> None:
        """Keep it."""
        row = rows.key_row(record)
        if row["id"] in self._tables.keys:
            raise Duplicate(f"An API key with the id '{record.id}'")
        self._tables.keys[row["id"]] = row

    @_atomic
    def get(self, id: str) -> KeyRecord | None:
        """By its id."""
        row = self._tables.keys.get(keep(id))
        return None if row is None else rows.api_key(row)

    @_atomic
    def by_prefix(self, prefix: str) -> Sequence[KeyRecord]:
        """By the beginning of the id."""
        found = sorted(id for id in self._tables.keys if id.startswith(keep(prefix)))
        return [rows.api_key(self._tables.keys[id]) for id in found]

    @_atomic
    def list(self) -> Sequence[KeyRecord]:
        """By time, then id."""
        found = sorted(self._tables.keys.values(), key=lambda row: (row["created"], row["id"]))
        return [rows.api_key(row) for row in found]

    @_atomic
    def revoke(self, id: str) -> bool:
        """Set the time, unless one is set."""
        row = self._tables.keys.get(keep(id))
        if row is None or row["revoked"] is not None:
            return False
        row["revoked"] = micros(clock.now())
        return True


class MemoryOnline(_Repository):
    """``ports.Online`` in memory."""

    @_atomic
    def current(self, project: str) -> GenerationRecord | None:
        """The one there is."""
        found = self._tables.online.get(keep(project))
        return None if found is None else rows.generation(found[0])

    @_atomic
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

    @_atomic
    def get(self, project: str, keys: Sequence[str]) -> Mapping[str, OnlineValues]:
        """By key."""
        found = self._tables.online.get(keep(project))
        known = {} if found is None else found[1]
        return {key: tuple(unpack(known[keep(key)])) for key in keys if keep(key) in known}

    @_atomic
    def all(self, project: str) -> tuple[GenerationRecord, Mapping[str, OnlineValues]] | None:
        """Everything."""
        found = self._tables.online.get(keep(project))
        if found is None:
            return None
        row, known = found
        return rows.generation(row), {restore(key): tuple(unpack(known[key])) for key in sorted(known)}


class MemoryWindows(_Repository):
    """``ports.Windows`` in memory."""

    @_atomic
    def add(self, record: WindowRecord) -> WindowRecord:
        """Append."""
        return rows.window(self._tables.append(self._tables.windows, rows.window_row(record)))

    @_atomic
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
            for row in _of(project, self._tables.windows)
            if (kind is None or row["kind"] == key(kind, "kind of window"))
            and (version is None or row["version"] == version)
            and (since is None or row["until"] >= micros(since))
        ]
        return [rows.window(row) for row in found[::-1][:limit]]

    @_atomic
    def prune(self, project: str, *, older_than: datetime | None = None, keep: int | None = None) -> int:
        """By age, then by number."""
        of_project = _of(project, self._tables.windows)
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


class MemoryStates(_Repository):
    """``ports.States`` in memory."""

    @_atomic
    def get(self, project: str, name: str) -> str | None:
        """By its key."""
        found = self._tables.states.get((keep(project), keep(name)))
        return None if found is None else restore(found)

    @_atomic
    def put(self, project: str, name: str, text: str) -> None:
        """In place of what was there."""
        place = key(project, "project name"), key(name, "name of the state")
        self._tables.states[place] = keep(text)


class MemoryOverrides(_Repository):
    """``ports.Overrides`` in memory."""

    def get(self, project: str) -> dict[str, Any]:
        """By name."""
        return {record.name: record.value for record in self.list(project)}

    @_atomic
    def list(self, project: str) -> Sequence[OverrideRecord]:
        """By name."""
        found = _of(project, self._tables.overrides.values())
        return [rows.override(row) for row in sorted(found, key=lambda row: row["name"])]

    @_atomic
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


class MemoryStore:
    """All repositories, in memory, empty."""

    def __init__(self) -> None:
        tables = _Tables()
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
