"""Rows as people send them to column arrays: the one place that says what a row means.

The command line, every protocol of the server and batch prediction read rows here.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec
import numpy as np

from modelwright.bundle.cells import ColumnReader, NumberReader, Remark, reader_for
from modelwright.bundle.derive import Derive, DeriveFault, python_rows
from modelwright.bundle.encode import ColumnArrays
from modelwright.bundle.format import BundleSchema
from modelwright.bundle.lookup import Joiner
from modelwright.schema.columns import Kind, TableSchema

_BULK = 16  # from this many rows on, a column of plain numbers is checked as an array
_MOST_EXTRAS = 10
_LONGEST_INPUT = 200
_MOST_ITEMS = 20
_PLAIN_NUMBERS = frozenset({int, float})


class RowError(msgspec.Struct, frozen=True):
    """Why a row is refused.

    Attributes:
        row: Position of the row in what was sent.
        loc: Where: ``("features", column name)``, or ``("features",)`` for the row itself.
        msg: What is wrong, in words.
        type: A stable word for programs.
        input: What was sent, shortened.
    """

    row: int
    loc: tuple[str | int, ...]
    msg: str
    type: str
    input: Any


class RowWarning(msgspec.Struct, frozen=True):
    """What is unusual in a row that is answered nevertheless; fields as in ``RowError``."""

    loc: tuple[str | int, ...]
    msg: str
    type: str
    input: Any


@dataclass
class Reading:
    """Rows read.

    Attributes:
        columns: The models' feature columns, one entry a row; refused rows hold fillers.
        errors: Every error of every row.
        warnings: The warnings of each row.
        generation: Number of the generation of features in which was looked up; 0 for none.
    """

    columns: ColumnArrays
    errors: list[RowError] = field(default_factory=list)
    warnings: list[list[RowWarning]] = field(default_factory=list)
    generation: int = 0

    @property
    def refused(self) -> frozenset[int]:
        """Positions of the rows with an error."""
        return frozenset(error.row for error in self.errors)


class TableReader:
    """Reads rows of one table.

    Args:
        schema: The table.
        remark_extras: Warn of columns that the table does not have.
        logged: The rows are as the prediction log keeps them, with names in place of images.

    Attributes:
        schema: The table.
        readers: One for each of its columns, in order; ``readers[i].quick`` and ``.read`` say what a
            value means.
    """

    def __init__(self, schema: TableSchema, *, remark_extras: bool = True, logged: bool = False) -> None:
        self.schema = schema
        self.readers: tuple[ColumnReader, ...] = tuple(reader_for(column, logged=logged) for column in schema)
        self._names = schema.names
        self._numeric = tuple(reader for reader in self.readers if isinstance(reader, NumberReader))
        self._others = tuple(reader for reader in self.readers if not isinstance(reader, NumberReader))
        self._numeric_names = tuple(reader.name for reader in self._numeric)
        self._known = schema.lineage.union(self._names)
        self._remark_extras = remark_extras
        self._dotted = any("." in name for name in self._names)

    def read(self, rows: Sequence[Any]) -> Reading:
        """Read ``rows``, each an object by column name or a list in the schema's order. Never raises."""
        reading = Reading(columns={}, warnings=[[] for _ in rows])
        named = [self._as_object(position, row, reading) for position, row in enumerate(rows)]
        self._check_extras(named, reading)
        columns: dict[str, np.ndarray] = {}
        if self._numeric:
            blocks = [self._cells(reader, named, reading) for reader in self._numeric]
            # One array for all numbers, then a view a column: for a single row far cheaper.
            matrix = np.array(blocks, dtype=np.float64).reshape(len(self._numeric), len(rows))
            columns.update(zip(self._numeric_names, matrix, strict=True))
        for reader in self._others:
            columns[reader.name] = reader.array(self._cells(reader, named, reading))
        reading.columns = columns
        reading.errors.sort(key=_row_of)
        return reading

    def _as_object(self, position: int, row: Any, reading: Reading) -> Mapping[str, Any] | None:
        if isinstance(row, Mapping):
            plain = row if type(row) is dict else dict(row)
            return _flattened(plain, self._known) if self._dotted else plain
        if not isinstance(row, list | tuple | np.ndarray):
            msg = "a row must be an object by column name, or a list of values in order"
            reading.errors.append(RowError(position, ("features",), msg, "row_type", _shown(row)))
            return None
        if len(row) != len(self._names):
            shown = ", ".join(self._names[:20]) + (", ..." if len(self._names) > 20 else "")
            msg = f"expected {len(self._names)} values ({shown}), got {len(row)}"
            reading.errors.append(RowError(position, ("features",), msg, "list_length", _shown(list(row))))
            return None
        return dict(zip(self._names, row, strict=True))

    def _cells(
        self, reader: ColumnReader, rows: list[Mapping[str, Any] | None], reading: Reading
    ) -> list[Any] | np.ndarray:
        """One column's cells; remarks go into ``reading``."""
        name = reader.name
        values = [None if row is None else row.get(name) for row in rows]
        if len(values) >= _BULK and isinstance(reader, NumberReader):
            bulk = _bulk_numbers(reader, values)
            if bulk is not None:
                return bulk
        quick = reader.quick
        cells = [quick(value) for value in values]
        if None in cells:
            for position, cell in enumerate(cells):
                if cell is None:
                    cells[position] = self._slow(reader, position, rows[position], reading)
        return cells

    def _slow(
        self, reader: ColumnReader, position: int, row: Mapping[str, Any] | None, reading: Reading
    ) -> Any:
        """The cell of a value that ``quick`` passed on; tells of its error or warning."""
        if row is None:
            return reader.missing
        name = reader.name
        value = row.get(name)
        cell = reader.read(value)
        where = ("features", name)
        if cell.error is not None:
            error = self._absent(name, row) if name not in row else cell.error
            reading.errors.append(RowError(position, where, error.msg, error.type, _shown(value)))
        if cell.warning is not None:
            warning = RowWarning(where, cell.warning.msg, cell.warning.type, _shown(value))
            reading.warnings[position].append(warning)
        return cell.value

    def _absent(self, name: str, row: Mapping[str, Any]) -> Remark:
        extras = [key for key in row if isinstance(key, str) and key not in self._known]
        close = difflib.get_close_matches(name.lower(), [key.lower()[:200] for key in extras[:50]], n=1)
        for key in extras:
            if close and key.lower() == close[0]:
                return Remark(f"the column is required; did you mean it by '{key}'?", "missing")
        return Remark("the column is required", "missing")

    def _check_extras(self, rows: list[Mapping[str, Any] | None], reading: Reading) -> None:
        if not self._remark_extras:
            return
        known = self._known
        for position, row in enumerate(rows):
            if row is None or row.keys() <= known:
                continue
            extras = sorted((key for key in row if key not in known), key=str)
            for key in extras[:_MOST_EXTRAS]:
                where = ("features", _shown(str(key)))
                msg = "the model does not know this column; it was ignored"
                warning = RowWarning(where, msg, "unknown_column", _shown(row[key]))
                reading.warnings[position].append(warning)


class RowReader:
    """Reads what clients send into what the models see: looked up and derived, where the project does so.

    Attributes:
        inputs: The reader of what is sent.
        joiner: Looks up what no client sends; ``None`` where nothing is.
        features: The reader of what ``derive`` gives; the same as ``inputs`` without a ``derive``.
    """

    def __init__(self, schema: BundleSchema, derive: Derive | None = None, *, logged: bool = False) -> None:
        self.schema = schema
        self.inputs = TableReader(schema.inputs, logged=logged)
        self.joiner = None if schema.lookup is None else Joiner(schema.lookup)
        self.derive = derive
        self.features = (
            TableReader(schema.features, remark_extras=False, logged=logged) if derive else self.inputs
        )

    def read(self, rows: Sequence[Any], *, now: datetime | None = None) -> Reading:
        """Read ``rows``; never raises for anything a row holds.

        Args:
            rows: Objects by column name, or lists in the order of the schema's inputs.
            now: The moment ``derive`` is told; the present by default.
        """
        reading = self.inputs.read(rows)
        if self.joiner is not None:
            self._join(reading, self.joiner)
        if self.derive is None:
            return reading
        return self._derived(reading, self.derive, now or datetime.now(UTC))

    def completed(self, columns: dict[str, np.ndarray]) -> Reading:
        """What the models see of rows whose inputs were read before and left no question.

        Only where there is no ``derive``: that may refuse a row.
        """
        reading = Reading(columns)
        if self.joiner is not None:
            reading.warnings = [[] for _ in next(iter(columns.values()))]
            self._join(reading, self.joiner)
        return reading

    @staticmethod
    def _join(reading: Reading, joiner: Joiner) -> None:
        """Add the columns that are looked up, and say whose key is not known."""
        key = joiner.lookup.key
        found, known, reading.generation = joiner.join(reading.columns)
        if not known.all():
            refused = reading.refused
            for row in np.flatnonzero(~known).tolist():
                if row not in refused:
                    value = reading.columns[key][row]
                    remark = RowWarning(("features", key), *joiner.remark(value), _shown(value or None))
                    reading.warnings[row].append(remark)
        reading.columns = {**reading.columns, **found}

    def _derived(self, reading: Reading, derive: Derive, now: datetime) -> Reading:
        refused = reading.refused
        derived: list[Any] = []
        for position, row in enumerate(python_rows(reading.columns, self.schema.inputs)):
            try:
                derived.append({} if position in refused else derive(row, now))
            except DeriveFault as fault:
                error = RowError(position, ("features",), fault.reason, "derive", None)
                reading.errors.append(error)
                derived.append({})
        silent = reading.refused
        second = self.features.read(derived)
        reading.errors.extend(error for error in second.errors if error.row not in silent)
        for first, more in zip(reading.warnings, second.warnings, strict=True):
            told = {(warning.loc, warning.type) for warning in first}
            first.extend(warning for warning in more if (warning.loc, warning.type) not in told)
        reading.columns = second.columns
        reading.errors.sort(key=_row_of)
        return reading


def _flattened(row: dict[str, Any], known: frozenset[str]) -> dict[str, Any]:
    """``row`` with the objects in it as ``outer.inner`` values, as the training data's reader has them."""
    if not any(type(value) is dict and name not in known for name, value in row.items()):
        return row
    flat: dict[str, Any] = {}
    pending = list(reversed(row.items()))
    while pending:
        name, value = pending.pop()
        if type(value) is dict and value and name not in known:
            pending.extend((f"{name}.{inner}", cell) for inner, cell in reversed(value.items()))
        else:
            flat.setdefault(name, value)
    return flat


def _row_of(error: RowError) -> int:
    return error.row


def _bulk_numbers(reader: NumberReader, values: list[Any]) -> np.ndarray | None:
    """The cells of a column in which every value is unremarkable; ``None`` if any is not."""
    if not set(map(type, values)) <= _PLAIN_NUMBERS:
        return None
    try:
        numbers = np.array(values, dtype=np.float64)
    except OverflowError:
        return None
    column = reader.column
    lows = [bound for bound in (column.minimum, column.observed_min) if bound is not None]
    highs = [bound for bound in (column.maximum, column.observed_max) if bound is not None]
    with np.errstate(invalid="ignore"):
        # A comparison with NaN is false, so it is remarked on like a value out of range.
        fine = np.isfinite(numbers)
        fine &= numbers >= max(lows, default=-math.inf)
        fine &= numbers <= min(highs, default=math.inf)
        if column.kind is Kind.INTEGER:
            fine &= numbers == np.floor(numbers)
    return numbers if fine.all() else None


def _shown(value: Any, *, depth: int = 1) -> Any:
    """``value`` as JSON can carry it, shortened; of what is nested only the first level."""
    if depth and isinstance(value, list | tuple):
        shown = [_shown(each, depth=depth - 1) for each in value[:_MOST_ITEMS]]
        return [*shown, f"and {len(value) - _MOST_ITEMS} more"] if len(value) > _MOST_ITEMS else shown
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, int):
        return value if value.bit_length() < 64 else "(an integer of many digits)"
    if isinstance(value, str):
        text = value.encode("utf-8", "replace").decode("utf-8")
    else:
        text = f"({type(value).__name__})"
    return text if len(text) <= _LONGEST_INPUT else f"{text[:_LONGEST_INPUT]}..."
