"""Typed decoders made from a schema: the plain bodies of ``/predict`` straight into column arrays.

What they take, they take exactly as ``bundle.rows`` would, without a warning to give. All that is
doubtful (an unseen category, a value outside the training range, a number in quotes, another shape)
they do not take at all, and ``bundle.rows`` gives it its meaning or words the error. So there is one
code path that gives meaning to a row, and this is its shortcut for rows that leave no question.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from msgspec import UNSET, Meta, UnsetType

from modelwright.schema.columns import Column, Kind, TableSchema

_NUMBERS = frozenset({Kind.NUMERIC, Kind.INTEGER, Kind.BOOLEAN})
_STRINGS = frozenset({Kind.CATEGORICAL, Kind.TEXT})
_SHAPE_KEYS = frozenset({"features", "input", "instances", "id"})
_LARGEST = 3.4e38  # beyond it float32 clips
_AWKWARD = re.compile(r'["\\\x00-\x1f\ud800-\udfff]')  # what JSON escapes, and msgspec takes in no name
_MOST_CATEGORIES = 10_000
_WRAPPERS = (b'{"features":', b'{"input":')
_SHAPED = re.compile(rb'\s*\{\s*"(features|input|id)"')  # however it is spaced, and the id first

Values = tuple[Any, ...]
"""One row's values in the order of the schema; ``None`` = missing."""


class QuickReader:
    """Reads the bodies ``{"features": …}``, ``{"input": row}`` and the plain row."""

    def __init__(self, schema: TableSchema) -> None:
        columns = tuple(schema)
        self.names = schema.names
        self._numbers = [place for place, column in enumerate(columns) if column.kind in _NUMBERS]
        self._strings = [place for place, column in enumerate(columns) if column.kind not in _NUMBERS]
        fields = [_field(place, column) for place, column in enumerate(columns)]
        names = {f"c{place}": column.name for place, column in enumerate(columns)}
        row: Any = msgspec.defstruct(
            "Row", fields, rename=names, forbid_unknown_fields=True, gc=False, kw_only=True
        )
        listed: Any = tuple.__class_getitem__(tuple(_type(column) for column in columns))
        wrapped = msgspec.defstruct(
            "Wrapped",
            [
                ("features", row | listed | UnsetType, UNSET),
                ("input", row | listed | UnsetType, UNSET),
                ("id", str | int | UnsetType, UNSET),
            ],
            forbid_unknown_fields=True,
            gc=False,
        )
        self._row = row
        # A name that stands twice is for the longer way to refuse: count the colons a plain body has.
        self._colons = sum(1 + column.name.count(":") for column in columns)
        self._wrapped = msgspec.json.Decoder(wrapped).decode
        self._plain = msgspec.json.Decoder(row).decode
        self._values = msgspec.structs.astuple

    @classmethod
    def fitting(cls, schema: TableSchema) -> QuickReader | None:
        """A reader for ``schema``, or ``None`` where some column always needs the longer way."""
        columns = tuple(schema)
        if not columns or not all(column.kind in _NUMBERS | _STRINGS for column in columns):
            return None
        if _SHAPE_KEYS & set(schema.names) or any(map(_AWKWARD.search, schema.names)):
            return None
        if any(len(column.categories) > _MOST_CATEGORIES for column in columns):
            return None
        return cls(schema)

    def read(self, body: bytes | bytearray) -> tuple[Values, str | int | None] | None:
        """One row and the client's id; ``None`` if the body must go the longer way."""
        try:
            if not body.startswith(_WRAPPERS) and not _SHAPED.match(body):
                values = self._values(self._plain(body))
                return (values, None) if body.count(b":") == self._colons else None
            wrapped: Any = self._wrapped(body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None
        row = wrapped.features
        if row is UNSET:
            row = wrapped.input
        if row is UNSET:
            return None
        given = None if wrapped.id is UNSET else wrapped.id
        colons = 1 + (given is not None)
        if type(row) is self._row:
            row = self._values(row)
            colons += self._colons
        return (row, given) if body.count(b":") == colons else None

    def columns(self, rows: Sequence[Values]) -> dict[str, np.ndarray]:
        """Column arrays of rows that ``read`` took."""
        names = self.names
        by_column = list(zip(*rows, strict=True))
        arrays: dict[str, np.ndarray] = {}
        if self._numbers:
            if self._strings:
                matrix = np.array([by_column[place] for place in self._numbers], dtype=np.float64)
            else:
                matrix = np.array(by_column, dtype=np.float64)
            for place, values in zip(self._numbers, matrix, strict=True):
                arrays[names[place]] = values
        for place in self._strings:
            array = np.empty(len(rows), dtype=object)
            array[:] = [value or "" for value in by_column[place]]
            arrays[names[place]] = array
        return arrays


def _field(place: int, column: Column) -> tuple[str, Any] | tuple[str, Any, None]:
    if column.nullable:
        return (f"c{place}", _type(column), None)
    return (f"c{place}", _type(column))


def _type(column: Column) -> Any:
    """The values of a column that need no word: in range, known, of the right type."""
    if column.kind in {Kind.NUMERIC, Kind.INTEGER}:
        lows = [low for low in (column.minimum, column.observed_min) if low is not None]
        highs = [high for high in (column.maximum, column.observed_max) if high is not None]
        step = 1.0 if column.kind is Kind.INTEGER else None
        limits = Meta(ge=max([-_LARGEST, *lows]), le=min([_LARGEST, *highs]), multiple_of=step)
        kind: Any = Annotated[float, limits]
    elif column.kind is Kind.BOOLEAN:
        kind = bool
    elif column.kind is Kind.CATEGORICAL and column.categories:
        kind = Literal[column.categories]
    else:
        kind = Annotated[str, Meta(min_length=1, pattern=r"^[^\x00]*$")]
    return kind | None if column.nullable else kind
