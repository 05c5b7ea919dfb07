"""Two versions on the same live rows whose truth is known: who is better, and by how much.

Both are measured on the same resampled rows, so what is common to both cancels (paired bootstrap).
Source: Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapters 8 and 13.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

from modelwright.bundle.answers import label_names
from modelwright.bundle.format import ModelEntry
from modelwright.monitor.quality import MOST_ROWS, RESAMPLES, Floats, Ints, drawn
from modelwright.schema.catalogue import METRICS
from modelwright.schema.metrics import Metric, Task


class Beside(msgspec.Struct, frozen=True, kw_only=True):
    """A metric of two versions on the same rows.

    Attributes:
        metric: Which.
        challenger, champion: Its value with its interval (95 %).
        gain: How much better the challenger is, whichever direction is better.
        low, high: Interval (95 %) of ``gain``.
        rows: How many.
        below: Whether the challenger's value lies outside the champion's interval, on the worse side.
    """

    metric: str
    challenger: Metric
    champion: Metric
    gain: float
    low: float
    high: float
    rows: int
    below: bool


@dataclass(frozen=True)
class LiveRow:
    """A row, as it was answered.

    Attributes:
        truth: As it was told; of several models a mapping.
        challenger, champion: The logged outputs of either.
    """

    truth: Any
    challenger: Mapping[str, Any]
    champion: Mapping[str, Any]


@dataclass(frozen=True)
class _Side:
    answers: np.ndarray
    probabilities: Floats | None


def compare(
    rows: Sequence[LiveRow],
    entries: tuple[ModelEntry, ModelEntry],
    metric: str,
    *,
    several: bool,
    seed: int = 0,
) -> Beside | None:
    """Compare one model of two versions.

    Args:
        rows: The newest ``MOST_ROWS`` count.
        entries: What the challenger's and the champion's manifest say of the model.
        metric: What decides.
        several: Whether the versions have several models, so that answers lie under ``outputs``.
        seed: Of the bootstrap.

    Returns:
        ``None`` where the metric cannot be measured on these rows.
    """
    name, task = entries[0].name, entries[0].task
    told = [_of_model(row, name, several=several) for row in rows[-MOST_ROWS:]]
    known = [each for each in told if each is not None]
    if not known:
        return None
    truth: np.ndarray
    if task is Task.CLASSIFICATION:
        truth, one, other, classes = _labels(known, entries)
    else:
        truth, one, other, classes = _numbers(known)
    weights = _weights(len(truth), seed)
    values = [
        drawn(
            task,
            metric,
            truth,
            side.answers,
            weights=weights,
            classes=classes,
            probabilities=side.probabilities,
        )
        for side in (one, other)
    ]
    return _beside(task, metric, values, len(truth))


def _beside(task: Task, metric: str, values: Sequence[Floats], rows: int) -> Beside | None:
    sign = 1.0 if METRICS[task][metric].higher_is_better else -1.0
    one, other = values
    if not (np.isfinite(one[0]) and np.isfinite(other[0])):
        return None
    gains = sign * (one - other)
    low, high = _percentiles(gains)
    champion = Metric(float(other[0]), *_percentiles(other))
    value = float(one[0])
    below = value < champion.low if sign > 0 else value > champion.high
    return Beside(
        metric=metric,
        challenger=Metric(value, *_percentiles(one)),
        champion=champion,
        gain=float(gains[0]),
        low=low,
        high=high,
        rows=rows,
        below=below,
    )


def _percentiles(values: Floats) -> tuple[float, float]:
    """Interval of the first value, from the others."""
    some = values[1:][np.isfinite(values[1:])]
    value = float(values[0])
    if not len(some):
        return value, value
    low, high = np.quantile(some, [0.025, 0.975]).tolist()
    return min(value, low), max(value, high)


def _weights(rows: int, seed: int) -> Floats:
    """How often each row occurs [1 + RESAMPLES, rows]; the first line is the rows themselves."""
    random = np.random.default_rng(seed)
    return np.concatenate(
        [np.ones((1, rows)), random.multinomial(rows, np.full(rows, 1 / rows), size=RESAMPLES)]
    )


def _of_model(
    row: LiveRow, name: str, *, several: bool
) -> tuple[Any, Mapping[str, Any], Mapping[str, Any]] | None:
    """Truth and both answers of one model; ``None`` where one of them is not there."""
    if not several:
        return row.truth, row.challenger, row.champion
    truth = row.truth.get(name) if isinstance(row.truth, dict) else None
    one, other = (side.get("outputs", {}).get(name) for side in (row.challenger, row.champion))
    return None if truth is None or one is None or other is None else (truth, one, other)


def _labels(
    told: Sequence[tuple[Any, Mapping[str, Any], Mapping[str, Any]]], entries: tuple[ModelEntry, ModelEntry]
) -> tuple[Ints, _Side, _Side, int]:
    """Codes of labels: the champion's labels first, then those only the challenger or the truth has."""
    codes: dict[str, int] = {}
    for label in (*entries[1].labels, *entries[0].labels, *(truth for truth, _, _ in told)):
        codes.setdefault(_key(label), len(codes))
    truth = np.array([codes[_key(each)] for each, _, _ in told], dtype=np.int64)
    sides = [
        _Side(
            np.array([codes[_key(each[place]["prediction"])] for each in told], dtype=np.int64),
            _probabilities([each[place] for each in told], entry, codes),
        )
        for place, entry in ((1, entries[0]), (2, entries[1]))
    ]
    return truth, sides[0], sides[1], len(codes)


def _key(label: Any) -> str:
    """Labels that are told apart: 1 and 1.0 are one label, "1" is another."""
    number = isinstance(label, int | float) and not isinstance(label, bool)
    return f"{float(label)}" if number else f"{type(label).__name__} {label}"


def _probabilities(
    answers: Sequence[Mapping[str, Any]], entry: ModelEntry, codes: Mapping[str, int]
) -> Floats | None:
    if any(not answer.get("probabilities") for answer in answers):
        return None
    made = np.zeros((len(answers), len(codes)))
    places = {name: codes[_key(label)] for label, name in zip(entry.labels, label_names(entry), strict=True)}
    for line, answer in enumerate(answers):
        for name, share in answer["probabilities"].items():
            if name in places:
                made[line, places[name]] = share
    return made


def _numbers(
    told: Sequence[tuple[Any, Mapping[str, Any], Mapping[str, Any]]],
) -> tuple[Floats, _Side, _Side, int]:
    truth = np.array([each for each, _, _ in told], dtype=np.float64)
    one, other = (
        _Side(np.array([each[place]["prediction"] for each in told], dtype=np.float64), None)
        for place in (1, 2)
    )
    return truth, one, other, 0
