"""Checks of the column that is to be predicted."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from modelwright.data.arrays import column_array, is_filled, labelled_rows, target_labels
from modelwright.data.faults import shorten
from modelwright.data.findings import Finding, Severity, located, mistake
from modelwright.data.kinds import is_string
from modelwright.schema.columns import Column
from modelwright.schema.metrics import Task

FEWEST_OF_A_CLASS = 3
"""Two to learn from, one to measure with."""
UNLABELLED_SHARE = 0.05
"""Rows without a target are left out with a warning up to this share; beyond it, it is a mistake."""
LARGEST = float(np.finfo(np.float32).max)
"""Models compute in float32."""
_SHOWN = 5
_MANY = 50


def target_findings(table: pa.Table, target: Column, task: Task) -> tuple[list[Finding], int]:
    """Check the target; also how many rows lack it."""
    filled = is_filled(table.column(target.name))
    missing = int((~filled).sum())
    findings = []
    if missing:
        too_many = missing > UNLABELLED_SHARE * len(filled)
        finding = located(
            "missing_target",
            target.name,
            ~filled,
            severity=Severity.ERROR if too_many else Severity.WARNING,
            sentence=f"The target {target.name!r} is missing in {missing:,} of {len(filled):,} rows.",
            remedy="Fill it in or remove the rows." if too_many else "These rows are left out.",
        )
        findings.append(finding)
    if missing < len(filled):
        check = _class_findings if task is Task.CLASSIFICATION else _value_findings
        findings += check(labelled_rows(table, target.name), target)
    return findings, missing


def _class_findings(table: pa.Table, target: Column) -> Iterator[Finding]:
    name = target.name
    labels, codes = target_labels(table.column(name))
    counts = np.bincount(codes, minlength=len(labels))
    if len(labels) == 1:
        yield mistake(
            "one_class",
            f"The target {name!r} has one value only, {labels[0]!r}: there is nothing to tell apart.",
            "Add rows of another class, or name another target.",
            column=name,
        )
        return
    if not is_string(table.column(name)) and len(labels) > _MANY and len(labels) > 0.2 * len(codes):
        yield mistake(
            "too_many_classes",
            f"The target {name!r} has {len(labels):,} different numbers in {len(codes):,} rows.",
            "It looks like a quantity: set task: regression.",
            column=name,
        )
        return
    endless = [label for label in labels if isinstance(label, float) and not np.isfinite(label)]
    if endless:
        yield mistake(
            "infinite",
            f"The target {name!r} holds {shorten(endless, _SHOWN)}, which is no class.",
            "Correct or remove the rows.",
            column=name,
        )
        return
    rare = np.flatnonzero(counts < FEWEST_OF_A_CLASS)
    if len(rare):
        shown = ", ".join(f"{labels[code]!r} ({counts[code]})" for code in rare[:_SHOWN])
        more = f" and {len(rare) - _SHOWN:,} more" if len(rare) > _SHOWN else ""
        yield mistake(
            "rare_class",
            f"The target {name!r} has classes of fewer than {FEWEST_OF_A_CLASS} rows: {shown}{more}.",
            "Add rows of them, join them with another class, or remove them.",
            column=name,
        )


def _value_findings(table: pa.Table, target: Column) -> Iterator[Finding]:
    name, values = target.name, table.column(target.name)
    array, misfits = column_array(values, target)
    beyond = ~np.isfinite(array) | (np.abs(array) > LARGEST)
    if misfits.any():
        yield located(
            "wrong_type",
            name,
            misfits,
            values=values,
            sentence=f"The target {name!r} of a regression must be numbers; {misfits.sum():,} are not.",
            remedy="Correct the cells, or set task: classification.",
        )
    elif beyond.any():
        yield located(
            "infinite",
            name,
            beyond,
            values=values,
            sentence=f"The target {name!r} holds infinite or too large values.",
            remedy="Correct or remove the rows.",
        )
    elif array.min() == array.max():
        yield mistake(
            "one_value",
            f"The target {name!r} has one value only, {array[0]:g}: there is nothing to predict.",
            "Name another target.",
            column=name,
        )
