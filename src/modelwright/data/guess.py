"""What a person who names only a target column wants: classes told apart, or a number estimated."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from modelwright.schema.metrics import Task

_MOST_CLASSES = 20
"""Whole numbers with more distinct values than this are taken for quantities."""


def guess_task(target: pa.ChunkedArray) -> Task:
    """The task a target column asks for.

    Words and truth values are classes. Numbers are classes where they are whole and few (at most
    20 distinct, and each on five rows on average), else quantities.

    Args:
        target: The column, as ``data.load.read_table`` gives it.
    """
    known = target.drop_null()
    if pa.types.is_boolean(known.type) or not (
        pa.types.is_integer(known.type) or pa.types.is_floating(known.type)
    ):
        return Task.CLASSIFICATION
    if pa.types.is_floating(known.type) and not pc.all(pc.equal(known, pc.floor(known))).as_py():
        return Task.REGRESSION
    distinct = pc.count_distinct(known).as_py()
    few = distinct <= _MOST_CLASSES and distinct * 5 <= len(known)
    return Task.CLASSIFICATION if few or distinct <= 2 else Task.REGRESSION
