"""Quality on rows: every metric of the task, with a bootstrap interval where one is asked for.

What each metric is stands in ``monitor.formulas``; here are the intervals. Rows are resampled by
counts where that is enough, so that they cost the same for a million rows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from modelwright.monitor.formulas import (
    ERROR_METRICS,
    LABEL_METRICS,
    LOSSES,
    RANKING_METRICS,
    confusion,
    row_errors,
    row_losses,
)
from modelwright.schema.catalogue import METRICS
from modelwright.schema.metrics import Metric, Task
from modelwright.train import bootstrap
from modelwright.train.answers import Answers

DEFAULT_METRIC = {Task.CLASSIFICATION: "f1", Task.REGRESSION: "rmse", Task.CLUSTERING: "silhouette"}
_CLUSTER_ROWS = 2_000  # distances between all pairs: quadratic
_CLUSTER_TIMES = 100
_SEVERAL_CLASSES = 128  # levels per class where ranking metrics are averaged over classes


def higher_is_better(task: Task, metric: str) -> bool:
    """The direction of a metric."""
    return METRICS[task][metric].higher_is_better


def default_metric(task: Task) -> str:
    """What picks the winner where the project file doesn't say."""
    return DEFAULT_METRIC[task]


def measure(
    task: Task,
    answers: Answers,
    truth: np.ndarray | None,
    *,
    matrix: Any = None,
    seed: int | None = None,
    only: str | None = None,
) -> dict[str, Metric]:
    """Every metric of the task.

    Args:
        task: What was asked.
        answers: What the model said of the rows.
        truth: Label indices (int64) or target values (float64); ``None`` for clustering.
        matrix: Clustering: the rows themselves.
        seed: Of the bootstrap; ``None`` leaves the intervals at the value.
        only: A metric that is enough; others may be left out, where that saves time.

    Returns:
        Metrics by name; one that is undefined on these rows (ROC AUC where they have one class) is
        left out.
    """
    generator = None if seed is None else np.random.default_rng(seed)
    if task is Task.CLUSTERING:
        return _clustering(answers.labels, matrix, generator)
    assert truth is not None  # noqa: S101 - only a clustering has none
    if task is Task.REGRESSION:
        return _regression(answers.values, truth, generator)
    return _classification(answers, truth, generator, only)


def _classification(
    answers: Answers, truth: np.ndarray, generator: np.random.Generator | None, only: str | None
) -> dict[str, Metric]:
    labels, probabilities = answers.labels, answers.probabilities
    assert labels is not None and probabilities is not None  # noqa: S101 - answers of a classifier
    classes = probabilities.shape[1]
    table = confusion(truth, labels, classes)
    drawn = None if generator is None else bootstrap.confusion_draws(table, generator)
    found = {
        name: _metric(float(of(table)), None if drawn is None else of(drawn))
        for name, of in LABEL_METRICS.items()
    }
    if only is None or only in RANKING_METRICS:
        found |= _ranking(probabilities, truth, generator)
    if only is None or only in LOSSES:
        found |= _losses(probabilities, truth, generator)
    return {name: found[name] for name in METRICS[Task.CLASSIFICATION] if name in found}


def _metric(value: float, draws: np.ndarray | None) -> Metric:
    low, high = (value, value) if draws is None else bootstrap.interval(draws, value)
    return Metric(value=value, low=low, high=high)


def _ranking(
    probabilities: np.ndarray, truth: np.ndarray, generator: np.random.Generator | None
) -> dict[str, Metric]:
    classes = probabilities.shape[1]
    positives = [1] if classes == 2 else list(range(classes))
    values: dict[str, list[float]] = {name: [] for name in RANKING_METRICS}
    draws: dict[str, list[np.ndarray]] = {name: [] for name in RANKING_METRICS}
    for label in positives:
        positive = truth == label
        if positive.all() or not positive.any():
            if classes == 2:
                return {}
            continue
        exact = bootstrap.level_counts(probabilities[:, label], positive, levels=len(truth))
        drawn = None
        if generator is not None:
            levels = bootstrap.LEVELS if classes == 2 else _SEVERAL_CLASSES
            coarse = bootstrap.level_counts(probabilities[:, label], positive, levels)
            drawn = bootstrap.level_draws(coarse, generator)
        for name, of in RANKING_METRICS.items():
            values[name].append(float(of(exact)))
            if drawn is not None:
                # Coarse levels shift the value a little: the draws say how far it moves around it.
                draws[name].append(of(drawn) - float(of(coarse)) + values[name][-1])
    if not values["roc_auc"]:
        return {}
    return {
        name: _metric(float(np.mean(values[name])), np.minimum(np.mean(draws[name], axis=0), 1.0))
        if draws[name]
        else _metric(float(np.mean(values[name])), None)
        for name in RANKING_METRICS
    }


def _losses(
    probabilities: np.ndarray, truth: np.ndarray, generator: np.random.Generator | None
) -> dict[str, Metric]:
    rows = row_losses(truth, probabilities)
    drawn = None if generator is None else np.maximum(bootstrap.mean_draws(rows, generator), 0.0)
    return {
        name: _metric(float(rows[:, slot].mean()), None if drawn is None else drawn[:, slot])
        for slot, name in enumerate(LOSSES)
    }


def _regression(
    values: np.ndarray | None, truth: np.ndarray, generator: np.random.Generator | None
) -> dict[str, Metric]:
    assert values is not None  # noqa: S101 - answers of a regression
    rows = row_errors(truth, values)
    drawn = None if generator is None else bootstrap.mean_draws(rows, generator)
    means = rows.mean(axis=0)
    found = {
        name: _metric(float(of(means)), None if drawn is None else of(drawn))
        for name, of in ERROR_METRICS.items()
        if np.isfinite(of(means))
    }
    found["median_absolute_error"] = _median_error(np.abs(values - truth), generator)
    return {name: found[name] for name in METRICS[Task.REGRESSION] if name in found}


def _median_error(errors: np.ndarray, generator: np.random.Generator | None) -> Metric:
    """The median with the distribution-free interval of order statistics.

    A resampled median is the order statistic whose rank is binomial, so the ranks are drawn, not rows.
    """
    ordered = np.sort(errors)
    value = float(np.median(ordered))
    if generator is None:
        return _metric(value, None)
    ranks = generator.binomial(len(ordered), 0.5, size=bootstrap.RESAMPLES)
    return _metric(value, ordered[np.minimum(ranks, len(ordered) - 1)])


def _clustering(
    labels: np.ndarray | None, matrix: Any, generator: np.random.Generator | None
) -> dict[str, Metric]:
    """Scores of a clustering on (at most ``_CLUSTER_ROWS`` of) the rows it was not made from."""
    from sklearn import metrics

    assert labels is not None  # noqa: S101 - answers of a clustering
    rows = np.random.default_rng(0).permutation(len(labels))[:_CLUSTER_ROWS]
    rows.sort()
    points, labels = matrix[rows], labels[rows]
    points = points.toarray() if hasattr(points, "toarray") else points
    found = len(np.unique(labels))
    if not 1 < found < len(labels):
        return {}
    each = metrics.silhouette_samples(points, labels).astype(np.float64)
    drawn = None if generator is None else bootstrap.mean_draws(each[:, None], generator)[:, 0]
    scores = {"silhouette": _metric(float(each.mean()), drawn)}
    for name, of in (
        ("davies_bouldin", metrics.davies_bouldin_score),
        ("calinski_harabasz", metrics.calinski_harabasz_score),
    ):
        draws = None
        if generator is not None:
            draws = bootstrap.row_draws(
                lambda some, of=of: _of_several(of, points[some], labels[some]),  # type: ignore[misc]
                len(labels),
                generator,
                times=_CLUSTER_TIMES,
            )
        scores[name] = _metric(float(of(points, labels)), draws)
    return scores


def _of_several(of: Callable[..., float], points: np.ndarray, labels: np.ndarray) -> float:
    return float(of(points, labels)) if len(np.unique(labels)) > 1 else float("nan")
