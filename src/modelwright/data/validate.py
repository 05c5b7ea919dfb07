"""Says what is wrong with a table before anything is trained on it."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from modelwright.data.arrays import (
    as_text,
    column_array,
    is_filled,
    labelled_rows,
    target_values,
)
from modelwright.data.cells import cells
from modelwright.data.giveaway import find_give_aways
from modelwright.data.infer import Inferred
from modelwright.data.kinds import is_string
from modelwright.errors import ExitCode, ModelwrightError
from modelwright.project.model import Data, Feature
from modelwright.schema.columns import Column, Kind
from modelwright.schema.metrics import Task

FEWEST_ROWS = 10
FEWEST_OF_A_CLASS = 3
"""Two to learn from, one to measure with."""
UNLABELLED_SHARE = 0.05
"""Rows without a target are left out with a warning up to this share; beyond it, it is a mistake."""
_SHOWN = 5
_LARGEST = float(np.finfo(np.float32).max)
_KIND_WORDS = {
    Kind.NUMERIC: "number",
    Kind.INTEGER: "whole number",
    Kind.BOOLEAN: "true or false",
    Kind.DATETIME: "date or time",
}


class Severity(StrEnum):
    """Whether a finding stops training."""

    ERROR = "error"
    WARNING = "warning"


class Finding(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that is wrong, or that one should know.

    Attributes:
        severity: Whether it stops training.
        check: Its name, for programs.
        column: The column concerned; empty if none.
        rows: The first few rows concerned, counted from 1 below the header.
        values: Their values, same order.
        more: How many further rows.
        sentence: What is wrong.
        remedy: What to do.
    """

    severity: Severity
    check: str
    column: str = ""
    rows: tuple[int, ...] = ()
    values: tuple[Any, ...] = ()
    more: int = 0
    sentence: str
    remedy: str = ""

    def __str__(self) -> str:
        where = ""
        if self.rows:
            shown = [
                f"row {row:,}: {value!r}" if value is not None else f"row {row:,}"
                for row, value in zip(self.rows, self.values or [None] * len(self.rows), strict=True)
            ]
            where = " (" + "; ".join(shown) + (f"; and {self.more:,} more" if self.more else "") + ")"
        return f"{self.sentence}{where} {self.remedy}".strip()


class DataInvalid(ModelwrightError):
    """The data does not validate; ``findings`` says all that is wrong at once."""

    code = ExitCode.DATA

    def __init__(self, findings: tuple[Finding, ...]) -> None:
        first, *others = findings
        super().__init__(
            str(first)
            if not others
            else f"The data has {len(findings)} mistakes, the first one: {first.sentence}",
            "" if not others else "Correct those below, then run the command again.",
            details=[str(finding) for finding in findings] if others else (),
        )
        self.findings = findings


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """All findings, errors first.

    Attributes:
        findings: What was found.
        rows: Rows of the table.
        unlabelled: Rows whose target is missing; ``arrays.labelled_rows`` leaves them out.
    """

    findings: tuple[Finding, ...]
    rows: int
    unlabelled: int = 0

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings that stop training."""
        return tuple(item for item in self.findings if item.severity is Severity.ERROR)

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """The findings that do not."""
        return tuple(item for item in self.findings if item.severity is Severity.WARNING)

    def raise_errors(self) -> None:
        """Raise ``DataInvalid`` if there are errors."""
        if self.errors:
            raise DataInvalid(self.errors)


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
        target_findings, unlabelled = _target_findings(table, inferred.schema.target, task)
        findings += target_findings
        if not any(item.severity is Severity.ERROR for item in target_findings):
            findings += _give_aways(table, inferred, arrays, task)
    findings.sort(key=lambda item: item.severity is not Severity.ERROR)
    return Report(findings=tuple(findings), rows=table.num_rows, unlabelled=unlabelled)


def _table_findings(table: pa.Table, inferred: Inferred) -> Iterator[Finding]:
    if table.num_rows < FEWEST_ROWS:
        yield _error(
            "few_rows", f"The data has {table.num_rows} rows; at least {FEWEST_ROWS} are needed.", "Add rows."
        )
    if not inferred.schema.columns:
        reasons = "; ".join(f"{item.name!r}: {item.why}" for item in inferred.ignored)
        yield _error(
            "no_features",
            f"No column is left to learn from ({reasons or 'there is only the target'}).",
            "Add columns, or set the kind of one under features in the project file.",
        )


def _identifier_findings(table: pa.Table, data: Data) -> Iterator[Finding]:
    if data.id is None:
        return
    values = table.column(data.id)
    found = cells(as_text(values))
    twice = (found.counts > 1)[found.codes] & (found.codes >= 0) if len(found.counts) else found.codes > 0
    if twice.any():
        copies = int(found.counts.sum()) - len(found.counts)
        yield _located(
            Severity.ERROR,
            "duplicate_id",
            data.id,
            values,
            twice,
            f"Column {data.id!r} is named as the identifier, but {copies:,} of its values repeat another.",
            "Remove the repeated rows, or name another column as data.id.",
        )
    if (found.codes < 0).any():
        yield _located(
            Severity.WARNING,
            "missing_id",
            data.id,
            None,
            found.codes < 0,
            f"The identifier {data.id!r} is missing in some rows.",
            "",
        )


def _column_findings(
    column: Column, values: pa.ChunkedArray, array: np.ndarray, misfits: NDArray[np.bool_], declared: Feature
) -> Iterator[Finding]:
    if misfits.any():
        yield _misfit(column, values, misfits)
    if array.dtype.kind == "f":
        yield from _number_findings(column, values, array)
    if declared.kind is Kind.INTEGER and array.dtype.kind == "f":
        broken = np.isfinite(array) & (array != np.floor(array))
        if broken.any():
            yield _located(
                Severity.ERROR, "not_whole", column.name, values, broken,
                f"Column {column.name!r} is declared as integer, but holds decimals.",
                "Declare it as numeric.",
            )  # fmt: skip
    if declared.categories is not None and array.dtype == object:
        allowed = np.array(["", *declared.categories], dtype=object)
        unknown = ~np.isin(array.astype(str), allowed.astype(str))
        if unknown.any():
            yield _located(
                Severity.ERROR, "unknown_category", column.name, values, unknown,
                f"Column {column.name!r} holds values that are not among its declared categories.",
                "Add them to the feature's categories, or correct the rows.",
            )  # fmt: skip
    if declared.nullable is False:
        empty = (
            array == ""
            if array.dtype == object
            else np.isnat(array)
            if array.dtype.kind == "M"
            else np.isnan(array)
        )
        if empty.any():
            yield _located(
                Severity.ERROR, "missing_value", column.name, None, empty,
                f"Column {column.name!r} is declared as never missing, but is.",
                "Fill the cells, or declare nullable: true.",
            )  # fmt: skip


def _misfit(column: Column, values: pa.ChunkedArray, misfits: NDArray[np.bool_]) -> Finding:
    word = _KIND_WORDS.get(column.kind, column.kind.value)
    count = int(misfits.sum())
    return _located(
        Severity.ERROR,
        "wrong_type",
        column.name,
        values,
        misfits,
        f"Column {column.name!r} is {column.kind.value}, but {count:,} "
        f"{'cell is' if count == 1 else 'cells are'} no {word}.",
        "Correct the cells, add the spelling to data.missing if it means 'missing', or set the column's "
        "kind to categorical under features.",
    )


def _number_findings(column: Column, values: pa.ChunkedArray, array: np.ndarray) -> Iterator[Finding]:
    if np.isfinite(array).all() and not len(array):
        return
    endless = np.isinf(array)
    if endless.any():
        yield _located(
            Severity.ERROR, "infinite", column.name, values, endless,
            f"Column {column.name!r} holds infinite values.",
            "Leave the cells empty if the value is not known.",
        )  # fmt: skip
    for wrong, bound, word in (
        (array < column.minimum if column.minimum is not None else None, column.minimum, "below its min"),
        (array > column.maximum if column.maximum is not None else None, column.maximum, "above its max"),
        (~endless & (np.abs(array) > _LARGEST), _LARGEST, "beyond what models compute with"),
    ):
        if wrong is not None and wrong.any():
            yield _located(
                Severity.ERROR, "out_of_range", column.name, values, wrong,
                f"Column {column.name!r} holds values {word} of {bound:g}.",
                "Correct the rows, or the limits under features.",
            )  # fmt: skip


def _ambiguous(name: str) -> Finding:
    return Finding(
        severity=Severity.WARNING,
        check="ambiguous_date",
        column=name,
        sentence=f"The dates in column {name!r} can be read with the month or with the day first; "
        "the month was taken.",
        remedy="Write them as YYYY-MM-DD if that is wrong.",
    )


def _target_findings(table: pa.Table, target: Column, task: Task) -> tuple[list[Finding], int]:
    values = table.column(target.name)
    filled = is_filled(values)
    missing = int((~filled).sum())
    findings = []
    if missing:
        too_many = missing > UNLABELLED_SHARE * len(filled)
        findings.append(
            _located(
                Severity.ERROR if too_many else Severity.WARNING,
                "missing_target",
                target.name,
                None,
                ~filled,
                f"The target {target.name!r} is missing in {missing:,} of {len(filled):,} rows.",
                "Fill it in or remove the rows." if too_many else "These rows are left out.",
            )
        )
    if missing == len(filled):
        return findings, missing
    known = labelled_rows(table, target.name)
    check = _class_findings if task is Task.CLASSIFICATION else _value_findings
    return [*findings, *check(known, target)], missing


def _class_findings(table: pa.Table, target: Column) -> Iterator[Finding]:
    labels, codes = target_values(table, target, Task.CLASSIFICATION)
    counts = np.bincount(codes, minlength=len(labels))
    if len(labels) == 1:
        yield _error(
            "one_class",
            f"The target {target.name!r} has one value only, {labels[0]!r}: there is nothing to tell apart.",
            "Add rows of another class, or name another target.",
            target.name,
        )
        return
    numeric = not is_string(table.column(target.name))
    if numeric and len(labels) > 50 and len(labels) > 0.2 * len(codes):
        yield _error(
            "too_many_classes",
            f"The target {target.name!r} has {len(labels):,} different numbers in {len(codes):,} rows.",
            "It looks like a quantity: set task: regression.",
            target.name,
        )
        return
    rare = np.flatnonzero(counts < FEWEST_OF_A_CLASS)
    if len(rare):
        shown = ", ".join(f"{labels[code]!r} ({counts[code]})" for code in rare[:_SHOWN])
        more = f" and {len(rare) - _SHOWN:,} more" if len(rare) > _SHOWN else ""
        yield _error(
            "rare_class",
            f"The target {target.name!r} has classes with fewer than {FEWEST_OF_A_CLASS} rows: {shown}{more}.",
            "Add rows of them, join them with another class, or remove them.",
            target.name,
        )


def _value_findings(table: pa.Table, target: Column) -> Iterator[Finding]:
    values = table.column(target.name)
    array, misfits = column_array(values, target)
    if misfits.any():
        yield _located(
            Severity.ERROR, "wrong_type", target.name, values, misfits,
            f"The target {target.name!r} of a regression must be a number, but {int(misfits.sum()):,} cells are not.",
            "Correct the cells, or set task: classification.",
        )  # fmt: skip
        return
    if not np.isfinite(array).all() or bool((np.abs(array) > _LARGEST).any()):
        yield _located(
            Severity.ERROR, "infinite", target.name, values, ~np.isfinite(array) | (np.abs(array) > _LARGEST),
            f"The target {target.name!r} holds infinite or too large values.", "Correct or remove the rows.",
        )  # fmt: skip
    elif array.min() == array.max():
        yield _error(
            "one_value",
            f"The target {target.name!r} has one value only, {array[0]:g}: there is nothing to predict.",
            "Name another target.",
            target.name,
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


def _error(check: str, sentence: str, remedy: str, column: str = "") -> Finding:
    return Finding(severity=Severity.ERROR, check=check, column=column, sentence=sentence, remedy=remedy)


def _located(
    severity: Severity,
    check: str,
    column: str,
    values: pa.ChunkedArray | None,
    concerned: NDArray[np.bool_],
    sentence: str,
    remedy: str,
) -> Finding:
    places = np.flatnonzero(concerned)
    shown = places[:_SHOWN].tolist()
    return Finding(
        severity=severity,
        check=check,
        column=column,
        rows=tuple(place + 1 for place in shown),
        values=() if values is None else tuple(_short(values[place].as_py()) for place in shown),
        more=len(places) - len(shown),
        sentence=sentence,
        remedy=remedy,
    )


def _short(value: Any) -> Any:
    if isinstance(value, str) and len(value) > 40:
        return value[:40] + "…"
    return value if isinstance(value, (str, int, float, bool)) else str(value)
