"""How the answer moves with one column while the others stay as they are.

Source: Friedman, "Greedy function approximation: a gradient boosting machine", 2001, section 8.2:
the mean answer over rows in which the column was set to one value for all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

import numpy as np

from modelwright.schema.columns import Kind
from modelwright.schema.metrics import Task
from modelwright.train.report.insight import Curve
from modelwright.train.report.subject import Subject

_CURVES = 6
_POINTS = 16
_CATEGORIES = 8
_ROWS = 300
_LABELS = 5
_EDGES = (0.02, 0.98)  # beyond, a few far rows would stretch the picture
_DRAWN = frozenset({Kind.NUMERIC, Kind.INTEGER, Kind.BOOLEAN, Kind.CATEGORICAL})


def curves(subject: Subject, ranked: Sequence[str]) -> tuple[Curve, ...]:
    """Curves of the first columns of ``ranked`` that can be drawn; none for a clustering."""
    if subject.task is Task.CLUSTERING:
        return ()
    positions = _some_rows(subject)
    found = (_curve(subject, name, positions) for name in ranked if subject.kinds[name].kind in _DRAWN)
    return tuple(islice((curve for curve in found if curve is not None), _CURVES))


def _some_rows(subject: Subject) -> np.ndarray:
    total = len(subject.made.prepared.held_out_rows)
    generator = np.random.default_rng(subject.made.prepared.material.seed)
    return np.sort(generator.permutation(total)[:_ROWS])


def _curve(subject: Subject, name: str, positions: np.ndarray) -> Curve | None:
    values = subject.made.prepared.held_out[name]
    points: Sequence[float | str] = _grid(values) if values.dtype.kind == "f" else _categories(values)
    if len(points) < 2:
        return None
    columns = subject.rows(positions)
    means = []
    for point in points:
        same = np.full(len(positions), point, dtype=values.dtype)
        answers = subject.answers({**columns, name: same})
        scores = answers.values if answers.probabilities is None else answers.probabilities
        assert scores is not None  # noqa: S101 - one of them is what a supervised model answers
        means.append(scores.mean(axis=0))
    return Curve(name, tuple(points), _by_label(subject, np.array(means)))


def _by_label(subject: Subject, means: np.ndarray) -> dict[str, tuple[float, ...]]:
    if subject.task is Task.REGRESSION:
        return {"": tuple(means.tolist())}
    names = subject.names
    labels = [1] if len(names) == 2 else range(min(len(names), _LABELS))
    return {names[label]: tuple(means[:, label].tolist()) for label in labels}


def _grid(values: np.ndarray) -> Sequence[float | str]:
    known = values[np.isfinite(values)]
    if not len(known):
        return []
    distinct = np.unique(known)
    if len(distinct) > _POINTS:
        low, high = np.quantile(known, _EDGES)
        distinct = np.linspace(low, high, _POINTS) if low < high else np.unique([low, high])
    return [float(value) for value in distinct]


def _categories(values: np.ndarray) -> Sequence[float | str]:
    names, counts = np.unique(values.astype(str), return_counts=True)
    order = np.argsort(-counts, kind="stable")
    return [str(names[place]) for place in order if names[place]][:_CATEGORIES]
