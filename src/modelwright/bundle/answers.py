"""What a model answers for one row, and how a graph's outputs become that."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from modelwright.bundle.format import ModelEntry
from modelwright.schema.columns import Scalar
from modelwright.schema.metrics import Task


class Answer(msgspec.Struct, omit_defaults=True):
    """One model's answer for one row.

    Attributes:
        prediction: The label as the target column holds it; the value; or the cluster's number.
        prediction_name: What people call the label; ``None`` for a regression.
        confidence: Probability of the label answered; ``None`` where there are no probabilities.
        probabilities: Probability by label name; ``None`` where there are none.
        score: Probability of the second label, where a threshold decides.
        threshold: The second label is answered from this score on.
    """

    prediction: Scalar
    prediction_name: str | None = None
    confidence: float | None = None
    probabilities: dict[str, float] | None = None
    score: float | None = None
    threshold: float | None = None


class Answerer:
    """Turns the output arrays of one model's graph into answers.

    ``outputs`` are in the order of the graph: ``[label, probabilities]``, ``[value]`` or
    ``[label, distances]``.
    """

    def __init__(self, entry: ModelEntry) -> None:
        self.entry = entry
        self.names = label_names(entry)
        self._labels = entry.labels
        self._threshold = entry.threshold

    def __call__(self, outputs: Sequence[np.ndarray]) -> list[Answer]:
        """One answer a row."""
        if self.entry.task is Task.CLASSIFICATION:
            classes = self._classes if self._threshold is None else self._decisions
            return classes(outputs[0], outputs[1])
        if self.entry.task is Task.REGRESSION:
            return [Answer(value) for value in outputs[0].tolist()]
        return [Answer(cluster, self._cluster_name(cluster)) for cluster in outputs[0].tolist()]

    def picks(self, labels: np.ndarray, probabilities: np.ndarray) -> list[int]:
        """The index of the label answered for each row, by threshold where there is one."""
        if self._threshold is None:
            picked: list[int] = labels.tolist()
        else:
            picked = (probabilities[:, 1] >= np.float32(self._threshold)).astype(int).tolist()
        return picked

    def _decisions(self, labels: np.ndarray, probabilities: np.ndarray) -> list[Answer]:
        names, values, threshold = self.names, self._labels, self._threshold
        return [
            Answer(
                values[pick], names[pick], row[pick], dict(zip(names, row, strict=True)), row[1], threshold
            )
            for pick, row in zip(self.picks(labels, probabilities), probabilities.tolist(), strict=True)
        ]

    def _classes(self, labels: np.ndarray, probabilities: np.ndarray) -> list[Answer]:
        names = self.names
        values = self._labels
        return [
            Answer(values[pick], names[pick], row[pick], dict(zip(names, row, strict=True)))
            for pick, row in zip(self.picks(labels, probabilities), probabilities.tolist(), strict=True)
        ]

    def _cluster_name(self, cluster: int) -> str | None:
        return self.names[cluster] if cluster < len(self.names) else None


def label_names(entry: ModelEntry) -> tuple[str, ...]:
    """What people call each label: the given names, else the labels as text, told apart if equal."""
    names = entry.label_names or tuple(_as_text(label) for label in entry.labels)
    if len(set(names)) == len(names):
        return names
    labels = entry.labels or range(len(names))  # clusters are called by their numbers
    return tuple(f"{name} ({_as_text(label)})" for name, label in zip(names, labels, strict=True))


def called(entry: ModelEntry) -> dict[str, str]:
    """What people call each label, or each cluster, by how it is spelled; nothing for a regression."""
    names = label_names(entry)
    labels = entry.labels or range(len(names))
    return {str(label): name for label, name in zip(labels, names, strict=True)}


def _as_text(label: Scalar) -> str:
    if isinstance(label, bool):
        return "true" if label else "false"
    return str(label)
