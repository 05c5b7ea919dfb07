"""The models of a project: one, or several under ``models:``, each with what concerns it."""

from __future__ import annotations

from dataclasses import dataclass

from modelwright.project.model import Data, Feature, Gate, ProjectFile, Train
from modelwright.schema.metrics import Task

ONLY = "model"
"""Name of a project's model where it has one."""


@dataclass(frozen=True)
class Part:
    """One model to train.

    Attributes:
        name: Its name.
        task: What it does.
        data: Its rows; targets of the project's other models are among the dropped columns, because
            whoever asks for an answer doesn't know them.
        features, train, gate: As in the project file.
        threshold: Binary: the second label is answered from this probability on.
    """

    name: str
    task: Task
    data: Data
    features: dict[str, Feature]
    train: Train
    gate: Gate
    threshold: float | None


def parts_of(file: ProjectFile) -> list[Part]:
    """The models of a project, in the order of its file."""
    if not file.models:
        threshold = _threshold(file, ONLY)
        return [Part(ONLY, file.task, file.data, file.features, file.train, file.gate, threshold)]
    data = {
        name: (model.data or file.data).model_copy(update={"target": model.target} if model.target else {})
        for name, model in file.models.items()
    }
    found = []
    for name, model in file.models.items():
        own = data[name]
        others = [
            other.target
            for key, other in data.items()
            if key != name and other.target and other.target != own.target and other.source == own.source
        ]
        if model.task is Task.CLUSTERING:
            own = own.model_copy(update={"target": None})
        own = own.model_copy(update={"drop": list(dict.fromkeys([*own.drop, *others]))})
        features = {**file.features, **model.features}
        found.append(Part(name, model.task, own, features, model.train, model.gate, _threshold(file, name)))
    return found


def _threshold(file: ProjectFile, name: str) -> float | None:
    wanted = file.serve.threshold
    return wanted.get(name) if isinstance(wanted, dict) else wanted
