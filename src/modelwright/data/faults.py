"""What can be wrong with data, and how near names are suggested."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from modelwright.errors import ExitCode, ModelwrightError


class DataUnreadable(ModelwrightError):
    """The source cannot be read as a table: absent, damaged, or of another form."""

    code = ExitCode.DATA


class ColumnMissing(ModelwrightError):
    """The project names a column that the table does not have."""

    code = ExitCode.DATA

    def __init__(self, name: str, use: str, names: Iterable[str]) -> None:
        known = list(names)
        near = nearest(name, known)
        super().__init__(
            f"The data has no column {name!r}, which the project names as {use}.",
            f"Did you mean {near}?" if near else "Name one of these columns.",
            details=["The columns are: " + shorten(known, 40)],
        )


class ColumnNested(ModelwrightError):
    """The project gives a part to a column whose cells are no single values."""

    code = ExitCode.DATA

    def __init__(self, name: str, use: str) -> None:
        super().__init__(
            f"Column {name!r}, which the project names as {use}, holds lists or bytes, not single values.",
            "Name another column, or make it one value a row (in build of features.py, for example).",
        )


def nearest(name: str, known: Iterable[str]) -> str:
    """Up to three of ``known`` that look like ``name``, quoted and joined; empty if none does."""
    by_folded = {word.casefold(): word for word in known}
    found = difflib.get_close_matches(name.casefold(), by_folded, n=3, cutoff=0.6)
    return ", ".join(repr(by_folded[word]) for word in found)


def shorten(names: Iterable[object], most: int) -> str:
    """``names`` quoted and joined, the first ``most`` of them, the rest counted."""
    listed = list(names)
    text = ", ".join(repr(name) for name in listed[:most])
    return text + (f" and {len(listed) - most:,} more" if len(listed) > most else "")
