"""Live quality: a version's newest labelled predictions, measured, and what is estimated without labels.

``docs/reference/monitoring.md`` says what stands in a window's data; others rely on it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

from modelwright.bundle.format import ModelEntry
from modelwright.bundle.read import Description
from modelwright.monitor import quality
from modelwright.monitor.answered import Answered, number, read_answered
from modelwright.monitor.estimate import LEAST_ROWS, calibrate, estimate
from modelwright.monitor.formulas import confusion
from modelwright.schema.columns import Kind
from modelwright.schema.metrics import Metric, Task
from modelwright.schema.profile import Profile
from modelwright.store.ports import Store
from modelwright.store.records import LabelRecord, PredictionRecord, WindowRecord

QUALITY = "quality"
_MOST_SEGMENTED = 10
_MOST_CALIBRATING = 5_000
_MOST_CLASSES = 50
_BINS = 10
_GROUPING = frozenset({Kind.CATEGORICAL, Kind.BOOLEAN})


@dataclass(frozen=True)
class Looked:
    """What is looked at.

    Attributes:
        store, project: Where the log is.
        description: The version's bundle.
        profile: Of its training data.
        window: Labelled rows that are judged together, the newest ones.
        segments: Columns by whose values quality is told apart; empty for those of few values.
        beside: Whether it may be a shadow, judged by the labels of the predictions it ran beside.
    """

    store: Store
    project: str
    description: Description
    profile: Profile
    window: int
    segments: tuple[str, ...] = ()
    beside: bool = False

    @property
    def version(self) -> int:
        """Whose predictions."""
        return self.description.manifest.version


@dataclass(frozen=True)
class _Labelled:
    rows: Answered
    labels: list[LabelRecord]


def live_quality(looked: Looked) -> list[WindowRecord]:
    """One window a model of what is labelled by now; none without labelled rows.

    Raises:
        StoreUnavailable: The store cannot be asked.
    """
    labelled = _labelled(looked)
    if not len(labelled.rows):
        return []
    covered = _coverage(looked, labelled)
    found = []
    for entry in looked.description.manifest.models:
        data = _measured(looked, entry, labelled)
        if data is None:
            continue
        found.append(
            WindowRecord(
                project=looked.project,
                kind=QUALITY,
                version=looked.version,
                model=entry.name,
                since=min(labelled.rows.times),
                until=max(labelled.rows.times),
                rows=data["rows"],
                data=data | {"coverage": covered},
            )
        )
    return found


def _labelled(looked: Looked) -> _Labelled:
    records = looked.store.predictions.history(
        looked.project, limit=looked.window, version=looked.version, labelled=True
    )[::-1]
    labels = dict(looked.store.labels.latest(looked.project, [record.id for record in records]))
    found = [record for record in records if record.id in labels]
    if looked.beside and len(found) < looked.window:
        found = [*_shadowed(looked, labels), *found]
    rows = read_answered(looked.description, found)
    return _Labelled(rows, [labels[id] for id in rows.ids])


def _shadowed(looked: Looked, labels: dict[str, LabelRecord]) -> list[PredictionRecord]:
    """What a shadow said beside the newest labelled predictions; their labels are put to its ids."""
    beside = looked.store.predictions.history(looked.project, limit=looked.window, labelled=True)[::-1]
    told = looked.store.labels.latest(looked.project, [record.id for record in beside])
    names = {shadow_id(record.id, looked.version): record.id for record in beside}
    shadows = looked.store.predictions.get_many(looked.project, list(names))
    found = [shadows[name] for name, id in names.items() if name in shadows and id in told]
    labels |= {record.id: told[names[record.id]] for record in found}
    return found


def shadow_id(id: str, version: int) -> str:
    """What the log calls a shadow's answer beside the prediction ``id``."""
    return f"{id}~v{version}"


def _coverage(looked: Looked, labelled: _Labelled) -> dict[str, Any]:
    since = min(labelled.rows.times)
    predictions = looked.store.predictions.count(looked.project, version=looked.version, since=since)
    known = len(labelled.rows)
    delays = [
        max(0.0, (label.received - time).total_seconds())
        for label, time in zip(labelled.labels, labelled.rows.times, strict=True)
    ]
    median, slow = np.quantile(delays, [0.5, 0.95]).tolist()
    found: dict[str, Any] = plain(
        quality.Coverage(
            predictions=max(predictions, known),
            labelled=known,
            share=quality.share(known, max(predictions, known)),
            median_delay=median,
            slow_delay=slow,
        )
    )
    return found


def _measured(looked: Looked, entry: ModelEntry, labelled: _Labelled) -> dict[str, Any] | None:
    truths = [_truth(looked, entry, label.target) for label in labelled.labels]
    there = np.array([truth is not None for truth in truths], dtype=np.bool_)
    if not there.any() or entry.task is Task.CLUSTERING:
        return None
    known = [truth for truth in truths if truth is not None]
    data: dict[str, Any] = {
        "task": entry.task.value,
        "rows": int(there.sum()),
        "window": looked.window,
        "full": bool(there.sum() >= looked.window),
    }
    if entry.task is Task.REGRESSION:
        return data | _regression(looked, entry, labelled.rows, known, there)
    return data | _classification(looked, entry, labelled.rows, known, there)


def _truth(looked: Looked, entry: ModelEntry, target: Any) -> Any:
    if len(looked.description.manifest.models) == 1:
        return target
    return target.get(entry.name) if isinstance(target, dict) else None


def _regression(
    looked: Looked, entry: ModelEntry, rows: Answered, truths: Sequence[Any], there: np.ndarray
) -> dict[str, Any]:
    answers = rows.predictions([entry])[entry.name][there]
    truth = np.array([number(value) for value in truths], dtype=np.float64)
    good = np.isfinite(answers) & np.isfinite(truth)
    truth, answers = truth[good], answers[good]
    columns = {name: values[there][good] for name, values in rows.columns.items()}

    def measure(mask: np.ndarray) -> Mapping[str, Metric]:
        return quality.regression(truth[mask], answers[mask])

    return {
        "metrics": plain(quality.regression(truth, answers)),
        "segments": plain(_segments(looked, columns, measure)),
    }


def _classification(
    looked: Looked, entry: ModelEntry, rows: Answered, truths: Sequence[Any], there: np.ndarray
) -> dict[str, Any]:
    known = [str(label) for label in entry.labels]
    labels = [*known, *sorted({str(truth) for truth in truths} - set(known))]
    codes = {label: code for code, label in enumerate(labels)}
    answered = rows.predictions([entry])[entry.name][there].tolist()
    answers = np.array([codes.get(answer, 0) for answer in answered], dtype=np.int64)
    truth = np.array([codes[str(value)] for value in truths], dtype=np.int64)
    given = rows.probabilities(entry)
    probabilities = None if given is None or len(labels) > len(known) else given[there]
    columns = {name: values[there] for name, values in rows.columns.items()}

    def measure(mask: np.ndarray) -> Mapping[str, Metric]:
        return quality.classification(truth[mask], answers[mask], len(labels))

    table = confusion(truth, answers, len(labels))
    return {
        "metrics": plain(quality.classification(truth, answers, len(labels), probabilities)),
        "classes": plain(quality.by_class(table, labels))[:_MOST_CLASSES],
        "confusion": {"labels": labels, "table": table.tolist()} if len(labels) <= _MOST_CLASSES else None,
        "calibration": _calibration(rows.confidence([entry])[entry.name][there], answers == truth),
        "segments": plain(_segments(looked, columns, measure)),
    }


def _calibration(confidence: np.ndarray, right: np.ndarray) -> list[dict[str, float]]:
    """Mean confidence and share of right answers in bins of equal width; empty bins are left out."""
    told = np.isfinite(confidence)
    confidence, right = confidence[told], right[told]
    place = np.minimum((confidence * _BINS).astype(np.int64), _BINS - 1)
    return [
        {
            "confidence": float(confidence[place == each].mean()),
            "right": float(right[place == each].mean()),
            "rows": int((place == each).sum()),
        }
        for each in np.unique(place).tolist()
    ]


def _segments(looked: Looked, columns: Mapping[str, np.ndarray], measure: Any) -> list[quality.Segment]:
    kinds = {column.name: column.kind for column in looked.description.schema.features}
    names = looked.segments or tuple(name for name, kind in kinds.items() if kind in _GROUPING)
    profiles = {column.name: column for column in looked.profile.columns}
    found: list[quality.Segment] = []
    for name in names[:_MOST_SEGMENTED]:
        if name in columns:
            quantiles = profiles[name].quantiles if name in profiles else ()
            parts = quality.segments_of(columns[name], quantiles)
            found += quality.by_segment(name, parts, measure)
    return found


def estimated(looked: Looked, entry: ModelEntry) -> dict[str, Any] | None:
    """Label metrics of the newest answers, estimated from confidences; ``None`` where that cannot be.

    Confidences are calibrated on this version's own labelled predictions, so there must be some.
    """
    if entry.task is not Task.CLASSIFICATION:
        return None
    calibrating = _labelled(
        Looked(
            looked.store,
            looked.project,
            looked.description,
            looked.profile,
            max(looked.window, _MOST_CALIBRATING),
            beside=looked.beside,
        )
    )
    rows = read_answered(looked.description, _newest(looked))
    probabilities = rows.probabilities(entry) if len(rows) else None
    if probabilities is None or len(calibrating.rows) < LEAST_ROWS:
        return None
    codes = {str(label): code for code, label in enumerate(entry.labels)}
    confidence = calibrating.rows.confidence([entry])[entry.name]
    answered = calibrating.rows.predictions([entry])[entry.name]
    truths = [_truth(looked, entry, label.target) for label in calibrating.labels]
    told = np.isfinite(confidence) & np.array([truth is not None for truth in truths])
    if int(told.sum()) < LEAST_ROWS:
        return None
    right = np.array(
        [str(truth) == answer for truth, answer in zip(truths, answered, strict=True)], dtype=np.bool_
    )
    answers = np.array(
        [codes.get(each, -1) for each in rows.predictions([entry])[entry.name]], dtype=np.int64
    )
    good = answers >= 0
    found = estimate(calibrate(confidence[told], right[told]), answers[good], probabilities[good])
    return {
        "rows": int(good.sum()),
        "calibrated_on": int(told.sum()),
        "until": max(rows.times).isoformat(),
        "metrics": plain(found),
    }


def _newest(looked: Looked) -> Sequence[PredictionRecord]:
    return looked.store.predictions.history(looked.project, limit=looked.window, version=looked.version)[::-1]


def plain(value: Any) -> Any:
    """As JSON values."""
    return msgspec.to_builtins(value)
