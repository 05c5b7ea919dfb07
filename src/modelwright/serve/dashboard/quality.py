"""How good the answers are: on labelled predictions as they came, and on held-out rows, by version."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from modelwright.bundle.answers import called as names_of
from modelwright.errors import ModelwrightError
from modelwright.monitor.standing import live_view
from modelwright.monitor.thresholds import effective_of
from modelwright.schema.metrics import Metric
from modelwright.serve.dashboard.pages import Look
from modelwright.serve.dashboard.trends import Measured, Trend, trend
from modelwright.store.records import VersionRecord, WindowRecord

_MOST = 500
_SHOWN = 250
_QUALITY = "quality"
_MATRIX_LEVELS = 6
_BOX = 200

Metrics = dict[str, Metric]


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of a confusion matrix: rows, their share of the truth's, and how dark it is drawn."""

    rows: int
    share: float
    level: int
    right: bool


@dataclass(frozen=True, slots=True)
class Bin:
    """Answers of like confidence: how sure they were, how many of them were right, and places to draw."""

    confidence: float
    right: float
    rows: int
    x: float
    y: float
    r: float


def view(look: Look) -> dict[str, Any]:
    """What is shown of the model and metric that the address names."""
    store, project = look.store, look.room.project
    windows = list(store.windows.list(project, kind=_QUALITY, limit=_MOST))
    versions = list(store.versions.list(project, limit=200))
    live = live_view(store, project)
    models = sorted({window.model for window in windows})
    model = look.query.get("model", "")
    model = model if model in models else models[0] if models else ""
    mine = [window for window in windows if window.model == model]
    newest = mine[0] if mine else None
    names = list(newest.data.get("metrics", {})) if newest else _held_out_names(versions)
    metric = look.query.get("metric", "")
    metric = metric if metric in names else _first(names, versions)
    floor = _floor(look, metric)
    return {
        "models": models,
        "model": model,
        "names": names,
        "metric": metric,
        "newest": newest,
        "metrics": metrics_of(newest) if newest else {},
        "live": next((each for each in live.quality if each.model == model), None) if live else None,
        "alarms": [each for each in live.alarms if each.topic == "floor"] if live else [],
        "over_time": over_time(mine[:_SHOWN], metric, floor),
        "held_out": held_out(versions, metric),
        "floor": floor,
        "confusion": confusion(newest),
        "called": called(look, model),
        "calibration": calibration(newest),
        "box": _BOX,
        "segments": segments(newest, metric),
        "versions": len(versions),
        "labelled": bool(windows),
    }


def metrics_of(window: WindowRecord) -> Metrics:
    """A window's metrics, typed; none where another release kept them in another form."""
    try:
        return msgspec.convert(window.data.get("metrics", {}), Metrics)
    except msgspec.ValidationError:
        return {}


def over_time(windows: list[WindowRecord], metric: str, floor: float | None) -> Trend:
    """A metric of the windows, a series a version."""
    found = []
    for window in windows:
        told = metrics_of(window).get(metric)
        if told is not None:
            found.append(
                Measured(
                    window.until,
                    told.value,
                    told.low,
                    told.high,
                    f"version {window.version}",
                    f"{window.rows:,} labelled rows",
                )
            )
    return trend(found, floor=floor)


def held_out(versions: list[VersionRecord], metric: str) -> Trend:
    """The metric of every version on its own held-out rows."""
    found = []
    for record in versions:
        told = record.metrics.get(metric)
        if told is not None:
            found.append(
                Measured(
                    record.created,
                    told.value,
                    told.low,
                    told.high,
                    record.decision.verdict.value,
                    f"version {record.number}, {record.estimator}",
                )
            )
    return trend(found)


def confusion(window: WindowRecord | None) -> tuple[list[str], list[list[Cell]]] | None:
    """Labels, and a row of cells for each truth."""
    told = window.data.get("confusion") if window else None
    if not told:
        return None
    rows = []
    for place, counts in enumerate(told["table"]):
        total = sum(counts)
        rows.append(
            [
                Cell(
                    count,
                    count / total if total else 0.0,
                    round((_MATRIX_LEVELS - 1) * count / total) if total else 0,
                    place == other,
                )
                for other, count in enumerate(counts)
            ]
        )
    return [str(label) for label in told["labels"]], rows


def called(look: Look, model: str) -> dict[str, str]:
    """What people call the labels of a model, where the one that answers knows it."""
    deployment = look.room.deployment
    for entry in deployment.bundle.manifest.models if deployment is not None else ():
        if entry.name == model:
            return names_of(entry)
    return {}


def calibration(window: WindowRecord | None) -> list[Bin]:
    """How sure against how right."""
    told = (window.data.get("calibration") if window else None) or []
    most = max((each["rows"] for each in told), default=1)
    return [
        Bin(
            each["confidence"],
            each["right"],
            each["rows"],
            _BOX * each["confidence"],
            _BOX * (1 - each["right"]),
            3 + 7 * (each["rows"] / most) ** 0.5,
        )
        for each in told
    ]


def segments(window: WindowRecord | None, metric: str) -> list[tuple[str, list[tuple[str, int, Metric]]]]:
    """The metric by column and value, the columns in their order."""
    found: dict[str, list[tuple[str, int, Metric]]] = {}
    for each in (window.data.get("segments") if window else None) or []:
        told = each.get("metrics", {}).get(metric)
        if told is not None:
            found.setdefault(each["column"], []).append(
                (each["value"], each["rows"], msgspec.convert(told, Metric))
            )
    return list(found.items())


def _held_out_names(versions: list[VersionRecord]) -> list[str]:
    return sorted({name for record in versions for name in record.metrics})


def _first(names: list[str], versions: list[VersionRecord]) -> str:
    chosen = versions[0].metric if versions else ""
    return chosen if chosen in names else names[0] if names else ""


def _floor(look: Look, metric: str) -> float | None:
    try:
        return effective_of(look.store, look.room.project, look.room.file).floors.get(metric)
    except ModelwrightError:  # the settings page says what is wrong with the file
        return None
