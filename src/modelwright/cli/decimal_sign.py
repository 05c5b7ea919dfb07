"""Which decimal sign a delimited file has: found out as `data.dialect` does, without training's libraries."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice

_COMMA = re.compile(r"\s*[+-]?\d*,\d+(?:[eE][+-]?\d+)?\s*")
_POINT = re.compile(r"\s*[+-]?\d*\.\d+(?:[eE][+-]?\d+)?\s*")
_LOOKED_AT = 1000
"""Rows at the top of a file that are looked at."""


Numbered = tuple[int, list[str]]
"""The line where a row begins, and its cells."""


def with_points(rows: Iterable[Numbered], numeric: Sequence[int]) -> Iterator[Numbered]:
    """The rows, with a point in numbers where the file writes a comma.

    That is where some number of the first rows has a comma, and none a point. What is no number so
    written stays as it is.

    Args:
        rows: Of a file whose delimiter is no comma.
        numeric: Places of the columns that are numbers to the model.
    """
    rows = iter(rows)
    head = list(islice(rows, _LOOKED_AT))
    numbers = [cells[place] for _, cells in head for place in numeric if place < len(cells)]
    everything = chain(head, rows)
    if not any(map(_COMMA.fullmatch, numbers)) or any(map(_POINT.fullmatch, numbers)):
        yield from everything
        return
    for line, cells in everything:
        for place in numeric:
            if place < len(cells) and _COMMA.fullmatch(cells[place]):
                cells[place] = cells[place].replace(",", ".")
        yield line, cells
