"""Giving freed memory back to the system.

The C library keeps what large objects left behind in case it is wanted again. After a large model
was taken apart or read that is most of a process's memory, and it is never wanted again.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache


def give_back() -> None:
    """Give freed memory back, where the C library is one that can be asked to (glibc)."""
    trim = _trim()
    if trim is not None:
        trim(0)


@cache
def _trim() -> Callable[[int], int] | None:
    try:
        return ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError):  # another C library, or none to be had
        return None
