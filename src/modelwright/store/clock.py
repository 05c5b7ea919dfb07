"""The two clocks: what time it is for people, and how long something lasts for leases."""

from __future__ import annotations

import time
from datetime import UTC, datetime


def now() -> datetime:
    """The present time, UTC."""
    return datetime.now(UTC)


def ticks() -> int:
    """Microseconds of a clock that all processes of this host share and that nobody sets.

    Linux counts since the machine started, time asleep included. Where there is no such clock, the
    clock since start without sleep stands in, which is shared by all processes too.
    """
    return time.clock_gettime_ns(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)) // 1000
