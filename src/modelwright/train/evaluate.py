"""Quality on rows: every metric of the task, with a bootstrap interval where one is asked for.

Names and directions are those of ``schema.catalogue``. Binary F1, precision, recall and average
precision count the second label as positive; with more labels they are macro averages over the
labels, and ROC AUC is one-versus-rest.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from modelwright.schema.catalogue import METRICS
from modelwright.schema.metrics import Metric, Task
from modelwright.train import bootstrap
from modelwright.train.answers import Answers

DEFAULT_METRIC = {Task.CLASSIFICATION: "f1", Task.REGRESSION: "rmse", Task.CLUSTERING: "silhouette"}
_SMALLEST = 1e-15  # a probability of exactly zero would make the log loss infinite
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


def confusion(truth: np.ndarray, labels: np.ndarray, classes: int) -> np.ndarray:
    """int64 [classes, classes]: rows by truth, columns by answer."""
    counts = np.bincount(truth * classes + labels, minlength=classes * classes)
    return np.asarray(counts.reshape(classes, classes))


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
    if only is None or only in _RANKING_METRICS:
        found |= _ranking(probabilities, truth, generator)
    if only is None or only in _LOSSES:
        found |= _losses(probabilities, truth, generator)
    return {name: found[name] for name in METRICS[Task.CLASSIFICATION] if name in found}


def _metric(value: float, draws: np.ndarray | None) -> Metric:
    low, high = (value, value) if draws is None else bootstrap.interval(draws, value)
    return Metric(value=value, low=low, high=high)


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """``part / whole``, 0 where ``whole`` is 0, as scikit-learn's ``zero_division=0``."""
    whole = np.asarray(whole)
    return np.asarray(np.divide(part, whole, out=np.zeros(whole.shape), where=whole > 0))


def _averaged(per_class: np.ndarray, tables: np.ndarray) -> np.ndarray:
    """The positive class's value where there are two, else the mean over classes that occur."""
    if per_class.shape[-1] == 2:
        return per_class[..., 1]
    occurs = (tables.sum(axis=-1) + tables.sum(axis=-2)) > 0
    return np.asarray((per_class * occurs).sum(axis=-1) / occurs.sum(axis=-1))


def _hits(tables: np.ndarray) -> np.ndarray:
    return np.diagonal(tables, axis1=-2, axis2=-1)


def _accuracy(tables: np.ndarray) -> np.ndarray:
    return np.asarray(_hits(tables).sum(axis=-1) / tables.sum(axis=(-2, -1)))


def _recall_per_class(tables: np.ndarray) -> np.ndarray:
    return _ratio(_hits(tables), tables.sum(axis=-1))


def _balanced_accuracy(tables: np.ndarray) -> np.ndarray:
    occurs = tables.sum(axis=-1) > 0
    return np.asarray((_recall_per_class(tables) * occurs).sum(axis=-1) / occurs.sum(axis=-1))


def _precision(tables: np.ndarray) -> np.ndarray:
    return _averaged(_ratio(_hits(tables), tables.sum(axis=-2)), tables)


def _recall(tables: np.ndarray) -> np.ndarray:
    return _averaged(_recall_per_class(tables), tables)


def _f1(tables: np.ndarray) -> np.ndarray:
    both = tables.sum(axis=-1) + tables.sum(axis=-2)
    return _averaged(_ratio(2.0 * _hits(tables), both), tables)


def _mcc(tables: np.ndarray) -> np.ndarray:
    """Matthews' correlation for any number of classes. Source: Gorodkin, 2004."""
    total = tables.sum(axis=(-2, -1)).astype(np.float64)
    truth, said = tables.sum(axis=-1).astype(np.float64), tables.sum(axis=-2).astype(np.float64)
    covariance = _hits(tables).sum(axis=-1) * total - (truth * said).sum(axis=-1)
    spread = (total**2 - (truth**2).sum(axis=-1)) * (total**2 - (said**2).sum(axis=-1))
    return _ratio(covariance, np.sqrt(np.maximum(spread, 0.0)))


LABEL_METRICS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "accuracy": _accuracy,
    "balanced_accuracy": _balanced_accuracy,
    "f1": _f1,
    "precision": _precision,
    "recall": _recall,
    "mcc": _mcc,
}
"""Metrics that need confusion matrices [..., classes, classes] only, vectorised over all of them."""
_LOSSES = ("log_loss", "brier")
_RANKING_METRICS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "roc_auc": bootstrap.roc_auc_of,
    "average_precision": bootstrap.average_precision_of,
}


def _ranking(
    probabilities: np.ndarray, truth: np.ndarray, generator: np.random.Generator | None
) -> dict[str, Metric]:
    classes = probabilities.shape[1]
    positives = [1] if classes == 2 else list(range(classes))
    values: dict[str, list[float]] = {name: [] for name in _RANKING_METRICS}
    draws: dict[str, list[np.ndarray]] = {name: [] for name in _RANKING_METRICS}
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
        for name, of in _RANKING_METRICS.items():
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
        for name in _RANKING_METRICS
    }


def _losses(
    probabilities: np.ndarray, truth: np.ndarray, generator: np.random.Generator | None
) -> dict[str, Metric]:
    """Log loss, and the Brier score (mean squared distance to the truth; of the second label, if two)."""
    given = np.clip(probabilities[np.arange(len(truth)), truth], _SMALLEST, 1.0)
    if probabilities.shape[1] == 2:
        squared = (probabilities[:, 1] - truth) ** 2
    else:
        squared = (probabilities**2).sum(axis=1) + 1.0 - 2.0 * probabilities[np.arange(len(truth)), truth]
    rows = np.column_stack([-np.log(given), squared])
    drawn = None if generator is None else np.maximum(bootstrap.mean_draws(rows, generator), 0.0)
    return {
        name: _metric(float(rows[:, slot].mean()), None if drawn is None else drawn[:, slot])
        for slot, name in enumerate(_LOSSES)
    }


def _regression(
    values: np.ndarray | None, truth: np.ndarray, generator: np.random.Generator | None
) -> dict[str, Metric]:
    assert values is not None  # noqa: S101 - answers of a regression
    error = values - truth
    known = np.abs(truth) > np.finfo(np.float64).eps
    relative = np.divide(np.abs(error), np.abs(truth), out=np.zeros(len(truth)), where=known)
    centre = truth.mean()  # against cancellation where the target is far from zero
    rows = np.column_stack([error**2, np.abs(error), relative, known, truth - centre, (truth - centre) ** 2])
    drawn = None if generator is None else bootstrap.mean_draws(rows, generator)
    means = rows.mean(axis=0)
    found = {
        name: _metric(float(of(means)), None if drawn is None else of(drawn))
        for name, of in _ERROR_METRICS.items()
        if np.isfinite(of(means))
    }
    found["median_absolute_error"] = _median_error(np.abs(error), generator)
    return {name: found[name] for name in METRICS[Task.REGRESSION] if name in found}


def _r2(means: np.ndarray) -> np.ndarray:
    spread = means[..., 5] - means[..., 4] ** 2
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(1.0 - means[..., 0] / np.where(spread > 0, spread, np.nan))


def _mape(means: np.ndarray) -> np.ndarray:
    """Over rows whose truth is not zero."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(means[..., 2] / means[..., 3])


_ERROR_METRICS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "rmse": lambda means: np.sqrt(np.maximum(means[..., 0], 0.0)),
    "mae": lambda means: means[..., 1],
    "r2": _r2,
    "mape": _mape,
}


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
