"""What the other rooms may ask of a store. SQLite, PostgreSQL and the in-memory double all keep it.

Every method is atomic. Times are timezone-aware UTC. ``StoreUnavailable`` (in ``store.errors``) is
raised when the database cannot be reached or written.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol

from modelwright.store.records import (
    EventRecord,
    JobRecord,
    JobState,
    LabelRecord,
    PredictionRecord,
    ReleaseRecord,
    SampleRecord,
    VersionRecord,
)


class Versions(Protocol):
    """Registered versions of projects."""

    def reserve(self, project: str) -> int:
        """Take the next version number of ``project``; never given twice, gaps are allowed."""

    def add(self, record: VersionRecord) -> None:
        """Register a version under a reserved number. Raises ``Duplicate`` if it is taken."""

    def get(self, project: str, number: int) -> VersionRecord | None: ...

    def latest(self, project: str) -> VersionRecord | None: ...

    def by_fingerprint(self, project: str, fingerprint: str) -> VersionRecord | None:
        """The newest version made from exactly these inputs."""

    def list(self, project: str, *, limit: int = 100) -> Sequence[VersionRecord]:
        """Newest first."""

    def projects(self) -> Sequence[str]: ...


class Releases(Protocol):
    """Which version was champion, from when on. Append-only."""

    def append(
        self, project: str, version: int, *, reason: str, actor: str, settings: dict[str, Any] | None = None
    ) -> ReleaseRecord:
        """Make ``version`` champion. Raises ``UnknownVersion``, or ``NotServable`` for a rejected one."""

    def current(self, project: str) -> ReleaseRecord | None: ...

    def list(self, project: str, *, limit: int = 100) -> Sequence[ReleaseRecord]:
        """Newest first."""


class Predictions(Protocol):
    """The log of answers."""

    def add(self, records: Sequence[PredictionRecord]) -> int:
        """Store those whose (project, id) is not there yet; how many were new. Idempotent."""

    def get(self, project: str, id: str) -> PredictionRecord | None: ...

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
        """Newest first; ``before`` is a prediction id to page on from (keyset paging)."""

    def count(self, project: str, *, version: int | None = None) -> int: ...

    def prune(self, project: str, *, older_than: datetime | None = None, keep: int | None = None) -> int:
        """Delete by age or down to the newest ``keep`` rows; how many went."""


class Labels(Protocol):
    """Truth for predictions."""

    def add(self, project: str, prediction_id: str, target: Any, *, client: str = "") -> LabelRecord: ...

    def get(self, project: str, prediction_id: str) -> Sequence[LabelRecord]:
        """All labels of a prediction, oldest first; the last one counts."""

    def count(self, project: str) -> int: ...


class Samples(Protocol):
    """Labelled rows given for training."""

    def add(
        self, project: str, features: dict[str, Any], target: Any, *, client: str = ""
    ) -> SampleRecord: ...

    def pending(self, project: str) -> int:
        """How many no version has used yet."""

    def take(self, project: str, *, limit: int | None = None) -> Sequence[SampleRecord]:
        """The unused ones, oldest first; ``mark_used`` says when they went into a version."""

    def mark_used(self, project: str, sequences: Sequence[int], version: int) -> None: ...


class Jobs(Protocol):
    """Retraining jobs with legal state moves, taken under a lease."""

    def add(
        self, project: str, *, trigger: str, reason: str, settings: dict[str, Any] | None = None
    ) -> JobRecord: ...

    def get(self, id: str) -> JobRecord | None: ...

    def list(self, project: str, *, limit: int = 100) -> Sequence[JobRecord]: ...

    def take(self, project: str, owner: str, *, seconds: float) -> JobRecord | None:
        """The oldest job that waits or whose lease ran out, now leased to ``owner`` and training."""

    def renew(self, id: str, owner: str, *, seconds: float, progress: float | None = None) -> bool:
        """Keep the lease; False if it was lost."""

    def move(self, id: str, state: JobState, *, version: int | None = None, error: str = "") -> JobRecord:
        """Change the state. Raises ``IllegalMove``."""


class Events(Protocol):
    """What happened."""

    def add(
        self, project: str, kind: str, message: str, data: dict[str, Any] | None = None
    ) -> EventRecord: ...

    def list(self, project: str, *, kind: str | None = None, limit: int = 100) -> Sequence[EventRecord]:
        """Newest first."""


class Leases(Protocol):
    """One holder at a time, for a while (the keeper's election)."""

    def acquire(self, name: str, owner: str, *, seconds: float) -> bool:
        """Take or renew; False while somebody else holds it."""

    def release(self, name: str, owner: str) -> None: ...


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

    def ping(self) -> None:
        """Raise ``StoreUnavailable`` unless the database answers and can be written."""

    def close(self) -> None: ...
