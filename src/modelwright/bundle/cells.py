"""What one value of a row means: a reader for every kind of column.

A reader has two ways in. ``quick`` answers at once for a value that needs no word (right type, seen
range, known category) and gives ``None`` for anything else; ``read`` knows every case and words its
errors and warnings. ``quick`` never accepts what ``read`` would refuse or remark on.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, ClassVar, NamedTuple

import numpy as np

from modelwright.bundle.encode import clean_string
from modelwright.bundle.pictures import Picture, PictureInvalid, image_bytes, is_reference
from modelwright.bundle.spelling import (
    is_number,
    iso,
    kind_of,
    moment,
    plain,
    short,
    spellings,
    why_no_number,
)
from modelwright.schema.columns import Column, Kind

NAT = np.iinfo(np.int64).min
"""The integer that NumPy reads as "not a time"."""

_NOT_FINITE = {"nan", "inf", "infinity", "+inf", "-inf", "+infinity", "-infinity", "+nan", "-nan"}
_LARGEST = float(np.finfo(np.float64).max)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SOME_DAY = datetime(2026, 1, 31, 12, 30, tzinfo=UTC)
_TRUE_FALSE = {"true": 1.0, "false": 0.0, "1": 1.0, "0": 0.0}
_SHOWN = 5


class Remark(NamedTuple):
    """Something to say about a value: a sentence and a stable word for programs."""

    msg: str
    type: str


class Cell(NamedTuple):
    """A value read: what goes into the column array, an error, a warning."""

    value: Any
    error: Remark | None = None
    warning: Remark | None = None


class ColumnReader(ABC):
    """Reads the values of one column. Subclasses give meaning to one kind each.

    Attributes:
        column: The column.
        name: Its name.
        missing: What stands for a missing value in the column array.
        quick: The reader of unremarkable values; ``None`` means "ask ``read``".
    """

    missing: ClassVar[Any] = ""
    expected: str = "a value"
    error_type: ClassVar[str] = "value_type"

    def __init__(self, column: Column) -> None:
        self.column = column
        self.name = column.name
        self.quick: Callable[[Any], Any] = self._make_quick()

    def read(self, value: Any) -> Cell:
        """The cell for any value whatever; never raises."""
        if isinstance(value, str) and not value.strip():
            value = None
        if value is None:
            return self._read_missing()
        return self._read(value.item() if isinstance(value, np.generic) else value)

    def array(self, cells: Sequence[Any] | np.ndarray) -> np.ndarray:
        """The column array of the cells' values."""
        values = np.empty(len(cells), dtype=object)
        values[:] = cells
        return values

    @abstractmethod
    def _make_quick(self) -> Callable[[Any], Any]:
        """The function that ``quick`` is."""

    @abstractmethod
    def _read(self, value: Any) -> Cell:
        """The cell for a value that is there."""

    def _read_missing(self) -> Cell:
        if self.column.nullable:
            return Cell(self.missing)
        return self._refuse("a value is required, and this one is missing or empty", "missing")

    def _refuse(self, msg: str, kind: str = "") -> Cell:
        return Cell(self.missing, error=Remark(msg, kind or self.error_type))

    def _unexpected(self, value: Any) -> Cell:
        return self._refuse(f"expected {self.expected}, got {kind_of(value)}")


class NumberReader(ColumnReader):
    """Numbers, and strings that can be nothing else."""

    missing = math.nan
    expected = "a number"
    error_type = "number_type"

    def _make_quick(self) -> Callable[[Any], Any]:
        low, high = _quiet_range(self.column)
        empty = math.nan if self.column.nullable else None

        def quick(value: Any) -> Any:
            kind = type(value)
            if (kind is float or kind is int) and low <= value <= high:
                return value
            return empty if value is None else None

        return quick

    def array(self, cells: Sequence[Any] | np.ndarray) -> np.ndarray:
        """float64, NaN where missing."""
        return np.array(cells, dtype=np.float64)

    def _read(self, value: Any) -> Cell:
        if isinstance(value, str):
            text = value.strip()
            if text.lower() in _NOT_FINITE:
                return self._refuse_not_finite(value)
            if not is_number(text):
                return self._refuse(why_no_number(text))
            value = text
        elif isinstance(value, bool) or not isinstance(value, int | float | Decimal):
            return self._unexpected(value)
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if not math.isfinite(number):
            return self._refuse_not_finite(value)
        return self._in_range(number)

    def _refuse_not_finite(self, value: Any) -> Cell:
        remedy = "send null for a missing value" if self.column.nullable else "send a finite number"
        what = "too large to be a number here" if isinstance(value, int | Decimal) else "NaN or infinity"
        return self._refuse(f"the value is {what}; {remedy}", "finite_number")

    def _in_range(self, number: float) -> Cell:
        return _range_cell(self.column, number, number, plain(number), plain)


class IntegerReader(NumberReader):
    """Whole numbers; ``5.0`` is one."""

    expected = "a whole number"
    error_type = "whole_number"

    def _make_quick(self) -> Callable[[Any], Any]:
        low, high = _quiet_range(self.column)
        empty = math.nan if self.column.nullable else None

        def quick(value: Any) -> Any:
            kind = type(value)
            if (kind is int or (kind is float and value.is_integer())) and low <= value <= high:
                return value
            return empty if value is None else None

        return quick

    def _in_range(self, number: float) -> Cell:
        if not number.is_integer():
            return self._refuse(f"expected a whole number, got {plain(number)}")
        return super()._in_range(number)


class BooleanReader(ColumnReader):
    """true and false, 1 and 0, and the two words of the data file."""

    missing = math.nan
    error_type = "boolean"

    def __init__(self, column: Column) -> None:
        self._words = dict(_TRUE_FALSE)
        self._words.update(
            {word.strip().lower(): float(place) for place, word in enumerate(column.categories)}
        )
        super().__init__(column)

    def _make_quick(self) -> Callable[[Any], Any]:
        empty = math.nan if self.column.nullable else None

        def quick(value: Any) -> Any:
            if value is True:
                return 1.0
            if value is False:
                return 0.0
            return empty if value is None else None

        return quick

    def array(self, cells: Sequence[Any] | np.ndarray) -> np.ndarray:
        """float64: 1, 0, or NaN where missing."""
        return np.array(cells, dtype=np.float64)

    def _read(self, value: Any) -> Cell:
        if isinstance(value, bool):
            return Cell(float(value))
        found = None
        if isinstance(value, str):
            found = self._words.get(value.strip().lower())
        elif isinstance(value, int | float):
            found = self._words.get(plain(value))
        if found is None:
            words = f" ('{self.column.categories[0]}' or '{self.column.categories[1]}')"
            return self._refuse(
                f"expected true or false{words if len(self.column.categories) == 2 else ''}, "
                f"got {kind_of(value)}"
            )
        return Cell(found)


class CategoryReader(ColumnReader):
    """One of the categories seen in training, or a new one with a warning."""

    expected = "a text"
    error_type = "category"

    def __init__(self, column: Column) -> None:
        self._known = frozenset(column.categories)
        super().__init__(column)

    def _make_quick(self) -> Callable[[Any], Any]:
        known = self._known
        empty = "" if self.column.nullable else None

        def quick(value: Any) -> Any:
            if type(value) is str and value in known:
                return value
            return empty if value is None else None

        return quick

    def _read(self, value: Any) -> Cell:
        forms = spellings(value)
        if not forms:
            return self._unexpected(value)
        for form in forms:
            if form in self._known:
                return Cell(form)
        cleaned = clean_string(forms[0])
        if not self._known:
            return Cell(cleaned)
        message = f"'{short(cleaned)}' was not among the {len(self._known)} categories seen in training"
        if self.column.strict:
            first = ", ".join(f"'{short(value)}'" for value in self.column.categories[:_SHOWN])
            more = ", ..." if len(self._known) > _SHOWN else ""
            return self._refuse(f"{message}: {first}{more}", "unseen_category")
        return Cell(cleaned, warning=Remark(message, "unseen_category"))


class TextReader(ColumnReader):
    """Text of any length and script."""

    expected = "a text"
    error_type = "text_type"

    def _make_quick(self) -> Callable[[Any], Any]:
        empty = "" if self.column.nullable else None

        def quick(value: Any) -> Any:
            if type(value) is str and value.isascii() and value and not value.isspace():
                return value
            return empty if value is None else None

        return quick

    def _read(self, value: Any) -> Cell:
        forms = spellings(value)
        return Cell(clean_string(forms[0])) if forms else self._unexpected(value)


class DateReader(ColumnReader):
    """Dates and date-times in ISO 8601 or as the training data spells them; without an offset, UTC.

    Cells are epoch microseconds.
    """

    missing = NAT
    expected = "an ISO 8601 date or date-time (2026-01-31 or 2026-01-31T12:30:00Z)"
    error_type = "datetime"

    def __init__(self, column: Column) -> None:
        super().__init__(column)
        if column.form:
            self.expected = f"{self.expected} or one like {_SOME_DAY.strftime(column.form)}"

    def _make_quick(self) -> Callable[[Any], Any]:
        empty = NAT if self.column.nullable else None

        def quick(value: Any) -> Any:
            return empty if value is None else None

        return quick

    def array(self, cells: Sequence[Any] | np.ndarray) -> np.ndarray:
        """``datetime64[us]``, NaT where missing."""
        return np.array(cells, dtype=np.int64).view("datetime64[us]")

    def _read(self, value: Any) -> Cell:
        try:
            found = moment(value, self.column.form)
        except (ValueError, OverflowError):
            return self._refuse(f"expected {self.expected}, got '{short(str(value))}'")
        if found is None:
            return self._unexpected(value)
        since = found - _EPOCH
        micros = (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
        return _range_cell(self.column, micros, micros / 1e6, found.isoformat(), iso)


class ImageReader(ColumnReader):
    """Images as base64 or data URLs; a form's files and V2's binary tensors arrive as these, too."""

    expected = "an image as base64 or a data URL"
    error_type = "image_type"
    logged = False
    """Rows come from the prediction log: the name of an image stands for one that is not there."""

    def _make_quick(self) -> Callable[[Any], Any]:
        empty = "" if self.column.nullable else None

        def quick(value: Any) -> Any:
            return empty if value is None else None

        return quick

    def _read(self, value: Any) -> Cell:
        if isinstance(value, Picture):  # given through by the project's ``derive``
            return Cell(value)
        if not isinstance(value, str):
            return self._unexpected(value)
        if is_reference(value):
            if self.logged:
                return Cell(value)
            return self._refuse("this is the log's name of an image; send the image itself", "image_absent")
        try:
            return Cell(Picture.sent(image_bytes(value)))
        except PictureInvalid as error:
            return self._refuse(error.msg, error.kind)


class LooseReader(ColumnReader):
    """Columns no model reads (identifiers, constants): whatever is sent, or nothing."""

    def _make_quick(self) -> Callable[[Any], Any]:
        def quick(value: Any) -> Any:
            return value if type(value) is str and value.isascii() else None

        return quick

    def _read_missing(self) -> Cell:
        return Cell("")

    def _read(self, value: Any) -> Cell:
        forms = spellings(value)
        return Cell(clean_string(forms[0]) if forms else "")


_READERS: dict[Kind, type[ColumnReader]] = {
    Kind.NUMERIC: NumberReader,
    Kind.INTEGER: IntegerReader,
    Kind.BOOLEAN: BooleanReader,
    Kind.CATEGORICAL: CategoryReader,
    Kind.TEXT: TextReader,
    Kind.DATETIME: DateReader,
    Kind.IMAGE: ImageReader,
    Kind.IDENTIFIER: LooseReader,
    Kind.CONSTANT: LooseReader,
}


def reader_for(column: Column, *, logged: bool = False) -> ColumnReader:
    """The reader of a column's kind; ``logged`` for values as the prediction log keeps them."""
    reader = _READERS[column.kind](column)
    if isinstance(reader, ImageReader):
        reader.logged = logged
    return reader


def _quiet_range(column: Column) -> tuple[float, float]:
    """The finite range within which a number needs no word."""
    lows = [bound for bound in (column.minimum, column.observed_min) if bound is not None]
    highs = [bound for bound in (column.maximum, column.observed_max) if bound is not None]
    return max([-_LARGEST, *lows]), min([_LARGEST, *highs])


def _range_cell(column: Column, cell: Any, number: float, shown: str, word: Callable[[float], str]) -> Cell:
    """``cell`` checked against the hard limits and the training range (both in ``number``'s unit)."""
    if column.minimum is not None and number < column.minimum:
        msg = f"{shown} is below the least allowed value {word(column.minimum)}"
        return Cell(_missing_of(column), error=Remark(msg, "greater_than_equal"))
    if column.maximum is not None and number > column.maximum:
        msg = f"{shown} is above the largest allowed value {word(column.maximum)}"
        return Cell(_missing_of(column), error=Remark(msg, "less_than_equal"))
    low = -math.inf if column.observed_min is None else column.observed_min
    high = math.inf if column.observed_max is None else column.observed_max
    if low <= number <= high:
        return Cell(cell)
    side = f"below {word(low)}" if number < low else f"above {word(high)}"
    remark = Remark(f"{shown} is {side}, the end of the range seen in training", "outside_observed")
    if column.strict:
        return Cell(_missing_of(column), error=remark)
    return Cell(cell, warning=remark)


def _missing_of(column: Column) -> Any:
    return _READERS[column.kind].missing
