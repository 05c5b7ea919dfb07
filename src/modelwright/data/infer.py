"""Infers the schema of a table: each column's kind, range and categories, and which ones are left out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import msgspec
import numpy as np
import pyarrow as pa

from modelwright.data.arrays import as_text, column_array, filled_cells, is_filled, target_labels
from modelwright.data.cells import boolean_pair, cells, date_form
from modelwright.data.faults import ColumnMissing, ColumnNested
from modelwright.data.kinds import Finding, is_nested, is_string, looks_like_saved_index, recognise
from modelwright.project.model import Data, Feature
from modelwright.schema.columns import Column, Kind, Scalar, TableSchema
from modelwright.schema.metrics import Task

_NEVER_FEATURES = {
    Kind.CONSTANT: "it has one value only",
    Kind.IDENTIFIER: "it differs in every row, so it says nothing of others",
}
_NUMBERS = frozenset({Kind.NUMERIC, Kind.INTEGER})
_RANGED = frozenset({Kind.NUMERIC, Kind.INTEGER, Kind.DATETIME})


class Ignored(NamedTuple):
    """A column that is no feature, and why.

    Attributes:
        name: Column name.
        kind: What it holds; ``None`` for nested values.
        reason: One word for programs: ``constant``, ``identifier``, ``nested``, ``dropped``, ``id``,
            ``index``.
        why: The same for people.
    """

    name: str
    kind: Kind | None
    reason: str
    why: str


class Inferred(NamedTuple):
    """What a table's columns are.

    Attributes:
        schema: Feature columns in the table's order, the target, the identifier.
        ignored: The other columns, in the table's order.
        declared: What the project says of feature columns.
        ambiguous: Date columns in which day and month could be the other way round.
    """

    schema: TableSchema
    ignored: tuple[Ignored, ...]
    declared: dict[str, Feature]
    ambiguous: tuple[str, ...] = ()


def infer_schema(table: pa.Table, data: Data, features: Mapping[str, Feature], task: Task) -> Inferred:
    """Infer what each column of ``table`` holds; what the project declares wins.

    Raises:
        ColumnMissing: The project names a column (target, id, drop, split or feature) that is not there.
        ColumnNested: It names one that holds lists or bytes.
    """
    _check_names(table, data, features)
    columns: list[Column] = []
    ignored: list[Ignored] = []
    ambiguous: list[str] = []
    for name in table.column_names:
        if name == data.target:
            continue
        declared = features.get(name, Feature())
        found = recognise(name, table.column(name))
        reason = _reason_to_ignore(name, found, declared, data)
        if reason is not None:
            ignored.append(reason)
            continue
        columns.append(_column(name, table.column(name), found, declared))
        if found.ambiguous:
            ambiguous.append(name)
    identifier = data.id or next((item.name for item in ignored if item.reason == "identifier"), None)
    target = _target(table, data.target, task) if data.target is not None else None
    others = tuple(item.name for item in ignored if item.name != identifier)
    schema = TableSchema(columns=tuple(columns), target=target, identifier=identifier, ignored=others)
    kept = {name: feature for name, feature in features.items() if name in schema.names}
    return Inferred(schema, tuple(ignored), kept, tuple(ambiguous))


def _check_names(table: pa.Table, data: Data, features: Mapping[str, Feature]) -> None:
    names = table.column_names
    uses = [(data.target, "the target"), (data.id, "the identifier"), (data.weight, "the weight")]
    uses += [(name, "one to drop") for name in data.drop]
    uses += [(data.split.by_time, "the time to split by"), (data.split.by_group, "the group to split by")]
    uses += [(name, "a feature") for name in features]
    for name, use in uses:
        if name is None:
            continue
        if name not in names:
            raise ColumnMissing(name, use, names)
        if name not in data.drop and is_nested(table.column(name)):
            raise ColumnNested(name, use)


def _reason_to_ignore(name: str, found: Finding, declared: Feature, data: Data) -> Ignored | None:
    kind = declared.kind or found.kind
    if name in data.drop:
        return Ignored(name, kind, "dropped", "the project drops it")
    if name == data.id:
        return Ignored(name, kind, "id", "it identifies the rows")
    if name == data.weight:
        return Ignored(name, kind, "weight", "it says how much the rows count")
    if declared.kind is None and looks_like_saved_index(name) and found.kind is Kind.IDENTIFIER:
        return Ignored(name, kind, "index", "it holds the row numbers of a program that saved the table")
    if kind is None:
        return Ignored(name, None, "nested", "its cells are lists or bytes, not single values")
    why = _NEVER_FEATURES.get(kind)
    return None if why is None else Ignored(name, kind, kind.value, why)


def _column(name: str, values: pa.ChunkedArray, found: Finding, declared: Feature) -> Column:
    kind = declared.kind or found.kind
    assert kind is not None  # noqa: S101 - nested columns were left out before
    form = found.form
    if kind is Kind.DATETIME and found.kind is not Kind.DATETIME and is_string(values):
        form = date_form(cells(values).values[:5000], 0.0) or ""
    column = Column(
        name=name,
        kind=kind,
        strict=declared.strict,
        description=declared.description,
        unit=declared.unit,
        minimum=declared.min,
        maximum=declared.max,
        form=form,
        transform=(declared.transform or "") if kind in _NUMBERS else "",
    )
    column = msgspec.structs.replace(column, categories=_categories(values, column, declared))
    return _observe(column, values, declared)


def _categories(values: pa.ChunkedArray, column: Column, declared: Feature) -> tuple[str, ...]:
    if column.kind is Kind.BOOLEAN:
        if not is_string(values):
            return ("false", "true") if pa.types.is_boolean(values.type) else ("0", "1")
        return boolean_pair(cells(values).values) or ("false", "true")
    if column.kind is not Kind.CATEGORICAL:
        return ()
    if declared.categories is not None:
        return tuple(sorted(declared.categories))
    return tuple(sorted(cells(as_text(values)).values.to_pylist()))


def _observe(column: Column, values: pa.ChunkedArray, declared: Feature) -> Column:
    """Add the range, whether cells are missing, and an example, as the cells show them."""
    array, misfits = column_array(values, column)
    filled = filled_cells(array)
    nullable = not bool((filled | misfits).all()) if declared.nullable is None else declared.nullable
    if column.kind is Kind.IMAGE:
        # A path is no example of what is sent; and without an image there is an answer still.
        missing_too = declared.nullable is not False
        return msgspec.structs.replace(column, nullable=missing_too)
    low = high = None
    if column.kind in _RANGED and filled.any():
        known = array[filled]
        moments = array.dtype.kind == "M"
        known = known.astype(np.int64) / 1e6 if moments else known[np.isfinite(known)]
        if len(known):
            low, high = float(known.min()), float(known.max())
    first = int(np.argmax(filled)) if filled.any() else None
    example = None if first is None else _example(array[first], column)
    return msgspec.structs.replace(
        column, nullable=nullable, observed_min=low, observed_max=high, example=example
    )


def _example(value: object, column: Column) -> Scalar | None:
    if isinstance(value, np.datetime64):
        return f"{value.astype('datetime64[s]')}Z"
    if isinstance(value, str):
        return value
    number = float(value)  # type: ignore[arg-type]
    if not np.isfinite(number):
        return None
    if column.kind is Kind.BOOLEAN:
        return bool(number)
    return int(number) if column.kind is Kind.INTEGER and number.is_integer() else number


def _target(table: pa.Table, name: str, task: Task) -> Column:
    values = table.column(name)
    nullable = not bool(is_filled(values).all())
    if task is not Task.CLASSIFICATION:
        kind = Kind.INTEGER if pa.types.is_integer(values.type) else Kind.NUMERIC
        return _observe(Column(name=name, kind=kind), values, Feature())
    kind = (
        Kind.BOOLEAN
        if pa.types.is_boolean(values.type)
        else Kind.CATEGORICAL
        if is_string(values)
        else Kind.INTEGER
    )
    known = values.filter(pa.array(is_filled(values)))
    labels = target_labels(known)[0] if len(known) else ()
    return Column(
        name=name,
        kind=kind,
        nullable=nullable,
        categories=tuple(str(label) for label in labels) if len(labels) <= 1000 else (),
        example=labels[0] if labels else None,
    )
