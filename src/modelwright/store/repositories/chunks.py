"""Long lists of keys, cut to what one statement may carry."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

SIZE = 5_000
"""Well below SQLite's 32,766 and PostgreSQL's 65,535 parameters a statement."""


T = TypeVar("T")


def chunks(values: Sequence[T], size: int = SIZE) -> Iterator[Sequence[T]]:
    """``values`` in runs of at most ``size``."""
    for start in range(0, len(values), size):
        yield values[start : start + size]
