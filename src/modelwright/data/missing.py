"""Which cells count as missing, and how strings that say so become nulls.

The empty cell, and one of white space only, is always missing. Beside it, unless the project
says otherwise (``data.missing``), the spellings of ``schema.missing``. Words such as ``None`` or
``-`` are missing among numbers, but among words they may be a category ("fence: None"), so there they stay.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc


def blank(column: pa.ChunkedArray, spellings: Sequence[str]) -> tuple[pa.ChunkedArray, dict[str, int]]:
    """Turn the cells of a string column that mean "missing" into nulls.

    Returns:
        The column, and how many cells had each spelling (the empty cell is not counted).
    """
    trimmed = pc.utf8_trim_whitespace(column)
    gone = pc.is_in(trimmed, value_set=pa.array(["", *spellings], pa.string()))
    if not pc.any(gone).as_py():
        return column, {}
    counted = pc.value_counts(trimmed.filter(gone))
    found = {item["values"]: item["counts"] for item in counted.to_pylist() if item["values"]}
    return pc.if_else(gone, pa.scalar(None, pa.string()), column), found


def blank_numbers(column: pa.ChunkedArray, spellings: Sequence[str]) -> pa.ChunkedArray:
    """Turn the numbers that mean "missing" by the project's word (``-99``) into nulls.

    Text files are cured of them as they are read; other forms, and ``-99.0`` for ``-99``, here.
    """
    numbers = [number for number in map(_number, spellings) if number is not None]
    if not numbers:
        return column
    gone = pc.is_in(column, value_set=pa.array(numbers, pa.float64()).cast(column.type, safe=False))
    if not pc.any(gone).as_py():
        return column
    return pc.if_else(gone, pa.scalar(None, column.type), column)


def _number(spelling: str) -> float | None:
    try:
        number = float(spelling)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
