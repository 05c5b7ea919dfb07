"""A file's rows as column arrays for the comparison with training, with the bundle's answers to them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from modelwright.bundle.format import BundleSchema
from modelwright.bundle.rows import RowReader
from modelwright.cli.rows_in import Row, problem_of
from modelwright.schema.columns import TableSchema
from modelwright.schema.metrics import Task

if TYPE_CHECKING:
    from modelwright.bundle.read import Bundle
    from modelwright.bundle.rows import Reading

_BATCH = 2048
_TOLD = 5


@dataclass
class Collected:
    """What a file held.

    Attributes:
        columns: Column arrays [rows] of the models' features.
        predictions: Each model's answers for the rows that the service would answer: labels as text,
            or numbers.
        rows: Rows compared.
        unreadable: Rows left out because they are none, and what is wrong with the first of them.
        refused: Rows that the service would refuse; they are compared, but not answered.
    """

    columns: dict[str, np.ndarray] = field(default_factory=dict)
    predictions: dict[str, np.ndarray] = field(default_factory=dict)
    rows: int = 0
    unreadable: list[str] = field(default_factory=list)
    left_out: int = 0
    refused: int = 0


def collect(rows: Iterable[Row], bundle: Bundle, *, answer: bool = True) -> Collected:
    """Read every row; where a value is missing or out of bounds, that is what is to be measured."""
    # Rows may come from the log, which keeps an image's name only: whether there was one is compared.
    reader = RowReader(bundle.schema, bundle.rows.derive, logged=True)
    lenient = RowReader(_lenient(bundle.schema), bundle.rows.derive, logged=True)
    reader.joiner = lenient.joiner = bundle.rows.joiner
    found = Collected()
    columns: list[dict[str, np.ndarray]] = []
    predictions: list[dict[str, np.ndarray]] = []
    source = iter(rows)
    while batch := list(islice(source, _BATCH)):
        good = _readable(batch, found)
        if not good:
            continue
        values = [row.values for row in good]
        strict = reader.read(values)
        reading = lenient.read(values) if strict.errors else strict
        kept = _kept(good, reading, found)
        columns.append({name: array[kept] for name, array in reading.columns.items()})
        found.rows += len(kept)
        answered = np.array([place for place in kept.tolist() if place not in strict.refused], dtype=np.int64)
        found.refused += len(kept) - len(answered)
        if answer and len(answered):
            predictions.append(answers(bundle, {name: a[answered] for name, a in strict.columns.items()}))
    found.columns = _joined(columns)
    found.predictions = _joined(predictions)
    return found


def answers(bundle: Bundle, columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Each model's answers [rows] as its profile counts them: labels as text, values as numbers."""
    made: dict[str, np.ndarray] = {}
    for model, given in zip(bundle.models, bundle.answer(columns).values(), strict=True):
        if model.entry.task is Task.REGRESSION:
            made[model.entry.name] = np.array([each.prediction for each in given], dtype=np.float64)
        else:
            made[model.entry.name] = np.array([str(each.prediction) for each in given], dtype=object)
    return made


def _lenient(schema: BundleSchema) -> BundleSchema:
    return msgspec.structs.replace(
        schema, inputs=_without_limits(schema.inputs), features=_without_limits(schema.features)
    )


def _without_limits(schema: TableSchema) -> TableSchema:
    columns = tuple(
        msgspec.structs.replace(column, nullable=True, strict=False, minimum=None, maximum=None)
        for column in schema
    )
    return msgspec.structs.replace(schema, columns=columns)


def _readable(batch: list[Row], found: Collected) -> list[Row]:
    good = []
    for row in batch:
        problem = problem_of(row.values)
        if problem is None:
            good.append(row)
        else:
            _leave_out(found, f"{row.place}: {problem}")
    return good


def _kept(rows: list[Row], reading: Reading, found: Collected) -> np.ndarray:
    told: set[int] = set()
    for error in reading.errors:
        if error.row not in told:
            told.add(error.row)
            where = " ".join(map(str, error.loc[1:]))
            _leave_out(found, f"{rows[error.row].place}: {where}: {error.msg}")
    return np.array([place for place in range(len(rows)) if place not in told], dtype=np.int64)


def _leave_out(found: Collected, problem: str) -> None:
    found.left_out += 1
    if len(found.unreadable) < _TOLD:
        found.unreadable.append(problem)


def _joined(parts: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]} if parts else {}
