"""What the other rooms may ask of a store. SQLite, PostgreSQL and the in-memory double all keep it.

Every method is atomic. Times are timezone-aware UTC. ``StoreUnavailable`` (in ``store.errors``) is
raised when the database cannot be reached or written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from modelwright.store.records import (
    EventRecord,
    GenerationRecord,
    JobRecord,
    JobState,
    KeyRecord,
    LabelRecord,
    OnlineValues,
    PredictionRecord,
    Recorded,
    ReleaseRecord,
    SampleRecord,
    Truth,
    VersionRecord,
)


class Versions(Protocol):
    """Registered versions of projects."""

    def reserve(self, project: str) -> int:
        """Take the next version number of ``project``; never given twice, gaps are allowed."""

    def add(self, record: VersionRecord) -> None:
        """Register a version under a reserved number. Raises ``Duplicate`` if it is taken."""

    def get(self, project: str, number: int) -> VersionRecord | None:
        """By its number."""

    def latest(self, project: str) -> VersionRecord | None:
        """The one with the highest number, accepted or not."""

    def by_fingerprint(self, project: str, fingerprint: str) -> VersionRecord | None:
        """The newest version made from exactly these inputs."""

    def list(self, project: str, *, limit: int = 100) -> Sequence[VersionRecord]:
        """Newest first."""

    def projects(self) -> Sequence[str]:
        """The names of those that have a version."""


class Releases(Protocol):
    """Which version was champion, from when on. Append-only."""

    def append(
        self, project: str, version: int, *, reason: str, actor: str, settings: dict[str, Any] | None = None
    ) -> ReleaseRecord:
        """Make ``version`` champion. Raises ``UnknownVersion``, or ``NotServable`` for a rejected one."""

    def current(self, project: str) -> ReleaseRecord | None:
        """The newest: what is live."""

    def list(self, project: str, *, limit: int = 100) -> Sequence[ReleaseRecord]:
        """Newest first."""


class Predictions(Protocol):
    """The log of answers."""

    def add(self, records: Sequence[PredictionRecord]) -> int:
        """Store those whose (project, id) is not there yet; how many were new. Idempotent."""

    def get(self, project: str, id: str) -> PredictionRecord | None:
        """By its id."""

    def get_many(self, project: str, ids: Sequence[str]) -> Mapping[str, PredictionRecord]:
        """Those of ``ids`` that are in the log, by id."""

    def neighbours(self, project: str, id: str, *, limit: int = 20) -> Sequence[str]:
        """Ids in the log that stand around ``id`` in their order, which need not be there itself."""

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
    ) -> Sequence[PredictionRecord]:
        """Newest first; ``before`` is a prediction id to page on from (keyset paging).

        ``since`` is included, ``until`` is not. Raises ``UnknownPrediction`` if ``before`` is not in the log.
        """

    def count(self, project: str, *, version: int | None = None) -> int:
        """How many are in the log."""

    def prune(self, project: str, *, older_than: datetime | None = None, keep: int | None = None) -> int:
        """Delete by age or down to the newest ``keep`` rows, with their labels; how many went.

        The one method that is not atomic as a whole: it works in batches, so that a log of millions
        does not keep others waiting, and may be run again after an interruption.
        """


class Labels(Protocol):
    """Truth for predictions."""

    def add(self, project: str, prediction_id: str, target: Any, *, client: str = "") -> LabelRecord:
        """Store a label unconditionally, also ahead of its prediction, which may still be on its way."""

    def record(self, project: str, truths: Sequence[Truth], *, client: str = "") -> Sequence[Recorded]:
        """Store what is new of ``truths`` and say what became of each, by the rules of ``store.truths``.

        Each id stands in ``truths`` once (``truths.Sending`` sees to it).
        """

    def get(self, project: str, prediction_id: str) -> Sequence[LabelRecord]:
        """All labels of a prediction, oldest first."""

    def latest(self, project: str, ids: Sequence[str]) -> Mapping[str, LabelRecord]:
        """The label that counts of each of these predictions that has one, by prediction id."""

    def count(self, project: str) -> int:
        """How many labels came, corrections included."""


class Samples(Protocol):
    """Labelled rows given for training."""

    def add(self, project: str, features: dict[str, Any], target: Any, *, client: str = "") -> SampleRecord:
        """Store one, unused."""

    def list(self, project: str) -> Sequence[SampleRecord]:
        """All, used or not, oldest first."""

    def pending(self, project: str) -> int:
        """How many no version has used yet."""

    def take(self, project: str, *, limit: int | None = None) -> Sequence[SampleRecord]:
        """The unused ones, oldest first; ``mark_used`` says when they went into a version."""

    def mark_used(self, project: str, sequences: Sequence[int], version: int) -> None:
        """Say which version used them first; those used before keep theirs."""


class Jobs(Protocol):
    """Retraining jobs with legal state moves, taken under a lease."""

    def add(
        self, project: str, *, trigger: str, reason: str, settings: dict[str, Any] | None = None
    ) -> JobRecord:
        """A new job that waits."""

    def get(self, id: str) -> JobRecord | None:
        """By its id."""

    def list(self, project: str, *, limit: int = 100) -> Sequence[JobRecord]:
        """Newest first."""

    def take(self, project: str, owner: str, *, seconds: float) -> JobRecord | None:
        """The oldest job that waits or whose lease ran out, now leased to ``owner`` and training."""

    def renew(self, id: str, owner: str, *, seconds: float, progress: float | None = None) -> bool:
        """Keep the lease; False if it was lost, because another took the job or it was cancelled."""

    def move(self, id: str, state: JobState, *, version: int | None = None, error: str = "") -> JobRecord:
        """Change the state. Raises ``IllegalMove``, or ``UnknownJob``."""


class Events(Protocol):
    """What happened."""

    def add(self, project: str, kind: str, message: str, data: dict[str, Any] | None = None) -> EventRecord:
        """Store one, at the present time."""

    def list(self, project: str, *, kind: str | None = None, limit: int = 100) -> Sequence[EventRecord]:
        """Newest first."""


class Leases(Protocol):
    """One holder at a time, for a while (the keeper's election)."""

    def acquire(self, name: str, owner: str, *, seconds: float) -> bool:
        """Take or renew; False while somebody else holds it."""

    def release(self, name: str, owner: str) -> None:
        """Give it back, if ``owner`` still holds it."""


class Keys(Protocol):
    """API keys: their public part and the hash of their secret."""

    def add(self, record: KeyRecord) -> None:
        """Raises ``Duplicate`` if the id is taken."""

    def get(self, id: str) -> KeyRecord | None:
        """By its id."""

    def by_prefix(self, prefix: str) -> Sequence[KeyRecord]:
        """Those whose id begins so (people type the beginning), ordered by id."""

    def list(self) -> Sequence[KeyRecord]:
        """All, oldest first, the revoked and expired ones too."""

    def revoke(self, id: str) -> bool:
        """Refuse the key from now on; False if there is none or it was revoked before."""


class Online(Protocol):
    """Features by key, for rows that name the key only: one generation a project, replaced as a whole."""

    def current(self, project: str) -> GenerationRecord | None:
        """Which generation is live."""

    def replace(
        self,
        project: str,
        names: Sequence[str],
        values: Mapping[str, OnlineValues],
        *,
        as_of: str = "",
        digest: str = "",
    ) -> GenerationRecord:
        """Make ``values``, by key, the live generation; readers see the one before or this one, whole.

        Raises ``Unstorable`` for a key that is too long.
        """

    def get(self, project: str, keys: Sequence[str]) -> Mapping[str, OnlineValues]:
        """What the live generation knows of those of ``keys`` that it has."""

    def all(self, project: str) -> tuple[GenerationRecord, Mapping[str, OnlineValues]] | None:
        """The live generation with every key, in their order; None where there is none."""


class Store(Protocol):
    """All repositories over one database."""

    versions: Versions
    releases: Releases
    predictions: Predictions
    labels: Labels
    samples: Samples
    jobs: Jobs
    events: Events
    leases: Leases
    keys: Keys
    online: Online

    def ping(self) -> None:
        """Raise ``StoreUnavailable`` unless the database answers and can be written."""

    def close(self) -> None:
        """Give back what is open; the store is of no use afterwards."""
