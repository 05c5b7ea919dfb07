"""Records to rows and back: a row holds only numbers, text and None, which every database keeps alike.

The in-memory double sends its records through here too, so that it gives back exactly what the
databases do. Rows are named after the columns of ``tables``; sequences are the database's to give.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from modelwright.schema.metrics import Metric, Parity
from modelwright.store.codec import finite, keep, key, micros, moment, pack, restore, unpack
from modelwright.store.records import (
    Decision,
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
    ReleaseRecord,
    SampleRecord,
    Spread,
    SummaryRecord,
    VersionRecord,
    WindowRecord,
)
from modelwright.store.summaries import Counted, Key, answer_of

Row = Mapping[Any, Any]  # SQLAlchemy's rows may be asked by name or by column


def version_row(record: VersionRecord) -> dict[str, Any]:
    """A version as a row."""
    return {
        "project": key(record.project, "project name"),
        "number": record.number,
        "created": micros(record.created),
        "estimator": keep(record.estimator),
        "metric": keep(record.metric),
        "verdict": record.decision.verdict.value,
        "fingerprint": key(record.fingerprint, "fingerprint"),
        "dataset_md5": keep(record.dataset_md5),
        "git_commit": keep(record.git_commit),
        "run_id": keep(record.run_id),
        "content_hash": keep(record.content_hash),
        "bundle": keep(record.bundle),
        "metrics": pack(record.metrics),
        "parity": pack(record.parity),
        "decision": pack(record.decision),
        "leaderboard": pack(record.leaderboard),
        "environment": pack(record.environment),
    }


def version(row: Row) -> VersionRecord:
    """A version from its row."""
    return VersionRecord(
        project=restore(row["project"]),
        number=row["number"],
        created=moment(row["created"]),
        estimator=restore(row["estimator"]),
        metric=restore(row["metric"]),
        metrics=msgspec.convert(unpack(row["metrics"]), dict[str, Metric]),
        parity=msgspec.convert(unpack(row["parity"]), dict[str, Parity]),
        decision=msgspec.convert(unpack(row["decision"]), Decision),
        dataset_md5=restore(row["dataset_md5"]),
        git_commit=restore(row["git_commit"]),
        run_id=restore(row["run_id"]),
        fingerprint=restore(row["fingerprint"]),
        content_hash=restore(row["content_hash"]),
        bundle=restore(row["bundle"]),
        leaderboard=tuple(unpack(row["leaderboard"])),
        environment=unpack(row["environment"]),
    )


def release_row(record: ReleaseRecord) -> dict[str, Any]:
    """A release as a row, without its sequence."""
    return {
        "project": key(record.project, "project name"),
        "version": record.version,
        "bundle": keep(record.bundle),
        "content_hash": keep(record.content_hash),
        "released": micros(record.released),
        "reason": keep(record.reason),
        "actor": keep(record.actor),
        "settings": pack(record.settings),
    }


def release(row: Row) -> ReleaseRecord:
    """A release from its row."""
    return ReleaseRecord(
        sequence=row["sequence"],
        project=restore(row["project"]),
        version=row["version"],
        bundle=restore(row["bundle"]),
        content_hash=restore(row["content_hash"]),
        released=moment(row["released"]),
        reason=restore(row["reason"]),
        actor=restore(row["actor"]),
        settings=unpack(row["settings"]),
    )


def prediction_row(record: PredictionRecord) -> dict[str, Any]:
    """A prediction as a row; whether it is labelled is the store's to say."""
    answer = answer_of(record.outputs) if record.status < 400 else None
    return {
        "id": key(record.id, "prediction id"),
        "project": key(record.project, "project name"),
        "version": record.version,
        "time": micros(record.time),
        "status": record.status,
        "inputs": pack(record.inputs),
        "outputs": pack(record.outputs),
        "warnings": pack(record.warnings) if record.warnings else "[]",
        "latency": finite(record.latency, "latency"),
        "client": keep(record.client),
        "protocol": keep(record.protocol),
        "role": keep(record.role),
        "answer": None if answer is None else keep(answer),
    }


def prediction(row: Row) -> PredictionRecord:
    """A prediction from its row."""
    return PredictionRecord(
        id=restore(row["id"]),
        project=restore(row["project"]),
        version=row["version"],
        time=moment(row["time"]),
        status=row["status"],
        inputs=unpack(row["inputs"]),
        outputs=unpack(row["outputs"]),
        warnings=tuple(unpack(row["warnings"])),
        latency=row["latency"],
        client=restore(row["client"]),
        protocol=restore(row["protocol"]),
        role=restore(row["role"]),
    )


def summary_row(key: Key, counted: Counted) -> dict[str, Any]:
    """A summary as a row."""
    project, span, start, version, role = key
    return {
        "project": keep(project),
        "span": span,
        "start": start,
        "version": version,
        "role": keep(role),
        "answered": counted.answered,
        "refused": counted.refused,
        "failed": counted.failed,
        "warned": counted.warned,
        "seconds": counted.seconds,
        "latency": pack(counted.latency),
        "answers": pack(counted.answers),
    }


def summary(row: Row) -> SummaryRecord:
    """A summary from its row."""
    return SummaryRecord(
        project=restore(row["project"]),
        span=row["span"],
        start=moment(row["start"] * 1_000_000),
        version=row["version"],
        role=restore(row["role"]),
        answered=row["answered"],
        refused=row["refused"],
        failed=row["failed"],
        warned=row["warned"],
        seconds=row["seconds"],
        latency=msgspec.convert(unpack(row["latency"]), dict[int, int], strict=False),
        answers=msgspec.convert(unpack(row["answers"]), dict[str, Spread]),
    )


def label_row(
    project: str, prediction_id: str, target: Any, received: datetime, *, client: str, became: LabelOutcome
) -> dict[str, Any]:
    """A label as a row, without its sequence."""
    return {
        "project": key(project, "project name"),
        "prediction_id": key(prediction_id, "prediction id"),
        "target": pack(target),
        "received": micros(received),
        "client": keep(client),
        "outcome": became.value,
        "joined": micros(received) if became is LabelOutcome.JOINED else None,
    }


def label(row: Row) -> LabelRecord:
    """A label from its row."""
    return LabelRecord(
        sequence=row["sequence"],
        project=restore(row["project"]),
        prediction_id=restore(row["prediction_id"]),
        target=unpack(row["target"]),
        received=moment(row["received"]),
        client=restore(row["client"]),
    )


def window_row(record: WindowRecord) -> dict[str, Any]:
    """A window as a row, without its sequence."""
    return {
        "project": key(record.project, "project name"),
        "kind": key(record.kind, "kind of window"),
        "version": record.version,
        "model": keep(record.model),
        "since": micros(record.since),
        "until": micros(record.until),
        "rows": record.rows,
        "data": pack(record.data),
    }


def window(row: Row) -> WindowRecord:
    """A window from its row."""
    return WindowRecord(
        sequence=row["sequence"],
        project=restore(row["project"]),
        kind=restore(row["kind"]),
        version=row["version"],
        model=restore(row["model"]),
        since=moment(row["since"]),
        until=moment(row["until"]),
        rows=row["rows"],
        data=unpack(row["data"]),
    )


def override_row(record: OverrideRecord) -> dict[str, Any]:
    """An override as a row."""
    return {
        "project": key(record.project, "project name"),
        "name": key(record.name, "name of the setting"),
        "value": pack(record.value),
        "actor": keep(record.actor),
        "reason": keep(record.reason),
        "time": micros(record.time),
    }


def override(row: Row) -> OverrideRecord:
    """An override from its row."""
    return OverrideRecord(
        project=restore(row["project"]),
        name=restore(row["name"]),
        value=unpack(row["value"]),
        actor=restore(row["actor"]),
        reason=restore(row["reason"]),
        time=moment(row["time"]),
    )


def sample_row(
    project: str, features: dict[str, Any], target: Any, received: datetime, client: str
) -> dict[str, Any]:
    """A sample as a row, without its sequence, not used yet."""
    return {
        "project": key(project, "project name"),
        "features": pack(features),
        "target": pack(target),
        "received": micros(received),
        "client": keep(client),
        "used_by_version": None,
    }


def sample(row: Row) -> SampleRecord:
    """A sample from its row."""
    return SampleRecord(
        sequence=row["sequence"],
        project=restore(row["project"]),
        features=unpack(row["features"]),
        target=unpack(row["target"]),
        received=moment(row["received"]),
        client=restore(row["client"]),
        used_by_version=row["used_by_version"],
    )


def job_row(record: JobRecord) -> dict[str, Any]:
    """A job as a row; what its lease is judged by (``lease_ends``, ``lease_length``) is set by ``take``."""
    return {
        "id": key(record.id, "job id"),
        "project": key(record.project, "project name"),
        "state": record.state.value,
        "trigger": keep(record.trigger),
        "reason": keep(record.reason),
        "created": micros(record.created),
        "updated": micros(record.updated),
        "lease_owner": keep(record.lease_owner),
        "lease_until": None if record.lease_until is None else micros(record.lease_until),
        "progress": finite(record.progress, "progress"),
        "version": record.version,
        "error": keep(record.error),
        "settings": pack(record.settings),
    }


def job(row: Row) -> JobRecord:
    """A job from its row."""
    return JobRecord(
        id=restore(row["id"]),
        project=restore(row["project"]),
        state=JobState(row["state"]),
        trigger=restore(row["trigger"]),
        reason=restore(row["reason"]),
        created=moment(row["created"]),
        updated=moment(row["updated"]),
        lease_owner=restore(row["lease_owner"]),
        lease_until=None if row["lease_until"] is None else moment(row["lease_until"]),
        progress=row["progress"],
        version=row["version"],
        error=restore(row["error"]),
        settings=unpack(row["settings"]),
    )


def event_row(project: str, time: datetime, kind: str, message: str, data: dict[str, Any]) -> dict[str, Any]:
    """An event as a row, without its sequence."""
    return {
        "project": key(project, "project name"),
        "time": micros(time),
        "kind": key(kind, "kind of event"),
        "message": keep(message),
        "data": pack(data),
    }


def event(row: Row) -> EventRecord:
    """An event from its row."""
    return EventRecord(
        sequence=row["sequence"],
        project=restore(row["project"]),
        time=moment(row["time"]),
        kind=restore(row["kind"]),
        message=restore(row["message"]),
        data=unpack(row["data"]),
    )


def key_row(record: KeyRecord) -> dict[str, Any]:
    """An API key as a row."""
    return {
        "id": key(record.id, "key id"),
        "name": key(record.name, "key name"),
        "hash": keep(record.hash),
        "scopes": pack(record.scopes),
        "created": micros(record.created),
        "expires": None if record.expires is None else micros(record.expires),
        "revoked": None if record.revoked is None else micros(record.revoked),
    }


def api_key(row: Row) -> KeyRecord:
    """An API key from its row."""
    return KeyRecord(
        id=restore(row["id"]),
        name=restore(row["name"]),
        hash=restore(row["hash"]),
        scopes=tuple(unpack(row["scopes"])),
        created=moment(row["created"]),
        expires=None if row["expires"] is None else moment(row["expires"]),
        revoked=None if row["revoked"] is None else moment(row["revoked"]),
    )


def generation_row(  # noqa: PLR0917 - the columns
    project: str, names: Sequence[str], keys: int, created: datetime, as_of: str, digest: str
) -> dict[str, Any]:
    """A generation of online features as a row."""
    return {
        "project": key(project, "project name"),
        "created": micros(created),
        "as_of": keep(as_of),
        "names": pack(tuple(names)),
        "keys": keys,
        "digest": keep(digest),
    }


def generation(row: Row) -> GenerationRecord:
    """A generation from its row."""
    return GenerationRecord(
        sequence=row["sequence"],
        project=restore(row["project"]),
        created=moment(row["created"]),
        as_of=restore(row["as_of"]),
        names=tuple(unpack(row["names"])),
        keys=row["keys"],
        digest=restore(row["digest"]),
    )


def online_row(name: str, values: OnlineValues) -> dict[str, Any]:
    """What is known of one key as a row, but for its generation."""
    return {"key": key(name, "key of online features"), "data": pack(values)}
