"""What validation finds: mistakes, which stop training, and warnings, which do not."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from modelwright.errors import ExitCode, ModelwrightError

_SHOWN = 5


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
            "" if not others else "Correct them, then run the command again.",
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


def mistake(check: str, sentence: str, remedy: str, *, column: str = "") -> Finding:
    """A mistake of the whole table, or of a whole column."""
    return Finding(severity=Severity.ERROR, check=check, column=column, sentence=sentence, remedy=remedy)


def located(
    check: str,
    column: str,
    concerned: NDArray[np.bool_],
    *,
    values: pa.ChunkedArray | None = None,
    severity: Severity = Severity.ERROR,
    sentence: str,
    remedy: str = "",
) -> Finding:
    """A finding about some cells of a column.

    Args:
        check: Its name, for programs.
        column: The column's name.
        concerned: Which rows [rows].
        values: The column's cells, where they are worth showing.
        severity: Whether it stops training.
        sentence: What is wrong.
        remedy: What to do.
    """
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
