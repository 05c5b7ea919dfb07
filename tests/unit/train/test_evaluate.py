"""Metrics are scikit-learn's to the last digit, and their intervals behave as intervals do."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from modelwright.schema.catalogue import METRICS
from modelwright.schema.metrics import Task
from modelwright.train.answers import Answers
from modelwright.train.evaluate import measure


def classified(rows: int, classes: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels, and probabilities that know something of them; some of them tie."""
    generator = np.random.default_rng(seed)
    truth = generator.integers(0, classes, rows)
    truth[:classes] = np.arange(classes)
    score = np.round(generator.normal(size=(rows, classes)) + 2 * np.eye(classes)[truth], 1)
    probabilities = np.exp(score)
    return truth, probabilities / probabilities.sum(axis=1, keepdims=True)


@given(rows=st.integers(12, 80), classes=st.integers(2, 4), seed=st.integers(0, 2**32 - 1))
def test_classification_metrics_equal_scikit_learns(rows, classes, seed):
    """Every metric of a classification, binary and with several classes, is what scikit-learn says."""
    truth, probabilities = classified(rows, classes, seed)
    labels = probabilities.argmax(axis=1)
    found = measure(Task.CLASSIFICATION, Answers(labels=labels, probabilities=probabilities), truth)
    binary = classes == 2
    how = {"average": "binary" if binary else "macro", "zero_division": 0}
    one_hot = np.eye(classes)[truth]
    expected = {
        "accuracy": metrics.accuracy_score(truth, labels),
        "balanced_accuracy": metrics.balanced_accuracy_score(truth, labels),
        "f1": metrics.f1_score(truth, labels, **how),
        "precision": metrics.precision_score(truth, labels, **how),
        "recall": metrics.recall_score(truth, labels, **how),
        "mcc": metrics.matthews_corrcoef(truth, labels),
        "log_loss": metrics.log_loss(truth, probabilities),
        "brier": ((probabilities[:, 1] - truth) ** 2).mean()
        if binary
        else ((probabilities - one_hot) ** 2).sum(axis=1).mean(),
        "roc_auc": metrics.roc_auc_score(truth, probabilities[:, 1])
        if binary
        else metrics.roc_auc_score(truth, probabilities, multi_class="ovr"),
        "average_precision": metrics.average_precision_score(truth, probabilities[:, 1])
        if binary
        else metrics.average_precision_score(one_hot, probabilities),
    }
    assert {name: metric.value for name, metric in found.items()} == pytest.approx(expected, abs=1e-9)
    assert set(found) == set(METRICS[Task.CLASSIFICATION])


@given(rows=st.integers(5, 80), seed=st.integers(0, 2**32 - 1), offset=st.floats(-1e6, 1e6))
def test_regression_metrics_equal_scikit_learns(rows, seed, offset):
    """Every metric of a regression is what scikit-learn says, also far from zero."""
    generator = np.random.default_rng(seed)
    truth = generator.normal(size=rows) + offset
    values = truth + generator.normal(size=rows)
    found = measure(Task.REGRESSION, Answers(values=values), truth)
    assert found["rmse"].value == pytest.approx(metrics.root_mean_squared_error(truth, values))
    assert found["mae"].value == pytest.approx(metrics.mean_absolute_error(truth, values))
    assert found["r2"].value == pytest.approx(metrics.r2_score(truth, values), abs=1e-6)
    assert found["mape"].value == pytest.approx(metrics.mean_absolute_percentage_error(truth, values))
    assert found["median_absolute_error"].value == pytest.approx(metrics.median_absolute_error(truth, values))


@pytest.mark.parametrize(("rows", "classes"), [(30, 3), (300, 2), (20_000, 2)])
def test_intervals_hold_the_value_and_shrink_with_rows(rows, classes):
    """Every interval holds its value, and is the same when drawn again."""
    truth, probabilities = classified(rows, classes, 1)
    answers = Answers(labels=probabilities.argmax(axis=1), probabilities=probabilities)
    found = measure(Task.CLASSIFICATION, answers, truth, seed=7)
    assert all(metric.low <= metric.value <= metric.high for metric in found.values())
    assert found == measure(Task.CLASSIFICATION, answers, truth, seed=7)
    assert found["accuracy"].high - found["accuracy"].low < 4 / np.sqrt(rows)


def test_the_quick_intervals_agree_with_drawing_rows():
    """Drawing counts of kinds of rows gives the interval that drawing rows one by one does."""
    truth, probabilities = classified(400, 2, 3)
    labels = probabilities.argmax(axis=1)
    found = measure(Task.CLASSIFICATION, Answers(labels=labels, probabilities=probabilities), truth, seed=1)
    generator = np.random.default_rng(2)
    picks = [generator.integers(0, 400, 400) for _ in range(600)]
    plain = {
        "f1": [metrics.f1_score(truth[p], labels[p]) for p in picks],
        "roc_auc": [metrics.roc_auc_score(truth[p], probabilities[p, 1]) for p in picks],
        "log_loss": [metrics.log_loss(truth[p], probabilities[p], labels=[0, 1]) for p in picks],
    }
    for name, draws in plain.items():
        low, high = np.quantile(draws, [0.025, 0.975])
        width = high - low
        assert found[name].low == pytest.approx(low, abs=0.2 * width)
        assert found[name].high == pytest.approx(high, abs=0.2 * width)


def test_one_class_has_no_ranking_metric():
    """Where the rows have one class only, ROC AUC and average precision are left out, not made up."""
    answers = Answers(labels=np.zeros(5, dtype=np.int64), probabilities=np.tile([0.9, 0.1], (5, 1)))
    found = measure(Task.CLASSIFICATION, answers, np.zeros(5, dtype=np.int64), seed=1)
    assert "roc_auc" not in found and "average_precision" not in found
    assert found["accuracy"].value == 1.0


def test_clustering_scores_are_scikit_learns():
    """Silhouette, Davies-Bouldin and Calinski-Harabasz, with intervals."""
    generator = np.random.default_rng(0)
    points = np.concatenate([generator.normal(size=(50, 2)), generator.normal(size=(50, 2)) + 5])
    labels = np.repeat([0, 1], 50)
    found = measure(Task.CLUSTERING, Answers(labels=labels), None, matrix=points.astype(np.float32), seed=1)
    assert found["silhouette"].value == pytest.approx(metrics.silhouette_score(points, labels), abs=1e-5)
    assert found["davies_bouldin"].value == pytest.approx(
        metrics.davies_bouldin_score(points, labels), abs=1e-5
    )
    assert found["silhouette"].low < found["silhouette"].value < found["silhouette"].high
