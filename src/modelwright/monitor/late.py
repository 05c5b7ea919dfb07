"""Predictions that came late, because their host's database was away: windows of their own.

Monitors read the log by the time of the answers, so what is delivered behind the place they have read to
is in no window of the stream. Its keeper leaves an event of when those were answered; the rows of that
time are then compared with training as one window, and what is found is told. Detectors of streams do
not see them, for which order matters.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from modelwright.bundle.read import Description
from modelwright.monitor import wording
from modelwright.monitor.answered import read_answered
from modelwright.monitor.drift import DriftSettings, WindowDrift, window_drift
from modelwright.monitor.memory import Note
from modelwright.schema.profile import Profile
from modelwright.store.ports import Store
from modelwright.store.records import EventRecord, PredictionRecord

DELIVERED_LATE = "delivered_late"
"""Event of a keeper: ``rows`` that were answered from ``since`` to ``until``."""
MOST_ROWS = 10_000
_LOOK = 100


def late_since(store: Store, project: str, sequence: int) -> list[EventRecord]:
    """Events of late deliveries after the one of this sequence, the oldest first."""
    told = store.events.list(project, kind=DELIVERED_LATE, limit=_LOOK)
    return [event for event in reversed(told) if event.sequence > sequence]


def rows_of(store: Store, event: EventRecord) -> Sequence[PredictionRecord]:
    """The predictions of the time that an event is about, at most 10,000 of them, the oldest."""
    since, until = (datetime.fromisoformat(event.data[name]) for name in ("since", "until"))
    found = store.predictions.following(event.project, after=(since, ""), limit=MOST_ROWS)
    return [record for record in found if record.time <= until]


def compared(
    records: Sequence[PredictionRecord], description: Description, profile: Profile, settings: DriftSettings
) -> WindowDrift | None:
    """What a version's rows among ``records`` show beside its training; ``None`` where it has none."""
    own = [record for record in records if record.version == description.manifest.version]
    rows = read_answered(description, own)
    if not len(rows):
        return None
    answers = {
        name: values
        for name, values in rows.predictions(description.manifest.models).items()
        if name in profile.predictions
    }
    return window_drift(
        profile, rows.columns, schema=description.schema.features, predictions=answers, settings=settings
    )


def note_of(event: EventRecord, found: WindowDrift, version: int) -> Note | None:
    """The alarm of a late window, told once and never standing; ``None`` where nothing drifted."""
    if not found.drifted:
        return None
    since, until = event.data["since"], event.data["until"]
    data: dict[str, Any] = {
        "id": f"v{version} late {event.sequence}",
        "topic": "late",
        "name": "late rows",
        "version": version,
        "rows": found.rows,
        "since_time": since,
        "time": until,
        "names": [finding.name for finding in found.drifted],
    }
    message = f"Predictions of {since[:16]} to {until[:16]} UTC that came late. {wording.summary(found)}"
    return Note(kind="drift", message=message, data=data)
