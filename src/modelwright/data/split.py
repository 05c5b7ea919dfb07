"""Holds rows out to measure quality: stratified, by time or by group; seeded; nothing on both sides.

Which side a row falls on is decided by a hash of its values and the seed, not by its place in the
file: the same rows in another order give the same split. Rows with identical features are one unit
and never part, also where their targets differ.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from modelwright.data.arrays import ColumnArrays, is_filled, strings
from modelwright.data.cells import cells, date_form, moments, one_chunk
from modelwright.data.kinds import is_string
from modelwright.data.rowhash import column_hashes, mix, row_hashes
from modelwright.errors import ExitCode, ModelwrightError
from modelwright.project import model
from modelwright.schema.metrics import Task

_LEAST_KINDS = 2  # rows that are alike are validated on together: of one kind only, none would be fitted on


class SplitImpossible(ModelwrightError):
    """The rows cannot be parted as the project asks."""

    code = ExitCode.DATA


class Split(NamedTuple):
    """Which rows learn and which measure.

    Attributes:
        train, test: Row indices, ascending int64.
        left_out: Rows in neither, because a row with the same features is on the other side (only
            with ``by_time`` and ``by_group``, which decide the side by another column).
        duplicates: Rows whose features repeat an earlier row's.
    """

    train: NDArray[np.int64]
    test: NDArray[np.int64]
    left_out: NDArray[np.int64]
    duplicates: int


def split(
    table: pa.Table, arrays: ColumnArrays, settings: model.Split, y: NDArray[np.generic] | None, task: Task
) -> Split:
    """Part the rows of ``table`` into train and test.

    Args:
        table: The table itself, for the columns of ``by_time`` and ``by_group``.
        arrays: Its feature columns [rows].
        settings: Share, seed, and what to go by.
        y: Class codes of a classification (used to stratify), values of a regression, none for
            clustering.
        task: What is trained.

    Raises:
        SplitImpossible: A side would be empty, a class would be missing in training, the rows of
            training would be all alike, or the time or group is missing in some rows.
    """
    hashes = row_hashes(arrays.values())
    units, first, unit = np.unique(hashes, return_index=True, return_inverse=True)
    duplicates = len(hashes) - len(units)
    codes = y.astype(np.int64) if task is Task.CLASSIFICATION and y is not None else None
    if settings.by_time is not None:
        test = _latest(_times(table.column(settings.by_time), settings.by_time), settings.test)
    elif settings.by_group is not None:
        test = _groups(table.column(settings.by_group), hashes, settings)
    else:
        strata = np.zeros(len(units), dtype=np.int64) if codes is None else codes[first]
        test = _stratified(units, unit, strata, settings)[unit]
    seen_in_test = np.zeros(len(units), dtype=np.bool_)
    seen_in_test[unit[test]] = True
    left_out = seen_in_test[unit] & ~test
    result = Split(
        np.flatnonzero(~test & ~left_out), np.flatnonzero(test), np.flatnonzero(left_out), duplicates
    )
    _check(result, codes, settings)
    if len(np.unique(unit[result.train])) < _LEAST_KINDS:
        raise SplitImpossible(
            f"Only {len(units):,} of {len(unit):,} rows differ in more than the target: too few to learn.",
            "Add columns that tell rows apart, or see what was left out and why: modelwright data show.",
        )
    return result


def _order(hashes: NDArray[np.uint64], seed: int) -> NDArray[np.uint64]:
    return mix(hashes ^ mix(np.full(1, seed, dtype=np.uint64)))


def _stratified(
    units: NDArray[np.uint64], unit: NDArray[np.int64], strata: NDArray[np.int64], settings: model.Split
) -> NDArray[np.bool_]:
    """Which units are held out, so that each stratum gives its share of rows."""
    sizes = np.bincount(unit, minlength=len(units))
    order = np.lexsort((_order(units, settings.seed), strata))
    quotas = _quotas(np.bincount(strata, weights=sizes).astype(np.int64), settings.test)
    held = np.zeros(len(units), dtype=np.bool_)
    bounds = np.concatenate([[0], np.cumsum(np.bincount(strata))])
    for stratum, quota in enumerate(quotas):
        members = order[bounds[stratum] : bounds[stratum + 1]]
        held[members[_fill(sizes[members], int(quota))]] = True
    return held


def _fill(sizes: NDArray[np.int64], quota: int) -> NDArray[np.bool_]:
    """The first units whose rows fit into the quota; single rows fill what larger ones left."""
    chosen = np.cumsum(sizes) <= quota
    short = quota - int(sizes[chosen].sum())
    if short:
        singles = np.flatnonzero((sizes == 1) & ~chosen)[:short]
        chosen[singles] = True
        short -= len(singles)
    if short:
        for place in np.flatnonzero(~chosen & (sizes <= short)):
            if sizes[place] <= short:
                chosen[place] = True
                short -= int(sizes[place])
    return chosen


def _quotas(counts: NDArray[np.int64], share: float) -> NDArray[np.int64]:
    """Rows to hold out per stratum: their sum is the share of all, each within one row of its own."""
    exact = counts * share
    quotas = np.floor(exact).astype(np.int64)
    spare = round(float(exact.sum())) - int(quotas.sum())
    by_rest = np.argsort(-(exact - quotas), kind="stable")
    quotas[by_rest[: max(0, spare)]] += 1
    # A class of two rows or more is on both sides.
    return np.asarray(np.clip(quotas, np.minimum(counts // 2, 1), np.maximum(counts - 1, 0)))


def _times(values: pa.ChunkedArray, name: str) -> NDArray[np.float64]:
    filled = is_filled(values)
    if is_string(values):
        found = cells(values)
        array, fits = moments(found.values, date_form(found.values[:5000], 0.5) or "")
        times = found.spread(array.astype("datetime64[us]").astype(np.int64).astype(np.float64), np.nan)
        filled &= found.spread(fits, False).astype(np.bool_)
    elif pa.types.is_timestamp(values.type):
        moment = one_chunk(values.cast(pa.timestamp("us"))).to_numpy(zero_copy_only=False)
        times = moment.astype("datetime64[us]").astype(np.int64).astype(np.float64)
    else:
        times = one_chunk(values).to_numpy(zero_copy_only=False).astype(np.float64)
    if not filled.all():
        rows = np.flatnonzero(~filled)
        raise SplitImpossible(
            f"Column {name!r}, which the rows are to be split by, holds no time in {len(rows):,} rows "
            f"(the first: row {rows[0] + 1:,}).",
            "Fill in or remove these rows, or split by another column.",
        )
    return np.asarray(times, dtype=np.float64)


def _latest(times: NDArray[np.float64], share: float) -> NDArray[np.bool_]:
    """The latest rows; those of one moment stay together, on the side where most of them fall."""
    ordered = np.sort(times)
    start = ordered[len(times) - max(1, round(len(times) * share))]
    with_ties, without = times >= start, times > start
    wanted = len(times) * share
    if without.any() and abs(without.sum() - wanted) < abs(with_ties.sum() - wanted):
        return np.asarray(without)
    return np.asarray(with_ties if not with_ties.all() else without)


def _groups(values: pa.ChunkedArray, hashes: NDArray[np.uint64], settings: model.Split) -> NDArray[np.bool_]:
    """Whole groups up to the share of rows; a row without a group is one of its own."""
    keys = column_hashes(strings(values))
    keys = np.where(is_filled(values), keys, mix(hashes))
    groups, group = np.unique(keys, return_inverse=True)
    sizes = np.bincount(group)
    order = np.argsort(_order(groups, settings.seed), kind="stable")
    quota = round(len(keys) * settings.test)
    held = np.zeros(len(groups), dtype=np.bool_)
    held[order[_fill(sizes[order], quota)]] = True
    if not held.any() and len(groups) > 1:
        held[np.argmin(sizes)] = True
    return np.asarray(held[group])


def _check(result: Split, codes: NDArray[np.int64] | None, settings: model.Split) -> None:
    if not len(result.train) or not len(result.test):
        side = "train" if not len(result.train) else "test"
        raise SplitImpossible(
            f"The split leaves no rows to {side} with.",
            "Add rows that differ, or change data.split: the rows may be all alike, of one group or moment.",
        )
    if codes is None:
        return
    classes = int(codes.max()) + 1
    in_train = np.bincount(codes[result.train], minlength=classes)
    only_tested = np.flatnonzero((in_train == 0) & (np.bincount(codes, minlength=classes) > 0))
    if len(only_tested) or (in_train > 0).sum() < 2:
        way = (
            f"by_time: {settings.by_time}"
            if settings.by_time
            else f"by_group: {settings.by_group}"
            if settings.by_group
            else "stratified"
        )
        raise SplitImpossible(
            f"With the split ({way}), {len(only_tested)} of {classes} classes have no row to learn from.",
            "Add rows of the rare classes, or split another way.",
        )
