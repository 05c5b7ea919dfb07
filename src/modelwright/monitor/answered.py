"""Predictions of the log as arrays: the rows as the models saw them, the answers, the confidences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np

from modelwright.bundle.answers import label_names
from modelwright.bundle.format import ModelEntry
from modelwright.bundle.read import Description
from modelwright.schema.metrics import Task
from modelwright.store.records import PredictionRecord

Floats = np.ndarray
ANSWERED = 200


@dataclass(frozen=True)
class Answered:
    """Answered rows, in the order of the log.

    Attributes:
        ids: The predictions'.
        times: When each was answered.
        columns: Column arrays [rows] of the features.
        outputs: What was answered [rows], by model.
    """

    ids: list[str] = field(default_factory=list)
    times: list[datetime] = field(default_factory=list)
    columns: dict[str, np.ndarray] = field(default_factory=dict)
    outputs: dict[str, list[Mapping[str, Any]]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.ids)

    def predictions(self, models: Sequence[ModelEntry]) -> dict[str, np.ndarray]:
        """Each model's answers [rows] as profiles count them: labels as text, values as numbers."""
        made: dict[str, np.ndarray] = {}
        for entry in models:
            given = [output.get("prediction") for output in self.outputs[entry.name]]
            if entry.task is Task.REGRESSION:
                made[entry.name] = np.array([number(value) for value in given], dtype=np.float64)
            else:
                texts = np.empty(len(given), dtype=object)
                texts[:] = ["" if value is None else str(value) for value in given]
                made[entry.name] = texts
        return made

    def confidence(self, models: Sequence[ModelEntry]) -> dict[str, np.ndarray]:
        """Confidence [rows] of each model that tells one; NaN where it did not."""
        return {
            entry.name: np.array(
                [number(output.get("confidence")) for output in self.outputs[entry.name]], dtype=np.float64
            )
            for entry in models
            if entry.task is Task.CLASSIFICATION
        }

    def probabilities(self, entry: ModelEntry) -> np.ndarray | None:
        """[rows, labels] of a classification; ``None`` where a row has none."""
        names = label_names(entry)
        rows = []
        for output in self.outputs[entry.name]:
            told = output.get("probabilities")
            if not isinstance(told, Mapping) or not all(name in told for name in names):
                return None
            rows.append([number(told[name]) for name in names])
        made = np.array(rows, dtype=np.float64).reshape(len(rows), len(names))
        return made if np.isfinite(made).all() else None


def read_answered(description: Description, records: Sequence[PredictionRecord]) -> Answered:
    """Those of ``records`` that were answered and can be read by ``description``'s schema.

    Where the project has a ``derive`` it is told the time of the first row.
    """
    models = description.manifest.models
    usable = [record for record in records if record.status == ANSWERED and isinstance(record.inputs, dict)]
    told = [_outputs(record.outputs, models) for record in usable]
    kept = [(record, outputs) for record, outputs in zip(usable, told, strict=True) if outputs is not None]
    if not kept:
        return Answered()
    reading = description.rows.read([record.inputs for record, _ in kept], now=kept[0][0].time)
    if reading.errors:
        good = np.array(sorted(set(range(len(kept))) - reading.refused), dtype=np.int64)
        kept = [kept[place] for place in good.tolist()]
        columns = {name: values[good] for name, values in reading.columns.items()}
    else:
        columns = dict(reading.columns)
    return Answered(
        ids=[record.id for record, _ in kept],
        times=[record.time for record, _ in kept],
        columns=columns,
        outputs={entry.name: [outputs[entry.name] for _, outputs in kept] for entry in models},
    )


def _outputs(outputs: Any, models: Sequence[ModelEntry]) -> dict[str, Mapping[str, Any]] | None:
    """One answer a model, or ``None`` if it is no answer of these models."""
    if not isinstance(outputs, Mapping):
        return None
    if len(models) == 1:
        return {models[0].name: outputs} if "prediction" in outputs else None
    several = outputs.get("outputs")
    if not isinstance(several, Mapping):
        return None
    found = {entry.name: several.get(entry.name) for entry in models}
    if not all(isinstance(each, Mapping) for each in found.values()):
        return None
    return {name: each for name, each in found.items() if isinstance(each, Mapping)}


def number(value: Any) -> float:
    """A value as a number; NaN where it is none."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else float("nan")
