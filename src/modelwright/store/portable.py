"""Which values SQLite and PostgreSQL keep alike.

Modelwright writes no others (``codec``). But SQLite takes anything in any column, so whoever else wrote
into the file may have left what PostgreSQL refuses, or what would come back as something else.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, Double, Integer, Table

from modelwright.errors import ExitCode, ModelwrightError


class CannotKeep(ModelwrightError):
    """A store holds a value that the other kind of database would refuse or alter."""

    code = ExitCode.DATA

    def __init__(self, where: str, table: Table, row: Sequence[Any], column: str, what: str) -> None:
        named = dict(zip(table.columns.keys(), row, strict=True))
        key = ", ".join(f"{each.name} {_short(named[each.name])}" for each in table.primary_key)
        super().__init__(
            f"The store {where} holds a value that not every database can keep: {column} of {table.name} "
            f"({key}) {what}.",
            "Modelwright did not write it so. Correct or delete that row in the database, then try again.",
        )


def check(where: str, table: Table, rows: Sequence[Sequence[Any]]) -> None:
    """Refuse rows of ``table`` with a value that not both databases keep as it is.

    Column by column, which is many times quicker than row by row.

    Raises:
        CannotKeep: With the first such value, its column and its row's key.
    """
    for place, (column, values) in enumerate(zip(table.columns, zip(*rows, strict=True), strict=True)):
        if not _kept(column, values):
            row = next(row for row in rows if not _kept(column, [row[place]]))
            raise CannotKeep(where, table, row, column.name, _fault(column, row[place]))


def _kept(column: Column[Any], values: Sequence[Any]) -> bool:
    present = [value for value in values if value is not None]
    kind = _kind(column)
    if not set(map(type, present)) <= {kind}:
        return False
    if kind is str:
        return not any("\0" in value for value in present)
    if kind is float:
        return all(map(math.isfinite, present))
    bound = 1 << (63 if isinstance(column.type, BigInteger) else 31)
    return kind is bool or not present or (-bound <= min(present) and max(present) < bound)


def _fault(column: Column[Any], value: Any) -> str:
    kind = _kind(column)
    if type(value) is not kind:
        words = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}
        return f"is {_short(value)}, which is not {words[kind]}"
    if kind is str:
        return "has a character U+0000 in it"
    return f"is {value}, which is {'no finite number' if kind is float else 'too large'}"


def _kind(column: Column[Any]) -> type:
    if isinstance(column.type, Boolean):
        return bool
    if isinstance(column.type, Double):
        return float
    return int if isinstance(column.type, Integer) else str


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
