"""What a retraining job may become: the rules that every store keeps, without a database."""

from __future__ import annotations

from typing import Any

import msgspec

from modelwright.store import clock
from modelwright.store.errors import IllegalMove
from modelwright.store.records import JobRecord, JobState

FREE = frozenset(JobState) - {JobState.TRAINING, JobState.JUDGED}
"""States in which nobody is at work, so no lease is held."""


def new_job(id: str, project: str, trigger: str, reason: str, settings: dict[str, Any] | None) -> JobRecord:
    """A job that waits."""
    now = clock.now()
    return JobRecord(
        id=id,
        project=project,
        state=JobState.QUEUED,
        trigger=trigger,
        reason=reason,
        created=now,
        updated=now,
        settings=settings or {},
    )


def moved(job: JobRecord, state: JobState, *, version: int | None, error: str) -> JobRecord:
    """``job`` in its new state; what is not given stays. Raises ``IllegalMove``."""
    if not job.state.may_become(state):
        legal = [other.value for other in JobState if job.state.may_become(other)]
        raise IllegalMove(job.id, job.state.value, state.value, legal)
    record = msgspec.structs.replace(
        job,
        state=state,
        updated=clock.now(),
        version=job.version if version is None else version,
        error=error or job.error,
    )
    if state in FREE:
        record = msgspec.structs.replace(record, lease_owner="", lease_until=None)
    return record
