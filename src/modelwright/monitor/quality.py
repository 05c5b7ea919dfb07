"""How good a model is on the rows whose truth is known by now: metrics with 95 % intervals.

What each metric is stands in ``monitor.formulas``. Shares have Wilson's interval; all else is
bootstrapped over rows: a row's weight in a resample is how often it was drawn.
Source: Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

import msgspec
import numpy as np
from numpy.typing import NDArray

from modelwright.monitor import statistics
from modelwright.monitor.formulas import (
    ERROR_METRICS,
    LABEL_METRICS,
    LOSSES,
    RANKING_METRICS,
    confusion,
    row_errors,
    row_losses,
)
from modelwright.schema.metrics import Metric, Task

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
RESAMPLES = 400
MOST_ROWS = 5_000
"""Rows that are resampled; of a larger window the newest count."""


class ClassQuality(msgspec.Struct, frozen=True, kw_only=True):
    """One label: of the rows that are it, and of the rows called it, how many were right."""

    label: str
    rows: int
    answered: int
    recall: Metric
    precision: Metric


class Segment(msgspec.Struct, frozen=True, kw_only=True):
    """Quality on the rows of one value, or one range, of a column."""

    column: str
    value: str
    rows: int
    metrics: dict[str, Metric]


class Coverage(msgspec.Struct, frozen=True, kw_only=True):
    """How many predictions have their label, and how long it took, in seconds.

    Attributes:
        predictions, labelled: Counts.
        share: Labelled share with its interval.
        median_delay, slow_delay: Median and 95 % quantile of the delay; ``None`` without labels.
    """

    predictions: int
    labelled: int
    share: Metric
    median_delay: float | None = None
    slow_delay: float | None = None


def share(hits: float, rows: float) -> Metric:
    """A share with Wilson's interval."""
    low, high = statistics.wilson(hits, rows)
    return Metric(value=hits / rows if rows else 0.0, low=low, high=high)


def coverage(answered: Floats, labelled: Floats) -> Coverage:
    """Label coverage and delay.

    Args:
        answered: When each prediction was made [rows], epoch seconds.
        labelled: When its label came [rows]; NaN where none has.
    """
    some = ~np.isnan(labelled)
    delays = (labelled - answered)[some]
    median, slow = np.quantile(delays, [0.5, 0.95]).tolist() if len(delays) else (None, None)
    rows, known = len(answered), int(some.sum())
    return Coverage(
        predictions=rows,
        labelled=known,
        share=share(known, rows),
        median_delay=median,
        slow_delay=slow,
    )


def classification(
    truth: Ints, answers: Ints, classes: int, probabilities: Floats | None = None, *, seed: int = 0
) -> dict[str, Metric]:
    """Metrics of a classification.

    Args:
        truth, answers: Label codes [rows] below ``classes``.
        classes: Number of labels; with two, the second is the positive one.
        probabilities: [rows, classes], for the log loss, Brier score and ranking metrics.
        seed: Of the bootstrap.

    Returns:
        Metrics by name, empty without rows; one that is undefined on these rows is left out.
    """
    if not len(truth):
        return {}
    random = np.random.default_rng(seed)
    table = confusion(truth, answers, classes)
    found = label_metrics(table, random.multinomial(len(truth), table.ravel() / len(truth), size=RESAMPLES))
    if probabilities is not None:
        newest = slice(-MOST_ROWS, None)
        found |= _losses(truth[newest], probabilities[newest], random)
        found |= _ranking(truth[newest], probabilities[newest], random)
    return found


def drawn(
    task: Task,
    metric: str,
    truth: np.ndarray,
    answers: np.ndarray,
    *,
    weights: Floats,
    classes: int = 0,
    probabilities: Floats | None = None,
) -> Floats:
    """One metric on weighted rows, a value per line of ``weights`` [times, rows].

    Args:
        task: Classification or regression.
        metric: One of the task's.
        truth, answers: Label codes below ``classes``, or numbers, [rows].
        weights: How often each row counts.
        classes: Number of labels; with two, the second is the positive one.
        probabilities: [rows, classes]; without them, ranking metrics and losses are not a number.
    """
    if task is Task.REGRESSION:
        return _weighted_errors(metric, truth, answers, weights)
    if metric in LABEL_METRICS:
        kinds, place = np.unique(truth * classes + answers, return_inverse=True)
        order = np.argsort(place, kind="stable")
        starts = np.searchsorted(place[order], np.arange(len(kinds)))
        tables = np.zeros((len(weights), classes * classes))
        tables[:, kinds] = np.add.reduceat(weights[:, order], starts, axis=1)
        return LABEL_METRICS[metric](tables.reshape(-1, classes, classes))
    if probabilities is None:
        return np.full(len(weights), np.nan)
    if metric in LOSSES:
        return _means(weights, row_losses(truth, probabilities)[:, LOSSES.index(metric)])
    areas = _ranks(truth, probabilities, weights)
    return np.full(len(weights), np.nan) if areas is None else areas[list(RANKING_METRICS).index(metric)]


def _weighted_errors(metric: str, truth: Floats, answers: Floats, weights: Floats) -> Floats:
    if metric in ERROR_METRICS:
        return ERROR_METRICS[metric](_means(weights, row_errors(truth, answers)))
    error = np.abs(answers - truth)
    size = np.sort(error)
    counts = weights[:, np.argsort(error)].cumsum(axis=1)
    half = counts[:, -1:] / 2
    return np.asarray((size[(counts < half).sum(axis=1)] + size[(counts <= half).sum(axis=1)]) / 2)


def label_metrics(table: NDArray[np.generic], draws: NDArray[np.generic]) -> dict[str, Metric]:
    """Metrics of a confusion table, with the percentiles of ``draws`` [times, classes²] as interval."""
    classes = len(table)
    tables = np.concatenate([[table], np.asarray(draws).reshape(-1, classes, classes)]).astype(np.float64)
    found = {name: _interval(of(tables)) for name, of in LABEL_METRICS.items()}
    rows = float(tables[0].sum())
    found["accuracy"] = share(float(np.trace(tables[0])), rows)
    return found


def by_class(table: Ints, labels: Sequence[str]) -> tuple[ClassQuality, ...]:
    """Recall and precision of each label of a confusion table."""
    return tuple(
        ClassQuality(
            label=label,
            rows=int(table[code].sum()),
            answered=int(table[:, code].sum()),
            recall=share(float(table[code, code]), float(table[code].sum())),
            precision=share(float(table[code, code]), float(table[:, code].sum())),
        )
        for code, label in enumerate(labels)
    )


def regression(truth: Floats, answers: Floats, *, seed: int = 0) -> dict[str, Metric]:
    """Metrics of a regression; empty without rows."""
    if not len(truth):
        return {}
    truth, answers = truth[-MOST_ROWS:], answers[-MOST_ROWS:]
    weights = _weights(len(truth), np.random.default_rng(seed))
    means = _means(weights, row_errors(truth, answers))
    found = {name: _interval(of(means)) for name, of in ERROR_METRICS.items() if np.isfinite(of(means[0]))}
    order = np.sort(np.abs(answers - truth))
    ranks = np.random.default_rng(seed).binomial(len(order), 0.5, size=RESAMPLES)
    drawn = order[np.minimum(ranks, len(order) - 1)]
    found["median_absolute_error"] = _interval(np.concatenate([[np.median(order)], drawn]))
    return found


def by_segment(
    column: str,
    segments: np.ndarray,
    measure: Callable[[NDArray[np.bool_]], Mapping[str, Metric]],
    *,
    least: int = 30,
) -> tuple[Segment, ...]:
    """Quality by segment, the largest first.

    Args:
        column: What the rows were divided by.
        segments: Segment of each row [rows], as text; see ``segments_of``.
        measure: Metrics of the rows that a mask selects.
        least: Segments with fewer rows are left out.
    """
    names, counts = np.unique(segments.astype(str), return_counts=True)
    return tuple(
        Segment(
            column=column,
            value=str(names[place]),
            rows=int(counts[place]),
            metrics=dict(measure(segments.astype(str) == names[place])),
        )
        for place in np.argsort(-counts, kind="stable")
        if counts[place] >= least
    )


def segments_of(values: np.ndarray, quantiles: Sequence[float] = (), *, most: int = 10) -> np.ndarray:
    """Segments of a column array [rows]: its most frequent words, or a number's quarter of training.

    Args:
        values: Column array.
        quantiles: Numbers: the profile's 101 quantiles; the window's own quarters without them.
        most: Words that have a segment of their own; the others share "(others)".
    """
    made = np.empty(len(values), dtype=object)
    if values.dtype == object:
        words, counts = np.unique(values.astype(str), return_counts=True)
        kept = set(words[np.argsort(-counts, kind="stable")[:most]].tolist())
        made[:] = [(word or "(missing)") if word in kept else "(others)" for word in values]
        return made
    numbers = np.asarray(values, dtype=np.float64)
    known = numbers[~np.isnan(numbers)]
    if not len(known):
        made[:] = "(missing)"
        return made
    quarters = [0.25, 0.5, 0.75]
    at = (
        [quantiles[round(100 * quarter)] for quarter in quarters]
        if quantiles
        else np.quantile(known, quarters)
    )
    cuts = np.unique(at)
    bounds = ["", *(f"{cut:.4g}" for cut in cuts), ""]
    names = [
        f"from {low} to below {high}" if low and high else (f"below {high}" if high else f"from {low}")
        for low, high in pairwise(bounds)
    ]
    made[:] = np.array(names, dtype=object)[np.searchsorted(cuts, numbers, side="right")]
    made[np.isnan(numbers)] = "(missing)"
    return made


def _interval(values: Floats) -> Metric:
    """The first value, with the percentiles of the others."""
    drawn = values[1:][np.isfinite(values[1:])]
    low, high = np.quantile(drawn, [0.025, 0.975]) if len(drawn) else (values[0], values[0])
    value = float(values[0])
    return Metric(value=value, low=min(value, float(low)), high=max(value, float(high)))


def _weights(rows: int, random: np.random.Generator) -> Floats:
    """How often each row occurs [1 + RESAMPLES, rows]; the first line is the rows themselves."""
    drawn = random.multinomial(rows, np.full(rows, 1 / rows), size=RESAMPLES)
    return np.concatenate([np.ones((1, rows)), drawn])


def _means(weights: Floats, values: Floats) -> Floats:
    return np.asarray(weights @ values / weights.shape[1])


def _losses(truth: Ints, probabilities: Floats, random: np.random.Generator) -> dict[str, Metric]:
    means = _means(_weights(len(truth), random), row_losses(truth, probabilities))
    return {name: _interval(means[:, slot]) for slot, name in enumerate(LOSSES)}


def _ranking(truth: Ints, probabilities: Floats, random: np.random.Generator) -> dict[str, Metric]:
    """ROC AUC and average precision: of the second label where there are two, else the macro average."""
    found = _ranks(truth, probabilities, _weights(len(truth), random))
    return {} if found is None else dict(zip(RANKING_METRICS, map(_interval, found), strict=True))


def _ranks(truth: Ints, probabilities: Floats, weights: Floats) -> Floats | None:
    """ROC AUC and average precision per line of weights [2, times]; ``None`` where no label can be ranked."""
    labels = [1] if probabilities.shape[1] == 2 else range(probabilities.shape[1])
    occurring = [label for label in labels if 0 < (truth == label).sum() < len(truth)]
    if not occurring:
        return None
    curves = np.array([_areas(truth == label, probabilities[:, label], weights) for label in occurring])
    return np.asarray(curves.mean(axis=0))


def _areas(positive: NDArray[np.bool_], scores: Floats, weights: Floats) -> Floats:
    """``RANKING_METRICS`` per line of weights [2, times]; equal scores are one level."""
    order = np.argsort(-scores, kind="stable")
    starts = np.flatnonzero(np.concatenate([[True], np.diff(scores[order]) != 0]))
    weights = weights[:, order]
    levels = np.stack(
        [np.add.reduceat(weights * side[order], starts, axis=1) for side in (~positive, positive)], axis=-1
    )
    return np.array([of(levels) for of in RANKING_METRICS.values()])
