"""The deciding metric by groups of rows: a good mean can hide a group that is served badly."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from modelwright.schema.columns import Kind
from modelwright.schema.metrics import Task
from modelwright.train.evaluate import measure
from modelwright.train.report.insight import Segment
from modelwright.train.report.subject import Subject

_COLUMNS = 4
_GROUPS = 5
_LEAST_ROWS = 20


def segments(subject: Subject, ranked: Sequence[str]) -> tuple[Segment, ...]:
    """The metric on groups of the held-out rows, by categories first, then by thirds of numbers.

    Args:
        subject: The winner.
        ranked: Columns, the most important first.
    """
    truth = subject.made.prepared.material.test_target
    if truth is None or subject.task is Task.CLUSTERING:
        return ()
    names = sorted(ranked, key=lambda name: subject.kinds[name].kind not in {Kind.CATEGORICAL, Kind.BOOLEAN})
    found: list[Segment] = []
    columns = 0
    for name in names:
        mine = list(_of_column(subject, name, truth))
        if len(mine) > 1:
            found += mine
            columns += 1
        if columns == _COLUMNS:
            break
    return tuple(found)


def _of_column(subject: Subject, name: str, truth: np.ndarray) -> Iterator[Segment]:
    material, answers = subject.made.prepared.material, subject.made.contest.winner.answers
    for group, rows in _groups(subject, name):
        if rows.sum() < _LEAST_ROWS:
            continue
        metrics = measure(
            material.task, answers.take(rows), truth[rows], seed=material.seed, only=material.metric
        )
        if material.metric in metrics:
            yield Segment(name, group, int(rows.sum()), metrics[material.metric])


def _groups(subject: Subject, name: str) -> Iterator[tuple[str, np.ndarray]]:
    values, kind = subject.made.prepared.held_out[name], subject.kinds[name].kind
    if kind is Kind.BOOLEAN:
        yield "false", values == 0
        yield "true", values == 1
    elif kind is Kind.CATEGORICAL:
        text = values.astype(str)
        names, counts = np.unique(text, return_counts=True)
        for place in np.argsort(-counts, kind="stable")[:_GROUPS]:
            yield str(names[place]) or "(missing)", text == names[place]
    elif kind in {Kind.NUMERIC, Kind.INTEGER} and len(np.unique(values[np.isfinite(values)])) > 2:
        low, high = np.quantile(values[np.isfinite(values)], [1 / 3, 2 / 3])
        yield f"up to {low:.4g}", values <= low
        yield f"{low:.4g} to {high:.4g}", (values > low) & (values <= high)
        yield f"over {high:.4g}", values > high
