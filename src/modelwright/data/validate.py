"""Says what is wrong with a table before anything is trained on it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from modelwright.data.arrays import (
    as_text,
    column_array,
    filled_cells,
    is_filled,
    labelled_rows,
    target_values,
)
from modelwright.data.cells import cells
from modelwright.data.findings import Finding, Report, Severity, located, mistake
from modelwright.data.giveaway import find_give_aways
from modelwright.data.infer import Inferred
from modelwright.data.targets import LARGEST, target_findings
from modelwright.project.model import Data, Feature
from modelwright.schema.columns import Column, Kind
from modelwright.schema.metrics import Task

FEWEST_ROWS = 10
_CORRECT = "Correct the rows, or the limits under features."
_KIND_WORDS = {
    Kind.NUMERIC: "number",
    Kind.INTEGER: "whole number",
    Kind.BOOLEAN: "true or false",
    Kind.DATETIME: "date or time",
}


def validate(table: pa.Table, inferred: Inferred, data: Data, task: Task) -> Report:
    """Check every column, the target and the identifier.

    Returns:
        What was found; call its ``raise_errors`` to stop on errors.
    """
    findings = [*_table_findings(table, inferred), *_identifier_findings(table, data)]
    arrays: dict[str, np.ndarray] = {}
    for column in inferred.schema:
        values = table.column(column.name)
        array, misfits = column_array(values, column)
        arrays[column.name] = array
        declared = inferred.declared.get(column.name, Feature())
        findings += _column_findings(column, values, array, misfits, declared)
    findings += [_ambiguous(name) for name in inferred.ambiguous]
    unlabelled = 0
    if inferred.schema.target is not None:
        found, unlabelled = target_findings(table, inferred.schema.target, task)
        findings += found
        if not any(item.severity is Severity.ERROR for item in found):
            findings += _give_aways(table, inferred, arrays, task)
    findings.sort(key=lambda item: item.severity is not Severity.ERROR)
    return Report(findings=tuple(findings), rows=table.num_rows, unlabelled=unlabelled)


def _table_findings(table: pa.Table, inferred: Inferred) -> Iterator[Finding]:
    if table.num_rows < FEWEST_ROWS:
        yield mistake(
            "few_rows", f"The data has {table.num_rows} rows; at least {FEWEST_ROWS} are needed.", "Add rows."
        )
    if not inferred.schema.columns:
        reasons = "; ".join(f"{item.name!r}: {item.why}" for item in inferred.ignored)
        yield mistake(
            "no_features",
            f"No column is left to learn from ({reasons or 'there is only the target'}).",
            "Add columns, or set the kind of one under features in the project file.",
        )


def _identifier_findings(table: pa.Table, data: Data) -> Iterator[Finding]:
    if data.id is None:
        return
    values = table.column(data.id)
    found = cells(as_text(values))
    missing = found.codes < 0
    twice = ~missing & found.spread(found.counts > 1, False).astype(np.bool_)
    if twice.any():
        copies = found.filled - len(found.values)
        yield located(
            "duplicate_id",
            data.id,
            twice,
            values=values,
            sentence=f"Column {data.id!r} is the identifier, but {copies:,} of its values repeat another.",
            remedy="Remove the repeated rows, or name another column as data.id.",
        )
    if missing.any():
        yield located(
            "missing_id",
            data.id,
            missing,
            severity=Severity.WARNING,
            sentence=f"The identifier {data.id!r} is missing in some rows.",
        )


def _column_findings(
    column: Column,
    values: pa.ChunkedArray,
    array: np.ndarray,
    misfits: NDArray[np.bool_],
    declared: Feature,
) -> Iterator[Finding]:
    if misfits.any():
        yield _misfit(column, values, misfits)
    if array.dtype.kind == "f":
        yield from _number_findings(column, values, array, declared)
    if declared.categories is not None and column.kind is Kind.CATEGORICAL:
        found = cells(as_text(values))
        known = pc.is_in(found.values, value_set=pa.array(declared.categories, found.values.type))
        unknown = found.spread(~known.to_numpy(zero_copy_only=False), False).astype(np.bool_)
        if unknown.any():
            yield located(
                "unknown_category",
                column.name,
                unknown,
                values=values,
                sentence=f"Column {column.name!r} holds values that are not among its declared categories.",
                remedy="Add them to the feature's categories, or correct the rows.",
            )
    if declared.nullable is False and (empty := ~filled_cells(array)).any():
        yield located(
            "missing_value",
            column.name,
            empty,
            sentence=f"Column {column.name!r} is declared as never missing, but is.",
            remedy="Fill the cells, or declare nullable: true.",
        )


def _misfit(column: Column, values: pa.ChunkedArray, misfits: NDArray[np.bool_]) -> Finding:
    word = _KIND_WORDS.get(column.kind, column.kind.value)
    count = int(misfits.sum())
    are = "cell is" if count == 1 else "cells are"
    return located(
        "wrong_type",
        column.name,
        misfits,
        values=values,
        sentence=f"Column {column.name!r} is {column.kind.value}, but {count:,} {are} no {word}.",
        remedy="Correct the cells, add the spelling to data.missing if it means 'missing', "
        "or set the column's kind to categorical under features.",
    )


def _number_findings(
    column: Column, values: pa.ChunkedArray, array: np.ndarray, declared: Feature
) -> Iterator[Finding]:
    endless = np.isinf(array)
    low = -np.inf if column.minimum is None else column.minimum
    high = np.inf if column.maximum is None else column.maximum
    broken = (declared.kind is Kind.INTEGER) & ~endless & (array != np.floor(array)) & ~np.isnan(array)
    checks = (
        ("infinite", endless, "infinite values", "Leave the cells empty if the value is not known."),
        ("not_whole", broken, "decimals, but is declared as integer", "Declare it as numeric."),
        ("out_of_range", array < low, f"values below its min of {low:g}", _CORRECT),
        ("out_of_range", array > high, f"values above its max of {high:g}", _CORRECT),
        ("too_large", ~endless & (np.abs(array) > LARGEST), "values beyond 3.4e38", _CORRECT),
    )
    for check, wrong, what, remedy in checks:
        if wrong.any():
            sentence = f"Column {column.name!r} holds {what}."
            yield located(check, column.name, wrong, values=values, sentence=sentence, remedy=remedy)


def _ambiguous(name: str) -> Finding:
    return Finding(
        severity=Severity.WARNING,
        check="ambiguous_date",
        column=name,
        sentence=f"The dates in column {name!r} can be read with the month or with the day first; "
        "the month was taken.",
        remedy="Write them as YYYY-MM-DD if that is wrong.",
    )


def _give_aways(
    table: pa.Table, inferred: Inferred, arrays: dict[str, np.ndarray], task: Task
) -> Iterator[Finding]:
    target = inferred.schema.target
    if target is None:
        return
    known = is_filled(table.column(target.name))
    labels, y = target_values(labelled_rows(table, target.name), target, task)
    if not known.all():
        arrays = {name: array[known] for name, array in arrays.items()}
    for found in find_give_aways(arrays, inferred.schema, y, labels):
        yield Finding(
            severity=Severity.WARNING,
            check="give_away",
            column=found.column,
            values=(round(found.score, 4),),
            sentence=found.sentence,
            remedy="If it is not known before the outcome is, add it to data.drop.",
        )
