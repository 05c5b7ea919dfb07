"""What is looked up for a row: features that no client sends, by the key that it does send.

A bundle says which columns these are; their values are a generation of the store's online features,
held in memory and replaced as a whole. A key that is not there, or none, leaves the columns missing,
which the models have learned to answer too: from the population.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from modelwright.bundle.format import Lookup
from modelwright.schema.columns import Kind

NUMBERS = frozenset({Kind.NUMERIC, Kind.INTEGER, Kind.BOOLEAN})
STRINGS = frozenset({Kind.CATEGORICAL})


class Known(msgspec.Struct, frozen=True):
    """One generation of what is known, in memory.

    Attributes:
        number: Of the generation.
        as_of: The moment it is true of, for people; empty if nobody said.
        places: Row of each key.
        columns: Column arrays [keys + 1]: float64 or ``str``; the last row is that of a stranger.
    """

    number: int
    as_of: str
    places: dict[str, int]
    columns: dict[str, np.ndarray]

    @classmethod
    def of(
        cls, rows: Sequence[tuple[str, Sequence[Any]]], names: Sequence[str], *, number: int, as_of: str = ""
    ) -> Known:
        """A generation out of its rows, each a key and the values of ``names``."""
        places = {key: place for place, (key, _) in enumerate(rows)}
        by_column = list(zip(*(values for _, values in rows), strict=True)) or [() for _ in names]
        return cls(
            number,
            as_of,
            places,
            {name: _array(values) for name, values in zip(names, by_column, strict=True)},
        )


def _array(values: Sequence[Any]) -> np.ndarray:
    """The column array of stored values, and one more entry that is missing."""
    if any(isinstance(value, str) for value in values):
        strings = np.empty(len(values) + 1, dtype=object)
        strings[:] = [*("" if value is None else str(value) for value in values), ""]
        return strings
    return np.array([*(np.nan if value is None else float(value) for value in values), np.nan])


class Joiner:
    """Completes rows by what is known.

    Attributes:
        lookup: Which columns.
        known: The generation in use; ``None`` before the first. Replaced as a whole, by one assignment.
    """

    def __init__(self, lookup: Lookup, known: Known | None = None) -> None:
        self.lookup = lookup
        self.known = known

    def join(self, columns: Mapping[str, np.ndarray]) -> tuple[dict[str, np.ndarray], np.ndarray, int]:
        """The columns looked up [rows], which rows' keys are known (bool [rows]), the generation's number."""
        known = self.known
        keys = columns[self.lookup.key].tolist()
        rows = {} if known is None else known.places
        places = np.array([rows.get(key, -1) for key in keys], dtype=np.int64)
        found: dict[str, np.ndarray] = {}
        for column in self.lookup.columns:
            values = None if known is None else known.columns.get(column.name)
            wanted = "O" if column.kind in STRINGS else "f"
            if values is None or values.dtype.kind != wanted:
                values = _array([]) if wanted == "f" else np.array([""], dtype=object)
                found[column.name] = np.repeat(values, len(keys))
            else:
                found[column.name] = values[places]
        return found, places >= 0, 0 if known is None else known.number

    def remark(self, key: str) -> tuple[str, str]:
        """What to say of a key that is not known: a sentence, and a stable word for programs."""
        name = self.lookup.key
        if not key:
            return f"no {name} was given, so this is answered from the population", "key_missing"
        if self.known is None:
            words = f"no features of any {name} are at hand, so this is answered from the population"
            return words, "no_features"
        return f"nothing is known of this {name}, so it is answered from the population", "key_unknown"
