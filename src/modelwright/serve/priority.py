"""Who runs first where processes of one server want the same core: those who answer.

Nothing here needs a privilege, and nothing fails where the system knows of no such thing.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import struct
import sys
from pathlib import Path

SHORT_TURN = 100_000
"""Nanoseconds of processor time that a worker asks for at once, the least that Linux grants."""
# sched_setattr(2): size, policy, flags, nice, priority, runtime, deadline, period.
_ATTRIBUTES = struct.Struct("=IIQiIQQQ")
_SET_ATTRIBUTES = {"x86_64": 314, "aarch64": 274, "riscv64": 274, "ppc64le": 355, "s390x": 345}
_OWN_GROUP = Path("/proc/self/autogroup")


def prefer_short_turns() -> bool:
    """Let this thread, and those it starts, run at once when there is something to answer; whether it may.

    Since 6.12 Linux lets whoever asks for short turns interrupt whoever has a long one, and else waits
    for the end of that, up to two ticks. It is no more processor time than before. Older ones take no
    notice.
    """
    number = _SET_ATTRIBUTES.get(platform.machine())
    if sys.platform != "linux" or number is None or os.sched_getscheduler(0) != os.SCHED_OTHER:
        return False
    niceness = os.getpriority(os.PRIO_PROCESS, 0)
    told = _ATTRIBUTES.pack(_ATTRIBUTES.size, os.SCHED_OTHER, 0, niceness, 0, SHORT_TURN, 0, 0)
    return bool(ctypes.CDLL(None).syscall(number, 0, told, 0) == 0)


def step_back(niceness: int) -> None:
    """Let others run first.

    Where Linux groups processes by session, niceness counts within a group only: a session of its own
    competes with others as if it were not nice at all. So the group is made as nice, if it is ours alone.
    """
    os.nice(niceness)
    if os.getsid(0) == os.getpid():
        with contextlib.suppress(OSError):  # there are no such groups here
            _OWN_GROUP.write_text(str(os.getpriority(os.PRIO_PROCESS, 0)), encoding="ascii")


def spare_a_core() -> None:
    """Stay away from one of the cores, where there are more than two."""
    if not hasattr(os, "sched_setaffinity"):
        return
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) > 2:
        with contextlib.suppress(OSError):  # a container may forbid it
            os.sched_setaffinity(0, cores[1:])
