"""Lengths of time as people write them: ``90``, ``90s``, ``10m``, ``1h 30m``, ``7d``."""

from __future__ import annotations

import math
import re

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*([smhd])")
MOST = 100 * 365.25 * 86400.0
"""Seconds of the longest length of time that means anything here: a century."""

_WHOLE = re.compile(rf"\s*(?:{_PART.pattern}\s*)+")


def seconds(length: str | float) -> float:
    """Seconds of a length of time: a number of seconds, or parts with a unit s, m, h or d.

    Raises:
        ValueError: It is no length of time, is not above zero, or is longer than a century.
    """
    total = _parse(length) if isinstance(length, str) else float(length)
    if not math.isfinite(total) or total <= 0:
        raise ValueError(f"'{length}' is not a length of time above zero")
    if total > MOST:
        raise ValueError(f"'{length}' is longer than a hundred years")
    return total


def _parse(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        pass
    if not _WHOLE.fullmatch(text.lower()):
        raise ValueError(f"'{text}' is not a length of time")
    return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text.lower()))
