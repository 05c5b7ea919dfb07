"""Rows that clients sent as further rows of the base table: the same columns, the same types.

What a value means is read where serving reads it (``bundle.rows``); here it is only spelled as the
base table spells it, so that the next training infers the same columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa

from modelwright.data.arrays import as_text
from modelwright.schema.columns import Column, Kind

_NUMBERS = frozenset({Kind.NUMERIC, Kind.INTEGER})


def append(base: pa.Table, cells: dict[str, list[Any]], rows: int) -> pa.Table:
    """``base`` with further rows.

    Args:
        base: The table as it was read.
        cells: By column name, plain values (``spelled``) with None for missing; a column that is
            not there is missing in all new rows.
        rows: How many.

    Returns:
        The base's columns; one whose new values its type cannot hold becomes wider: whole numbers
        become numbers, anything becomes text.
    """
    columns = []
    for field in base.schema:
        old = base.column(field.name)
        given = cells.get(field.name, [None] * rows)
        for kind in (
            field.type,
            pa.float64() if pa.types.is_integer(field.type) else field.type,
            pa.string(),
        ):
            new = _typed(given, kind)
            if new is not None:
                text = kind == pa.string() and not pa.types.is_large_string(field.type)
                widened = as_text(old).cast(pa.string()) if text else old.cast(kind)
                columns.append(pa.chunked_array([*widened.chunks, new], type=kind))
                break
    return pa.table(columns, names=base.column_names)


def _typed(values: Sequence[Any], kind: pa.DataType) -> pa.Array | None:
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return pa.array([None if value is None else _text(value) for value in values], type=kind)
    if pa.types.is_integer(kind):
        whole = [
            value is None or (not isinstance(value, str) and float(value).is_integer()) for value in values
        ]
        if not all(whole):
            return None
        values = [None if value is None else int(value) for value in values]
    if pa.types.is_boolean(kind):
        if not all(value in (None, 0, 1) for value in values):
            return None
        values = [None if value is None else bool(value) for value in values]
    try:
        return pa.array(values, type=kind)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        return None


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return value.isoformat() if isinstance(value, datetime) else str(value)


def spelled(values: np.ndarray, column: Column, kind: pa.DataType) -> list[Any]:
    """One column array as plain values for a base column of type ``kind``, None where missing."""
    as_strings = pa.types.is_string(kind) or pa.types.is_large_string(kind)
    if values.dtype.kind == "M":
        moments = [None if item is None else item.replace(tzinfo=UTC) for item in values.tolist()]
        if as_strings and column.form:
            return [None if moment is None else moment.strftime(column.form) for moment in moments]
        return moments
    if values.dtype.kind == "f":
        numbers = [None if np.isnan(value) else value for value in values.tolist()]
        if column.kind is Kind.BOOLEAN and as_strings and len(column.categories) == 2:
            return [None if value is None else column.categories[int(value)] for value in numbers]
        return numbers
    texts = [value or None for value in values.tolist()]
    return texts if as_strings else [_number(text) for text in texts]


def _number(text: str | None) -> Any:
    """The number a category of a numeric column stands for, or the text itself."""
    if text is None:
        return None
    try:
        return float(text)
    except ValueError:
        return text
