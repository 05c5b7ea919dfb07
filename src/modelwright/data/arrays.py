"""Table columns as NumPy arrays: the form in which every later step takes them."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from modelwright.data.cells import booleans, cells, moments, numbers, one_chunk
from modelwright.data.faults import ColumnMissing
from modelwright.data.kinds import is_string
from modelwright.schema.columns import Column, Kind, Scalar, TableSchema
from modelwright.schema.metrics import Task

ColumnArrays = dict[str, np.ndarray]
"""One 1-D array per column, all of equal length.

Numeric, integer and boolean: float64, NaN where missing. Datetime: ``datetime64[us]`` in UTC, NaT
where missing. Categorical, text, identifier and image: object array of ``str``, "" where missing.
"""

_NUMERIC = frozenset({Kind.NUMERIC, Kind.INTEGER})


def column_arrays(table: pa.Table, schema: TableSchema | Iterable[Column]) -> ColumnArrays:
    """The feature columns of ``table`` by name. Cells that do not fit their kind count as missing.

    A float64 column without nulls is not copied: treat the arrays as read-only.

    Raises:
        ColumnMissing: The table lacks one of the schema's columns.
    """
    arrays: ColumnArrays = {}
    for column in schema:
        if column.name not in table.column_names:
            raise ColumnMissing(column.name, "a feature", table.column_names)
        arrays[column.name] = column_array(table.column(column.name), column)[0]
    return arrays


def column_array(values: pa.ChunkedArray, column: Column) -> tuple[np.ndarray, NDArray[np.bool_]]:
    """One column as its kind wants it, and which filled cells do not fit that kind."""
    if column.kind in _NUMERIC:
        return _numbers(values)
    if column.kind is Kind.BOOLEAN:
        return _booleans(values, column)
    if column.kind is Kind.DATETIME:
        return _moments(values, column.form)
    return strings(values), np.zeros(len(values), dtype=np.bool_)


def _numbers(values: pa.ChunkedArray) -> tuple[np.ndarray, NDArray[np.bool_]]:
    if is_string(values):
        found = cells(values)
        parsed, fits = numbers(found.values)
        return found.spread(parsed, np.nan), found.spread(~fits, False).astype(np.bool_)
    none = np.zeros(len(values), dtype=np.bool_)
    if pa.types.is_timestamp(values.type):
        return np.full(len(values), np.nan), ~none
    if pa.types.is_boolean(values.type):
        values = values.cast(pa.int8())
    array = one_chunk(values).to_numpy(zero_copy_only=False)
    return array.astype(np.float64, copy=False), none


def _booleans(values: pa.ChunkedArray, column: Column) -> tuple[np.ndarray, NDArray[np.bool_]]:
    if is_string(values):
        found = cells(values)
        parsed, fits = booleans(found.values)
        for truth, spelling in enumerate(column.categories[:2]):
            same = pc.equal(found.values, spelling).to_numpy(zero_copy_only=False)
            parsed[same], fits[same] = float(truth), True
        return found.spread(parsed, np.nan), found.spread(~fits, False).astype(np.bool_)
    array, _ = _numbers(values)
    wrong = ~np.isnan(array) & (array != 0) & (array != 1)
    return (np.where(wrong, np.nan, array) if wrong.any() else array), wrong


def _moments(values: pa.ChunkedArray, form: str) -> tuple[np.ndarray, NDArray[np.bool_]]:
    if is_string(values):
        found = cells(values)
        parsed, fits = moments(found.values, form)
        return found.spread(parsed, np.datetime64("NaT", "us")), found.spread(~fits, False).astype(np.bool_)
    if pa.types.is_timestamp(values.type):
        array = one_chunk(values.cast(pa.timestamp("us"))).to_numpy(zero_copy_only=False)
        return array.astype("datetime64[us]", copy=False), np.zeros(len(values), dtype=np.bool_)
    filled = values.is_valid().to_numpy()
    return np.full(len(values), np.datetime64("NaT", "us"), dtype="datetime64[us]"), filled.astype(np.bool_)


def strings(values: pa.ChunkedArray) -> np.ndarray:
    """Object array of ``str``; equal cells share one object, missing ones are ""."""
    found = cells(as_text(values))
    distinct = np.empty(len(found.values) + 1, dtype=object)
    distinct[:-1] = found.values.to_pylist()
    distinct[-1] = ""
    return distinct[found.codes]


def as_text(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Any column as strings: whole numbers without a decimal point, booleans as true and false."""
    if is_string(values):
        return values
    if pa.types.is_floating(values.type):
        array = one_chunk(values).to_numpy(zero_copy_only=False)
        filled = array[~np.isnan(array)]
        if _all_whole(filled):
            values = pa.chunked_array([pa.array(array, from_pandas=True).cast(pa.int64())])
    return values.cast(pa.string())


def _all_whole(values: np.ndarray) -> bool:
    """Whether every float is a whole number that int64 holds exactly."""
    return bool((np.abs(values) < 2**53).all()) and bool((values == np.floor(values)).all())


def labelled_rows(table: pa.Table, target: str) -> pa.Table:
    """The rows whose target is known; the very same table if all are."""
    known = is_filled(table.column(target))
    return table if known.all() else table.filter(pa.array(known))


def filled_cells(array: np.ndarray) -> NDArray[np.bool_]:
    """Which cells of a column array are not missing."""
    if array.dtype == object:
        return np.asarray(array != "", dtype=np.bool_)
    return np.asarray(~(np.isnat(array) if array.dtype.kind == "M" else np.isnan(array)), dtype=np.bool_)


def is_filled(values: pa.ChunkedArray) -> NDArray[np.bool_]:
    """Which cells are not missing: neither null, nor NaN, nor an empty string."""
    if is_string(values):
        return cells(values).codes >= 0
    valid = values.is_valid().to_numpy()
    if pa.types.is_floating(values.type):
        return np.asarray(valid & ~np.isnan(one_chunk(values).to_numpy(zero_copy_only=False)), dtype=np.bool_)
    return np.asarray(valid, dtype=np.bool_)


def target_labels(values: pa.ChunkedArray) -> tuple[tuple[Scalar, ...], NDArray[np.int64]]:
    """The distinct values of a target without gaps, sorted, and each row's place among them.

    Whole decimals (``1.0``) are given as integers, so that they read as the data file's author
    thinks of them; all else as the column holds it.
    """
    if is_string(values):
        found = cells(values)
        words = found.values.to_pylist()
        order = sorted(range(len(words)), key=words.__getitem__)
        place = np.empty(len(words) + 1, dtype=np.int64)
        place[order] = np.arange(len(words))
        place[-1] = -1
        return tuple(words[index] for index in order), place[found.codes]
    if pa.types.is_timestamp(values.type):
        return target_labels(values.cast(pa.string()))
    array = one_chunk(values).to_numpy(zero_copy_only=False)
    distinct, codes = np.unique(array, return_inverse=True)
    if distinct.dtype.kind == "f" and _all_whole(distinct):
        distinct = distinct.astype(np.int64)
    return tuple(distinct.tolist()), codes.astype(np.int64)


def target_values(
    table: pa.Table, target: Column, task: Task
) -> tuple[tuple[Scalar, ...], NDArray[np.int64]] | tuple[tuple[()], NDArray[np.float64]]:
    """What is to be predicted, of a table whose targets are all known (see ``labelled_rows``).

    Returns:
        Classification: the labels in sorted order, and int64 codes [rows] into them. Regression: no
        labels, and float64 values [rows].
    """
    values = table.column(target.name)
    if task is Task.CLASSIFICATION:
        return target_labels(values)
    return (), _numbers(values)[0]
