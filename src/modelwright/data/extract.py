"""The rows of a query as an Arrow table."""

from __future__ import annotations

import datetime
import decimal
import uuid
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa

from modelwright.data.faults import DataUnreadable
from modelwright.project.model import SqlSource
from modelwright.store.extract import stream_rows


def read_query(source: SqlSource, base: Path) -> pa.Table:
    """Run the query and type its columns by the values it gives.

    Raises:
        DataUnreadable: It gives no rows, or a column's values have no common type.
        ExtractFailed: The database refused (see ``store.extract``).
    """
    tables = []
    # Closed here, not when it is collected: a query that is given up half-way holds a connection.
    with closing(stream_rows(source.url, source.query, base=base)) as portions:
        for names, rows in portions:
            _check_names(names)
            columns = list(zip(*rows, strict=True)) or [()] * len(names)
            tables.append(pa.table([_array(column) for column in columns], names=list(names)))
    kinds = [_common([table.schema.field(place).type for table in tables]) for place in range(len(names))]
    schema = pa.schema(list(zip(names, kinds, strict=True)))
    table = pa.concat_tables([table.cast(schema) for table in tables])
    if not table.num_rows:
        raise DataUnreadable(f"The query gives no rows: {source.query}", "Check its conditions.")
    return table


def _check_names(names: Sequence[str]) -> None:
    twice = sorted({name for name in names if list(names).count(name) > 1})
    if twice:
        raise DataUnreadable(
            f"The query gives more than one column called {', '.join(map(repr, twice))}.",
            'Give each a name of its own: select a.id as "a id", b.id as "b id" …',
        )


def _array(column: Sequence[Any]) -> pa.Array:
    plain = [_plain(value) for value in column]
    try:
        return pa.array(plain)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        # SQLite's columns may mix types: numbers stay numbers, all else is text.
        if all(value is None or isinstance(value, (int, float)) for value in plain):
            return pa.array([None if value is None else float(value) for value in plain], pa.float64())
        return pa.array([None if value is None else str(value) for value in plain], pa.string())


def _plain(value: Any) -> Any:
    if isinstance(value, decimal.Decimal):
        return float(value)
    if isinstance(value, uuid.UUID):
        return str(value)
    if isinstance(value, datetime.datetime) and value.tzinfo is not None:
        return value.astimezone(datetime.UTC).replace(tzinfo=None)
    return value


def _common(kinds: Sequence[pa.DataType]) -> pa.DataType:
    known = {kind for kind in kinds if not pa.types.is_null(kind)}
    if not known:
        return pa.string()
    if len(known) == 1:
        return known.pop()
    numeric = all(pa.types.is_integer(kind) or pa.types.is_floating(kind) for kind in known)
    return pa.float64() if numeric else pa.string()
