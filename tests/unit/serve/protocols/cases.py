"""Schemas, bundles' model entries and outcomes that the protocols' tests share."""

from __future__ import annotations

from typing import Any

from modelwright.bundle.answers import Answer
from modelwright.bundle.format import ModelEntry
from modelwright.schema.columns import Column, Kind, TableSchema
from modelwright.schema.metrics import Parity, Task
from modelwright.serve.protocols.call import Outcome

NUMBERS = TableSchema(
    columns=(
        Column(name="length (cm)", kind=Kind.NUMERIC),
        Column(name="age", kind=Kind.INTEGER, nullable=True),
    ),
    identifier="key",
    target=Column(name="species", kind=Kind.CATEGORICAL),
)
MIXED = TableSchema(
    columns=(
        Column(name="a", kind=Kind.NUMERIC),
        Column(name='b "q" ü', kind=Kind.CATEGORICAL, categories=("x", "y"), nullable=True),
        Column(name="photo", kind=Kind.IMAGE, nullable=True),
    )
)
PARITY = Parity(rows=1, labels_differ=0, max_difference=0.0)


def classifier(
    name: str = "model", labels: tuple[Any, ...] = (0, 1), names: tuple[str, ...] = ()
) -> ModelEntry:
    return ModelEntry(
        name=name,
        task=Task.CLASSIFICATION,
        file=f"{name}.onnx",
        estimator="e",
        labels=labels,
        label_names=names,
        parity=PARITY,
    )


def regressor(name: str = "model") -> ModelEntry:
    return ModelEntry(name=name, task=Task.REGRESSION, file=f"{name}.onnx", estimator="e", parity=PARITY)


def clustering(name: str = "model") -> ModelEntry:
    return ModelEntry(name=name, task=Task.CLUSTERING, file=f"{name}.onnx", estimator="e", parity=PARITY)


def outcome(id: str = "p1", warnings: tuple[Any, ...] = (), **answers: Answer) -> Outcome:
    given = answers or {"model": Answer(1, "one", 0.75, {"zero": 0.25, "one": 0.75})}
    return Outcome(id=id, version=3, answers=given, latency=0.001, warnings=warnings)
