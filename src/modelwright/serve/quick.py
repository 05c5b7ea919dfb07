"""Readers made from a schema: the plain bodies of ``/predict`` straight into column arrays.

What they take, they take exactly as ``bundle.rows`` would, without a warning to give. All that is
doubtful (an unseen category, a value outside the training range, a number in quotes, a column nobody
knows, another shape) they do not take at all, and ``bundle.rows`` gives it its meaning or words the
error. So there is one code path that gives meaning to a row, and this is its shortcut for rows that
leave no question.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
import numpy as np
from msgspec import UNSET, Meta, UnsetType

from modelwright.schema.columns import Column, Kind, TableSchema

_NUMBERS = frozenset({Kind.NUMERIC, Kind.INTEGER, Kind.BOOLEAN})
_STRINGS = frozenset({Kind.CATEGORICAL, Kind.TEXT})
_ID = "id"
_SHAPE_KEYS = frozenset({"features", "input", "instances", _ID})
_LARGEST = 3.4e38  # beyond it float32 clips
_AWKWARD = re.compile(r'["\\\x00-\x1f\ud800-\udfff]')  # what JSON escapes, and msgspec takes in no name
_MOST_CATEGORIES = 10_000
_MOST_CARRIED = 100
_WRAPPERS = (b'{"features":', b'{"input":')
_SHAPED = re.compile(rb'\s*\{\s*"(features|input|id)"')  # however it is spaced, and the id first
_CELL = str | Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)] | float | bool | None | UnsetType

Values = tuple[Any, ...]
"""One row's values in the order of the schema; ``None`` = missing."""

NOTHING: Mapping[str, Any] = MappingProxyType({})


class Found(NamedTuple):
    """A body that was taken.

    Attributes:
        values: The row.
        given: The client's id.
        carried: What the row has of the training data's other columns: no model reads it, the log keeps it.
    """

    values: Values
    given: str | int | None = None
    carried: Mapping[str, Any] = NOTHING


class QuickReader:
    """Reads the bodies ``{"features": …}``, ``{"input": row}`` and the plain row."""

    def __init__(self, schema: TableSchema) -> None:
        columns = tuple(schema)
        self.names = schema.names
        self._count = len(columns)
        self._numbers = [place for place, column in enumerate(columns) if column.kind in _NUMBERS]
        self._strings = [place for place, column in enumerate(columns) if column.kind not in _NUMBERS]
        self._nullable = any(column.nullable for column in columns)
        self._own_id = schema.identifier == _ID
        lineage = sorted(name for name in schema.lineage if _may_be_carried(name, schema))[:_MOST_CARRIED]
        self._inner = (*lineage,)
        self._outer = (*(name for name in lineage if name != _ID), _ID)
        self._none_carried = (UNSET,) * len(self._inner)
        self._row = _row_type(columns, self._inner)
        # A row that is the whole body may hold the client's id, or the table's own column of that name.
        whole = _row_type(columns, self._outer)
        listed: Any = tuple.__class_getitem__(tuple(_type(column) for column in columns))
        wrapped = msgspec.defstruct(
            "Wrapped",
            [
                ("features", self._row | listed | UnsetType, UNSET),
                ("input", self._row | listed | UnsetType, UNSET),
                ("id", str | int | UnsetType, UNSET),
            ],
            forbid_unknown_fields=True,
            gc=False,
        )
        # A name that stands twice is for the longer way to refuse: count the colons a plain body has.
        self._colons = [1 + column.name.count(":") for column in columns]
        self._all_colons = sum(self._colons)
        self._colons_in_names = any(":" in name for name in (*self.names, *lineage))
        self._doubtful = self._nullable or self._colons_in_names
        self._wrapped = msgspec.json.Decoder(wrapped).decode
        self._plain = msgspec.json.Decoder(whole).decode
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

    def read(self, body: bytes | bytearray) -> Found | None:
        """The row in ``body``; ``None`` if it must go the longer way."""
        try:
            if body.startswith(_WRAPPERS):
                return self._read_wrapped(body)
            shaped = _SHAPED.match(body)
            if shaped is None or (
                shaped[1] == b"id" and b'"features"' not in body and b'"input"' not in body
            ):
                return self._read_whole(body)
            return self._read_wrapped(body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None

    def _read_wrapped(self, body: bytes | bytearray) -> Found | None:
        wrapped: Any = self._wrapped(body)
        row = wrapped.features
        if row is UNSET:
            row = wrapped.input
        if row is UNSET:
            return None
        given = None if wrapped.id is UNSET else wrapped.id
        around = 1 if given is None else 2
        if type(row) is tuple:
            return Found(row, given) if self._plainly(body, around, row, given, NOTHING) else None
        values = self._values(row)
        carried = NOTHING
        if self._inner:
            others, values = values[self._count :], values[: self._count]
            if others != self._none_carried:
                carried = _told(self._inner, others)
        if carried is NOTHING and not self._doubtful and body.count(b":") == self._all_colons + around:
            return Found(values, given)
        return self._of_row(body, values, given, carried, around)

    def _read_whole(self, body: bytes | bytearray) -> Found | None:
        values = self._values(self._plain(body))
        *others, id = values[self._count :]
        carried = _told(self._outer, others) if others else {}
        given, around = None, 0
        if id is UNSET:
            pass
        elif self._own_id and type(id) is not str:
            carried[_ID] = id
        elif type(id) is str or type(id) is int:
            given, around = id, 1
        else:
            return None
        return self._of_row(body, values[: self._count], given, carried or NOTHING, around)

    def _of_row(
        self,
        body: bytes | bytearray,
        values: Values,
        given: str | int | None,
        carried: Mapping[str, Any],
        around: int,
    ) -> Found | None:
        """A row by name, unless a name stands twice in ``body``, which has ``around`` members beside it."""
        colons = self._all_colons + around
        if self._nullable and UNSET in values:
            absent = [place for place, value in enumerate(values) if value is UNSET]
            colons -= sum(self._colons[place] for place in absent)
            values = tuple([None if value is UNSET else value for value in values])
        if carried:
            colons += sum(1 + name.count(":") for name in carried)
        return Found(values, given, carried) if self._plainly(body, colons, values, given, carried) else None

    def _plainly(
        self,
        body: bytes | bytearray,
        colons: int,
        values: Values,
        given: str | int | None,
        carried: Mapping[str, Any],
    ) -> bool:
        """Whether no name stands twice in ``body``: it has the colons of its names, and of its texts.

        A second one of a name adds one. An escape may hide one (``\\u003a``) in a name or in a text, so where
        those are counted there must be none such.
        """
        found = body.count(b":")
        if found == colons and not self._colons_in_names:
            return True
        if b"\\u003" in body:
            return False
        texts = [value for value in (*values, given, *carried.values()) if type(value) is str]
        return found == colons + sum([text.count(":") for text in texts])

    @property
    def numbers_only(self) -> bool:
        """Whether every column is a number."""
        return not self._strings

    def numbers(self, rows: Sequence[Values]) -> np.ndarray:
        """Rows of numbers only that ``read`` took, float32 [rows, columns]; NaN = missing."""
        return np.array(rows, dtype=np.float64).astype(np.float32)

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


def _may_be_carried(name: str, schema: TableSchema) -> bool:
    taken = name in schema.names or (name in _SHAPE_KEYS and name != _ID)
    return not taken and _AWKWARD.search(name) is None


def _row_type(columns: Sequence[Column], others: Sequence[str]) -> Any:
    """A row by name: its columns in order, then what it may have beside them."""
    names = {f"c{place}": column.name for place, column in enumerate(columns)}
    names |= {f"o{place}": name for place, name in enumerate(others)}
    fields: list[Any] = [_field(place, column) for place, column in enumerate(columns)]
    fields += [(f"o{place}", _CELL, UNSET) for place in range(len(others))]
    return msgspec.defstruct("Row", fields, rename=names, forbid_unknown_fields=True, gc=False, kw_only=True)


def _field(place: int, column: Column) -> tuple[str, Any] | tuple[str, Any, Any]:
    if column.nullable:
        return (f"c{place}", _type(column) | UnsetType, UNSET)
    return (f"c{place}", _type(column))


def _told(names: Sequence[str], values: Sequence[Any]) -> dict[str, Any]:
    """Those that were sent."""
    return {name: value for name, value in zip(names, values, strict=False) if value is not UNSET}


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
