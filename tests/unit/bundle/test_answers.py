"""Outputs of a graph to answers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from modelwright.bundle.answers import Answer, Answerer, called
from modelwright.bundle.format import ModelEntry
from modelwright.schema.metrics import Parity, Task


def answerer(task: Task, **more: Any) -> Answerer:
    parity = Parity(rows=1, labels_differ=0, max_difference=0.0)
    return Answerer(ModelEntry(name="m", task=task, file="m.onnx", estimator="e", parity=parity, **more))


def shares(*rows: list[float]) -> np.ndarray:
    return np.array(rows, dtype=np.float32)


def test_a_class_is_answered_by_the_label_as_the_data_holds_it() -> None:
    """With its name, its probability, and all probabilities by name."""
    answers = answerer(Task.CLASSIFICATION, labels=(0, 1), label_names=("honest", "fraud"))
    assert answers([np.array([1]), shares([0.25, 0.75])]) == [
        Answer(1, "fraud", 0.75, {"honest": 0.25, "fraud": 0.75})
    ]


def test_names_default_to_the_labels_and_are_told_apart() -> None:
    """Two labels of one name keep both their probabilities."""
    answers = answerer(Task.CLASSIFICATION, labels=(False, True))
    assert answers.names == ("false", "true")
    answers = answerer(Task.CLASSIFICATION, labels=(1, 2), label_names=("x", "x"))
    assert answers.names == ("x (1)", "x (2)")


@pytest.mark.parametrize(
    ("task", "given", "names"),
    [
        (Task.CLASSIFICATION, {"labels": (False, True)}, {"False": "false", "True": "true"}),
        (Task.CLASSIFICATION, {"labels": (7, 8), "label_names": ("a", "b")}, {"7": "a", "8": "b"}),
        (Task.CLUSTERING, {"label_names": ("low", "high")}, {"0": "low", "1": "high"}),
        (Task.CLUSTERING, {"label_names": ("same", "same")}, {"0": "same (0)", "1": "same (1)"}),
        (Task.CLUSTERING, {}, {}),
        (Task.REGRESSION, {}, {}),
    ],
)
def test_names_are_found_by_how_labels_are_spelled(task: Task, given: Any, names: dict[str, str]) -> None:
    """Of classes and of clusters, which have numbers only; a regression has none."""
    parity = Parity(rows=1, labels_differ=0, max_difference=0.0)
    entry = ModelEntry(name="m", task=task, file="m.onnx", estimator="e", parity=parity, **given)
    assert called(entry) == names


def test_a_threshold_decides_a_binary_answer() -> None:
    """The second label from that probability on."""
    answers = answerer(Task.CLASSIFICATION, labels=("no", "yes"), threshold=0.2)
    got = answers([np.array([0, 0]), shares([0.8, 0.2], [0.9, 0.1])])
    assert [answer.prediction for answer in got] == ["yes", "no"]
    assert got[0].confidence == np.float32(0.2)


def test_values_and_clusters() -> None:
    """A regression answers a number, a clustering the cluster's."""
    assert answerer(Task.REGRESSION)([np.array([1.5])]) == [Answer(1.5)]
    assert answerer(Task.CLUSTERING)([np.array([2]), shares([1, 1, 0])]) == [Answer(2)]
    named = answerer(Task.CLUSTERING, label_names=("a", "b", "c"))
    assert named([np.array([2]), shares([1, 1, 0])]) == [Answer(2, "c")]
