"""The rows of the store, as values. What each table means is said here; how it is kept, in ``tables``."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec

from modelwright.schema.metrics import Metric, Parity


class Verdict(StrEnum):
    """What the gate said of a version."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """Why a version may be served or may not.

    Attributes:
        verdict: The outcome.
        reasons: Sentences a person can read, one per check, the failed ones first.
        checks: The same for programs: name of a check → its numbers.
        decided: When, UTC.
    """

    verdict: Verdict
    reasons: tuple[str, ...]
    checks: dict[str, Any] = {}
    decided: datetime


class VersionRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A registered version. ``number`` counts 1, 2, 3… per project and is given by the store."""

    project: str
    number: int
    created: datetime
    estimator: str
    metric: str
    metrics: dict[str, Metric]
    parity: dict[str, Parity]
    decision: Decision
    dataset_md5: str
    git_commit: str
    run_id: str
    fingerprint: str  # hash of everything that went in: data, project file, code, lock
    content_hash: str  # of the bundle
    bundle: str  # folder, relative to the project's working folder where it lies inside
    leaderboard: tuple[dict[str, Any], ...] = ()
    environment: dict[str, str] = {}


class ReleaseRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A version became champion. Append-only; the newest one is live."""

    sequence: int
    project: str
    version: int
    bundle: str
    content_hash: str
    released: datetime
    reason: str
    actor: str
    settings: dict[str, Any] = {}  # shadow and canary, where asked for


class PredictionRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One answered (or refused) row.

    Attributes:
        id: UUIDv7, or the client's own.
        status: 200, or the status of the refusal.
        inputs: The row as it was understood (as sent, where refused).
        outputs: The answer, or the error. May be given as its JSON (``msgspec.Raw``), and comes back read.
        latency: Seconds in the server.
        client: Who asked, where known.
        protocol: "predict", "invocations", "v2", "sagemaker", "cli".
        role: "champion", "challenger" (shadow) or "canary".
    """

    id: str
    project: str
    version: int
    time: datetime
    status: int
    inputs: Any
    outputs: Any
    warnings: tuple[Any, ...] = ()
    latency: float = 0.0
    client: str = ""
    protocol: str = "predict"
    role: str = "champion"


class Numbers(msgspec.Struct, frozen=True, array_like=True):
    """Values that a regression answered: how many, their sum, the sum of their squares, least and most."""

    count: int
    total: float
    squares: float
    least: float
    most: float


class Spread(msgspec.Struct, omit_defaults=True):
    """What one model answered: how often each class or cluster, or the values of a regression."""

    classes: dict[str, int] = {}
    numbers: Numbers | None = None


class SummaryRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A minute or an hour of one version's answers in one role (``store.summaries`` says how it is kept).

    Attributes:
        span: Seconds it covers, 60 or 3600.
        start: When it begins.
        answered: Rows answered.
        refused: Rows not answered: statuses of 400 and above.
        failed: Of these, the server's fault: 500 and above.
        warned: Rows with a warning.
        seconds: Sum of the latencies of what was answered.
        latency: Answers by place in ``summaries.BOUNDS``.
        answers: What was answered, by model; "" where there is one model.
    """

    project: str
    span: int
    start: datetime
    version: int
    role: str
    answered: int
    refused: int
    failed: int
    warned: int
    seconds: float
    latency: dict[int, int] = {}
    answers: dict[str, Spread] = {}


class LabelRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The truth that came for a prediction. Corrections are further rows: see ``store.truths``."""

    sequence: int
    project: str
    prediction_id: str
    target: Any
    received: datetime
    client: str = ""


class LabelOutcome(StrEnum):
    """What became of a label (``store.truths`` has the rules)."""

    JOINED = "joined"
    DUPLICATE = "duplicate"
    CORRECTED = "corrected"
    CONTRADICTING = "contradicting"
    ORPHAN = "orphan"


class Truth(msgspec.Struct, frozen=True):
    """A truth that is told about a prediction."""

    prediction_id: str
    target: Any


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a truth; ``late`` if its prediction is of a version that is not live any more."""

    prediction_id: str
    outcome: LabelOutcome
    late: bool = False


class SampleRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A labelled row given for training."""

    sequence: int
    project: str
    features: dict[str, Any]
    target: Any
    received: datetime
    client: str = ""
    used_by_version: int | None = None


class JobState(StrEnum):
    """Where a retraining stands. Legal moves: ``JobState.may_become``."""

    QUEUED = "queued"
    TRAINING = "training"
    JUDGED = "judged"
    PROMOTED = "promoted"
    REJECTED = "rejected"
    FAILED = "failed"
    CANCELLED = "cancelled"

    def may_become(self, other: JobState) -> bool:
        """Whether a job in this state may move to ``other``."""
        return other in _MOVES[self]


_MOVES: dict[JobState, frozenset[JobState]] = {
    JobState.QUEUED: frozenset({JobState.TRAINING, JobState.CANCELLED, JobState.FAILED}),
    JobState.TRAINING: frozenset({JobState.QUEUED, JobState.JUDGED, JobState.CANCELLED, JobState.FAILED}),
    JobState.JUDGED: frozenset({JobState.PROMOTED, JobState.REJECTED, JobState.CANCELLED, JobState.FAILED}),
    JobState.PROMOTED: frozenset(),
    JobState.REJECTED: frozenset(),
    JobState.FAILED: frozenset(),
    JobState.CANCELLED: frozenset(),
}


class JobRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A retraining, with what triggered it and what came of it."""

    id: str
    project: str
    state: JobState
    trigger: str
    reason: str
    created: datetime
    updated: datetime
    lease_owner: str = ""
    lease_until: datetime | None = None
    progress: float = 0.0
    version: int | None = None
    error: str = ""
    settings: dict[str, Any] = {}


class EventRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Something happened that a person may ask about: a promotion, a refusal, an alarm."""

    sequence: int
    project: str
    time: datetime
    kind: str
    message: str
    data: dict[str, Any] = {}


class WindowRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A slice of predictions that a monitor judged.

    Attributes:
        sequence: Given by the store; 0 before.
        kind: "quality" or "drift".
        version: Which version answered the rows.
        model: Of a project with several models, which; "" for all of them.
        since, until: When its first and last row were answered.
        rows: How many there were.
        data: What was found; ``docs/reference/monitoring.md`` says what stands in it.
    """

    sequence: int = 0
    project: str
    kind: str
    version: int
    model: str = ""
    since: datetime
    until: datetime
    rows: int
    data: dict[str, Any] = {}


class OverrideRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A threshold that was set while the service runs, in place of what the project file says."""

    project: str
    name: str  # as the project file has it, for example "retrain.new_samples"
    value: Any
    actor: str
    reason: str
    time: datetime


class KeyRecord(msgspec.Struct, frozen=True, kw_only=True):
    """An API key. The key itself is never stored, only its hash.

    Attributes:
        id: The public part of the key, by which it is found and named in logs.
        name: What people call it.
        hash: Of the secret part, with everything needed to check it (method, salt).
        scopes: What it may do: "predict", "feedback", "read", "retrain", "admin".
        expires: From when on it is refused; None for never.
        revoked: Since when it is refused; None while it is good.
    """

    id: str
    name: str
    hash: str
    scopes: tuple[str, ...]
    created: datetime
    expires: datetime | None = None
    revoked: datetime | None = None


OnlineValues = tuple[float | int | bool | str | None, ...]
"""What is known of one key, in the order of the generation's names; None where it is missing."""


class GenerationRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One generation of online features: what is known of every key at one moment.

    Attributes:
        sequence: Grows from generation to generation.
        project: Whose it is.
        created: When it was written.
        as_of: The moment it is true of, in words or ISO 8601; empty if nobody said.
        names: The features, in the order of the values.
        keys: How many keys are known.
        digest: Of all of its content, by whoever wrote it.
    """

    sequence: int
    project: str
    created: datetime
    as_of: str
    names: tuple[str, ...]
    keys: int
    digest: str = ""
