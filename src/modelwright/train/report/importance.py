"""Which columns a model lives by: how much worse it gets when one of them is shuffled.

Source: Breiman, "Random Forests", 2001, section 10; here on held-out rows and through the exported
model, encoder included, so that a column counts as a whole however it is encoded.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from modelwright.bundle.encode import ColumnArrays
from modelwright.schema.metrics import Task
from modelwright.train.evaluate import higher_is_better, measure
from modelwright.train.report.subject import Subject

_REPEATS = 5
_ANSWERS = 200_000  # rows answered in all: bounds the time whatever the number of columns
_MOST_ROWS = 2_000
_LEAST_ROWS = 30


@dataclass(frozen=True)
class Importance:
    """How much the deciding metric loses without a column.

    Attributes:
        column: Its name.
        loss: Mean over the shuffles; negative where the model is better without it.
        spread: Standard deviation over the shuffles.
    """

    column: str
    loss: float
    spread: float


def importances(subject: Subject) -> list[Importance]:
    """The model's columns, the most important first; empty for a clustering."""
    material = subject.made.prepared.material
    truth = material.test_target
    if truth is None or material.task is Task.CLUSTERING:
        return []
    names = subject.encoder.names
    most = max(_LEAST_ROWS, min(_MOST_ROWS, _ANSWERS // max(1, len(names) * _REPEATS)))
    generator = np.random.default_rng(material.seed)
    rows = np.sort(generator.permutation(len(truth))[:most])
    columns = subject.rows(rows)
    sign = 1.0 if higher_is_better(material.task, material.metric) else -1.0

    def score(changed: ColumnArrays) -> float:
        answers = subject.answers(changed)
        found = measure(material.task, answers, truth[rows], only=material.metric).get(material.metric)
        return float("nan") if found is None else sign * found.value

    whole = score(columns)
    # Drawn beforehand, in one order, so that the figures do not depend on the number of cores.
    shuffles = [(name, generator.permutation(len(rows))) for name in names for _ in range(_REPEATS)]
    with ThreadPoolExecutor(max_workers=material.cores) as pool:
        losses = whole - np.array(
            list(pool.map(lambda one: score({**columns, one[0]: columns[one[0]][one[1]]}), shuffles))
        ).reshape(len(names), _REPEATS)
    found = [
        Importance(name, float(np.mean(lost)), float(np.std(lost)))
        for name, lost in zip(names, losses, strict=True)
    ]
    return sorted((one for one in found if np.isfinite(one.loss)), key=lambda one: -one.loss)
