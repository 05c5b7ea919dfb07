"""The models of a project: one, or several under ``models:``, each with what concerns it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from modelwright.project.model import Data, Feature, Gate, ModelPart, Online, ProjectFile, Train
from modelwright.schema.metrics import Task

ONLY = "model"
"""Name of a project's model where it has one."""


@dataclass(frozen=True)
class Part:
    """One model to train.

    Attributes:
        name: Its name.
        task: What it does.
        data: Its rows.
        features, train, gate: As in the project file.
        threshold: Binary: the second label is answered from this probability on.
        others: Targets of the project's other models over the same rows, which are dropped where they are
            columns: whoever asks for an answer doesn't know them.
        online: Which of its columns are looked up when a request comes, if any are.
    """

    name: str
    task: Task
    data: Data
    features: dict[str, Feature]
    train: Train
    gate: Gate
    threshold: float | None
    others: tuple[str, ...] = ()
    online: Online | None = None

    def over(self, names: Sequence[str]) -> Part:
        """The same model over a table of these columns."""
        others = [name for name in self.others if name in names]
        drop = list(dict.fromkeys([*self.data.drop, *others]))
        return replace(self, data=self.data.model_copy(update={"drop": drop}), others=())


def parts_of(file: ProjectFile) -> list[Part]:
    """The models of a project, in the order of its file."""
    if not file.models:
        threshold = _threshold(file, ONLY)
        only = Part(ONLY, file.task, file.data, file.features, file.train, file.gate, threshold)
        return [replace(only, online=file.online)]
    data = {name: _data(model, file) for name, model in file.models.items()}
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
        features = {**file.features, **model.features}
        threshold = _threshold(file, name)
        part = Part(name, model.task, own, features, model.train, model.gate, threshold)
        found.append(replace(part, others=tuple(others), online=file.online))
    return found


def _data(model: ModelPart, file: ProjectFile) -> Data:
    """A model's rows: the project's, but for what it says itself."""
    own = {"target": model.target, "drop": model.drop, "split": model.split}
    said = {key: value for key, value in own.items() if value is not None}
    return (model.data or file.data).model_copy(update=said)


def _threshold(file: ProjectFile, name: str) -> float | None:
    wanted = file.serve.threshold
    return wanted.get(name) if isinstance(wanted, dict) else wanted
