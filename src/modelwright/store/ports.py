"""What the other rooms may ask of a store. SQLite, PostgreSQL and the in-memory double all keep it.

Every method is atomic. Times are timezone-aware UTC. ``StoreUnavailable`` (in ``store.errors``) is
raised when the database cannot be reached or written.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
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
    OverrideRecord,
    PredictionRecord,
    Recorded,
    ReleaseRecord,
    SampleRecord,
    SummaryRecord,
    Truth,
    VersionRecord,
    WindowRecord,
)


class Versions(Protocol):
    """Registered versions of projects."""

    def reserve(self, project: str) -> int:
        """Take the next version number of ``project``; never given twice, gaps are allowed."""

    def count_from(self, project: str, number: int) -> None:
        """Let the next version number of ``project`` be at least ``number``; it never goes back."""

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
        self,
        project: str,
        version: int,
        *,
        reason: str,
        actor: str,
        settings: dict[str, Any] | None = None,
        after: int | None = None,
    ) -> ReleaseRecord:
        """Make ``version`` champion. Raises ``UnknownVersion``, or ``NotServable`` for a rejected one.

        ``after`` is the sequence of the release that this one was decided upon: where another is the
        newest by now, nothing is written and ``Superseded`` is raised.
        """

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
        answer: str | None = None,
        refused: bool = False,
        warned: bool = False,
    ) -> Sequence[PredictionRecord]:
        """Newest first; ``before`` is a prediction id to page on from (keyset paging).

        ``since`` is included, ``until`` is not. ``answer`` is a class or cluster that the first model
        answered (by the name people call it), ``refused`` asks for rows that were not answered, and
        ``warned`` for those with a warning. Raises ``UnknownPrediction`` if ``before`` is not in the log.
        """

    def following(
        self,
        project: str,
        *,
        after: tuple[datetime, str] | None = None,
        until: datetime | None = None,
        limit: int = 1000,
    ) -> Sequence[PredictionRecord]:
        """Oldest first from ``after`` on: time and id of the last one read, itself not included.

        ``until`` is not included. What is delivered late, behind a place that was read past, is not seen.
        """

    def count(self, project: str, *, version: int | None = None, since: datetime | None = None) -> int:
        """How many are in the log, or were answered from ``since`` on."""

    def prune(
        self,
        project: str,
        *,
        older_than: datetime | None = None,
        keep: int | None = None,
        told: Callable[[int], None] | None = None,
    ) -> int:
        """Delete by age or down to the newest ``keep`` rows, with their labels; how many went.

        The one method that is not atomic as a whole: it works in batches, so that a log of millions
        does not keep others waiting, and may be run again after an interruption. ``told`` hears after
        each batch how many have gone.
        """


class Summaries(Protocol):
    """Counts of the log by minute and hour (``store.summaries``); ``Predictions.add`` keeps them."""

    def list(
        self, project: str, *, span: int, since: datetime | None = None, until: datetime | None = None
    ) -> Sequence[SummaryRecord]:
        """Those of ``span`` seconds that begin in the range, oldest first; minutes are kept for some days."""

    def totals(self, project: str) -> Sequence[SummaryRecord]:
        """All hours summed by version and role, without latencies and answers; ``start`` is the first."""

    def prune(self, project: str, *, older_than: datetime) -> int:
        """Let go of minutes; hours stay. How many rows went."""


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

    def count(self, project: str, *, since: datetime | None = None) -> int:
        """How many predictions got their label, or got it from ``since`` on.

        A prediction counts once: corrections and contradictions add nothing, and an orphan counts
        when its prediction arrives.
        """

    def joined(
        self, project: str, *, after: tuple[datetime, int] | None = None, limit: int = 1000
    ) -> Sequence[tuple[datetime, LabelRecord]]:
        """The first labels of predictions with when they joined, in that order.

        ``after`` is that time and the sequence of the last one read, itself not included.
        """

    def orphans(self, project: str, *, client: str | None = None) -> int:
        """How many labels wait for their prediction; of one client, where one is given."""

    def prune_orphans(
        self, project: str, *, older_than: datetime | None = None, keep: int | None = None
    ) -> int:
        """Delete waiting labels by age or down to the newest ``keep``; how many predictions' went."""


class Samples(Protocol):
    """Labelled rows given for training."""

    def add(self, project: str, features: dict[str, Any], target: Any, *, client: str = "") -> SampleRecord:
        """Store one, unused."""

    def list(self, project: str) -> Sequence[SampleRecord]:
        """All, used or not, oldest first."""

    def pending(self, project: str, *, client: str | None = None) -> int:
        """How many no version has used yet; of one client, where one is given."""

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

    def add_alone(
        self,
        project: str,
        *,
        trigger: str,
        reason: str,
        settings: dict[str, Any] | None = None,
        besides: Collection[str] = (),
    ) -> tuple[JobRecord, bool]:
        """A new job and true, or the one that waits or is at work already and false.

        However many ask at once, one job is made. ``besides``: ids that do not count as at work (they
        wait for a person).
        """

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


class Windows(Protocol):
    """What the monitors found, slice by slice."""

    def add(self, record: WindowRecord) -> WindowRecord:
        """Store one; it comes back with its sequence."""

    def list(
        self,
        project: str,
        *,
        kind: str | None = None,
        version: int | None = None,
        since: datetime | None = None,
        limit: int = 100,
    ) -> Sequence[WindowRecord]:
        """Newest first; ``since`` leaves out those that ended before."""

    def prune(self, project: str, *, older_than: datetime | None = None, keep: int | None = None) -> int:
        """Delete by age or down to the newest ``keep`` of each kind; how many went."""


class States(Protocol):
    """Small named texts that must survive a restart: what a monitor remembers."""

    def get(self, project: str, name: str) -> str | None:
        """The text that was put last."""

    def put(self, project: str, name: str, text: str) -> None:
        """Keep ``text`` in place of what was there."""


class Overrides(Protocol):
    """Thresholds set while the service runs. What may be set is not for the store to say."""

    def get(self, project: str) -> dict[str, Any]:
        """Values by name."""

    def list(self, project: str) -> Sequence[OverrideRecord]:
        """The same with who set it, when and why, by name."""

    def set(self, project: str, values: Mapping[str, Any], *, actor: str, reason: str) -> EventRecord:
        """Set these and leave the others; ``None`` takes one back. Leaves an event of kind "settings"."""


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
    summaries: Summaries
    labels: Labels
    samples: Samples
    jobs: Jobs
    events: Events
    leases: Leases
    keys: Keys
    online: Online
    windows: Windows
    states: States
    overrides: Overrides

    def ping(self) -> None:
        """Raise ``StoreUnavailable`` unless the database answers and can be written."""

    def close(self) -> None:
        """Give back what is open; the store is of no use afterwards."""
