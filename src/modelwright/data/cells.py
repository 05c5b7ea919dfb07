"""What the strings of a column say: numbers, booleans, moments.

Everything works on the distinct values, so a column of a million cells with ten spellings costs ten.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

_NUMBER = r"^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$|^\s*[+-]?([iI]nf|[iI]nfinity|INF)\s*$"

BOOLEAN_PAIRS = (("false", "true"), ("no", "yes"), ("n", "y"), ("f", "t"), ("off", "on"))
"""Spellings of (false, true), compared without regard to case."""

ISO = ""
"""The name of ISO 8601 among the date forms."""

DATE_FORMS = (
    ISO,
    "%Y/%m/%d",
    "%Y/%m/%d %H:%M:%S",
    "%Y/%m/%d %H:%M",
    "%m/%d/%Y",
    "%d/%m/%Y",
    "%m/%d/%Y %H:%M:%S",
    "%d/%m/%Y %H:%M:%S",
    "%m/%d/%Y %H:%M",
    "%d/%m/%Y %H:%M",
    "%m/%d/%Y %I:%M:%S %p",
    "%d/%m/%Y %I:%M:%S %p",
    "%m/%d/%Y %I:%M %p",
    "%d.%m.%Y",
    "%d.%m.%Y %H:%M:%S",
    "%d.%m.%Y %H:%M",
    "%d-%m-%Y",
    "%m-%d-%Y",
    "%d %b %Y",
    "%d-%b-%Y",
    "%b %d, %Y",
    "%B %d, %Y",
    "%d %B %Y",
)
"""Forms of dates that are recognised, the first that fits winning: month before day where both fit."""

_ISO = re.compile(
    r"\s*\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}([.,]\d{1,9})?)?\s*(Z|[+-]\d{2}:?(\d{2})?)?)?\s*"
)


def one_chunk(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    """The column's cells as one array, without a copy where they are one already."""
    if isinstance(column, pa.ChunkedArray):
        return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
    return column


class Cells(NamedTuple):
    """A string column as its distinct values and where each stands.

    Attributes:
        values: Distinct strings, in order of first appearance; no nulls.
        codes: int32 [rows], an index into ``values``; -1 where the cell is missing.
        counts: int64 [values], how many cells hold each.
    """

    values: pa.Array
    codes: NDArray[np.int32]
    counts: NDArray[np.int64]

    @property
    def filled(self) -> int:
        """How many cells are not missing."""
        return int(self.counts.sum())

    def spread(self, of_value: NDArray[Any], missing: Any) -> NDArray[Any]:
        """One item per cell, from one per distinct value."""
        if not len(of_value):
            return np.full(len(self.codes), missing, dtype=of_value.dtype)
        spread = of_value[self.codes]
        spread[self.codes < 0] = missing
        return spread


def cells(column: pa.ChunkedArray) -> Cells:
    """Distinct values of a string column; empty strings count as missing."""
    encoded = one_chunk(column).dictionary_encode()
    codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int32, copy=False)
    values = encoded.dictionary
    empty = pc.index(values, pa.scalar("", values.type)).as_py()
    if empty >= 0:
        codes = np.where(codes == empty, -1, codes - (codes > empty)).astype(np.int32)
        values = pa.concat_arrays([values[:empty], values[empty + 1 :]])
    counts = np.bincount(codes[codes >= 0], minlength=len(values)).astype(np.int64)
    return Cells(values, codes, counts)


def numbers(values: pa.Array) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Each string as a float64, and which ones are numbers (NaN where not)."""
    fits = pc.match_substring_regex(values, _NUMBER)
    numeric = pc.if_else(fits, pc.utf8_trim_whitespace(values), pa.scalar(None, values.type))
    # "+5" is a number to people, not to the cast.
    parsed = pc.replace_substring_regex(numeric, r"^\+", "").cast(pa.float64())
    return _floats(parsed), _flags(fits)


def _floats(array: pa.Array) -> NDArray[np.float64]:
    return np.asarray(array.to_numpy(zero_copy_only=False), dtype=np.float64)


def _flags(array: pa.Array) -> NDArray[np.bool_]:
    return np.asarray(array.fill_null(False).to_numpy(zero_copy_only=False), dtype=np.bool_)


def boolean_pair(values: pa.Array) -> tuple[str, str] | None:
    """The two spellings (false, true) if the distinct values are exactly one such pair."""
    if len(values) != 2:
        return None
    spelled = {value.strip().casefold(): value for value in values.to_pylist()}
    for no, yes in BOOLEAN_PAIRS:
        if spelled.keys() == {no, yes}:
            return spelled[no], spelled[yes]
    return None


def booleans(values: pa.Array) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Each string as 0.0 or 1.0 by any of the known spellings, and which ones are (NaN where not)."""
    meaning = {word: float(truth) for pair in BOOLEAN_PAIRS for truth, word in enumerate(pair)}
    meaning |= {"0": 0.0, "1": 1.0, "0.0": 0.0, "1.0": 1.0}
    said = [meaning.get(value.strip().casefold()) for value in values.to_pylist()]
    flags = np.array([item is not None for item in said], dtype=np.bool_)
    return np.array([np.nan if item is None else item for item in said], dtype=np.float64), flags


def moments(values: pa.Array, form: str) -> tuple[NDArray[np.datetime64], NDArray[np.bool_]]:
    """Each string as a UTC ``datetime64[us]``, and which ones are (NaT where not).

    Args:
        values: Strings.
        form: One of ``DATE_FORMS``. A moment without an offset is taken as UTC.
    """
    trimmed = pc.utf8_trim_whitespace(values)
    parsed = _iso(trimmed) if form == ISO else _formed(trimmed, form)
    array = np.asarray(parsed.to_numpy(zero_copy_only=False), dtype="datetime64[us]")
    return array, ~np.isnat(array)


def _formed(values: pa.Array, form: str) -> pa.Array:
    return pc.strptime(values, format=form, unit="us", error_is_null=True)


def _iso(values: pa.Array) -> pa.Array:
    """ISO 8601 dates and times with or without offset; each spelling is brought to one the cast takes."""
    fits = pc.match_substring_regex(values, f"^(?:{_ISO.pattern})$")
    spelled = pc.if_else(fits, values, pa.scalar(None, values.type))
    spelled = pc.replace_substring_regex(spelled, r"[,](\d+)", r".\1")
    spelled = pc.replace_substring_regex(spelled, r"(\.\d{6})\d+", r"\1")
    zoned = pc.match_substring_regex(spelled, r":\d{2}(\.\d+)?\s*(Z|[+-]\d{2}:?(\d{2})?)$").fill_null(False)
    nothing = pa.scalar(None, spelled.type)
    plain = _cast_moments(pc.if_else(zoned, nothing, spelled), pa.timestamp("us"))
    if not pc.any(zoned).as_py():
        return plain
    compact = pc.replace_substring_regex(
        pc.if_else(zoned, spelled, nothing), r"\s+(Z|[+-]\d{2}:?(\d{2})?)$", r"\1"
    )
    utc = _cast_moments(compact, pa.timestamp("us", "UTC")).cast(pa.timestamp("us"))
    return pc.coalesce(utc, plain)


def _cast_moments(values: pa.Array, kind: pa.DataType) -> pa.Array:
    try:
        return values.cast(kind)
    except pa.ArrowInvalid:
        # Some date does not exist (2021-02-30): halve until it stands alone.
        if len(values) == 1:
            return pa.nulls(1, kind)
        half = len(values) // 2
        return pa.concat_arrays([_cast_moments(values[:half], kind), _cast_moments(values[half:], kind)])


def date_form(values: pa.Array, share: float) -> str | None:
    """The first of ``DATE_FORMS`` that at least ``share`` of the strings have, if there is one."""
    if not len(values):
        return None
    best, best_share = None, 0.0
    for form in DATE_FORMS:
        found = float(moments(values, form)[1].mean())
        if found > best_share:
            best, best_share = form, found
        if best_share == 1.0:
            break
    return best if best_share >= share else None
