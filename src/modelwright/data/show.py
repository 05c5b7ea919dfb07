"""What a table holds, described for people and for programs: ``modelwright data show``."""

from __future__ import annotations

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from modelwright.data.arrays import as_text, column_array, is_filled, strings
from modelwright.data.cells import cells
from modelwright.data.infer import Ignored, Inferred
from modelwright.data.kinds import is_string
from modelwright.schema.columns import Column, Kind

BARS = 16
_TOP = 8
_LARGEST = float(np.finfo(np.float32).max)


class ColumnDescription(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One column.

    Attributes:
        name: Column name.
        kind: What it holds ("nested" for lists and bytes).
        role: ``feature``, ``target``, or ``ignored``.
        why: Why it is ignored.
        rows, missing: Rows, and those without a value.
        distinct: Different values; ``None`` where they were not counted.
        low, high, mean: Range and mean of numbers; ISO 8601 range of dates.
        categories: The most frequent values with their counts.
        histogram: Rows in each of 16 equal parts between ``low`` and ``high``.
        spellings: How often each spelling of "missing" was met.
        example: A value.
    """

    name: str
    kind: str
    role: str
    why: str = ""
    rows: int
    missing: int
    distinct: int | None = None
    low: float | str | None = None
    high: float | str | None = None
    mean: float | None = None
    categories: tuple[tuple[str, int], ...] = ()
    histogram: tuple[int, ...] = ()
    spellings: dict[str, int] = {}
    example: str | int | float | bool | None = None

    @property
    def missing_share(self) -> float:
        """Share of rows without a value, 0 to 1."""
        return self.missing / self.rows if self.rows else 0.0


class Description(msgspec.Struct, frozen=True, kw_only=True):
    """A table: its rows and its columns in the file's order."""

    rows: int
    columns: tuple[ColumnDescription, ...]
    identifier: str | None = None


def describe(
    table: pa.Table, inferred: Inferred, missing: dict[str, dict[str, int]] | None = None
) -> Description:
    """Describe every column.

    Args:
        table: The table.
        inferred: What its columns are.
        missing: The spellings met on reading (``Loaded.missing``).
    """
    spellings = missing or {}
    features = {column.name: column for column in inferred.schema}
    ignored = {item.name: item for item in inferred.ignored}
    columns = []
    for name in table.column_names:
        values = table.column(name)
        if name in features:
            described = _described(features[name], values, "feature", "")
        elif name in ignored:
            described = _ignored(ignored[name], values)
        else:
            assert inferred.schema.target is not None  # noqa: S101 - what is left is the target
            described = _described(inferred.schema.target, values, "target", "")
        columns.append(msgspec.structs.replace(described, spellings=spellings.get(name, {})))
    return Description(rows=table.num_rows, columns=tuple(columns), identifier=inferred.schema.identifier)


def _ignored(item: Ignored, values: pa.ChunkedArray) -> ColumnDescription:
    if item.kind is None:
        return ColumnDescription(
            name=item.name, kind="nested", role="ignored", why=item.why,
            rows=len(values), missing=values.null_count,
        )  # fmt: skip
    return _described(Column(name=item.name, kind=item.kind), values, "ignored", item.why)


def _described(column: Column, values: pa.ChunkedArray, role: str, why: str) -> ColumnDescription:
    filled = is_filled(values)
    base = ColumnDescription(
        name=column.name,
        kind=column.kind.value,
        role=role,
        why=why,
        rows=len(values),
        missing=int((~filled).sum()),
        example=column.example,
    )
    if column.kind in {Kind.NUMERIC, Kind.INTEGER, Kind.DATETIME} and not (
        role == "target" and column.categories
    ):
        return _with_range(base, column, values)
    return _with_categories(base, column, values)


def _with_range(base: ColumnDescription, column: Column, values: pa.ChunkedArray) -> ColumnDescription:
    array, _ = column_array(values, column)
    moments = array.dtype.kind == "M"
    known = (
        array[~np.isnat(array)].astype(np.int64).astype(np.float64)
        if moments
        else array[np.abs(array) <= _LARGEST]
    )
    if not len(known):
        return base
    low, high = float(known.min()), float(known.max())
    return msgspec.structs.replace(
        base,
        low=_iso(low) if moments else low,
        high=_iso(high) if moments else high,
        mean=None if moments else float(known.mean()),
        distinct=len(np.unique(known)),
        histogram=_histogram(known, low, high),
    )


def _histogram(known: NDArray[np.float64], low: float, high: float) -> tuple[int, ...]:
    """Rows in each sixteenth of the range; NumPy's own refuses ranges of a few steps of a float."""
    if high <= low:
        return (len(known),)
    bars = np.minimum((known - low) / (high - low) * BARS, BARS - 1).astype(np.int64)
    return tuple(np.bincount(bars, minlength=BARS).tolist())


def _iso(microseconds: float) -> str:
    return f"{np.datetime64(int(microseconds), 'us').astype('datetime64[s]')}Z"


def _with_categories(base: ColumnDescription, column: Column, values: pa.ChunkedArray) -> ColumnDescription:
    found = cells(values if is_string(values) else as_text(values))
    order = np.argsort(-found.counts, kind="stable")[:_TOP]
    top = tuple((str(found.values[int(place)]), int(found.counts[place])) for place in order)
    if column.kind in {Kind.TEXT, Kind.IDENTIFIER, Kind.IMAGE}:
        top = ()
        first = strings(values.slice(0, 1000))
        example = next((word for word in first.tolist() if word), None)
        base = msgspec.structs.replace(base, example=base.example or example)
    return msgspec.structs.replace(base, distinct=len(found.values), categories=top)
