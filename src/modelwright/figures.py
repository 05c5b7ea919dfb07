"""Quantities with their unit, as people read them: three figures, whatever the size."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

_LENGTHS = (("µs", 1e-6), ("ms", 1e-3), ("s", 1.0), ("min", 60.0), ("h", 3600.0), ("d", 86400.0))
_SIZES = (("B", 1.0), ("kB", 1e3), ("MB", 1e6), ("GB", 1e9), ("TB", 1e12))


def duration(seconds: float) -> str:
    """A length of time: ``850 µs``, ``12.3 ms``, ``1.5 min``, ``3 d``."""
    return _in_units(seconds, _LENGTHS) if seconds else "0 s"


def size(count: float) -> str:
    """So many bytes, in powers of a thousand: ``512 B``, ``3.07 MB``."""
    return _in_units(count, _SIZES)


def _in_units(value: float, units: Sequence[tuple[str, float]]) -> str:
    """``value`` in the largest unit of which it is at least one, once it is rounded."""
    for (unit, length), (_, following) in pairwise(units):
        number = float(f"{value / length:.3g}")
        if number * length < following:
            return f"{number:g} {unit}"
        value = max(value, following)  # rounding alone may have lifted it there
    unit, length = units[-1]
    number = float(f"{value / length:.3g}")
    return f"{number:,.0f} {unit}" if number >= 1000 else f"{number:g} {unit}"
