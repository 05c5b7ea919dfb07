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
import time
from pathlib import Path

SHORT_TURN = 100_000
"""Nanoseconds of processor time that a worker asks for at once, the least that Linux grants."""
# sched_setattr(2): size, policy, flags, nice, priority, runtime, deadline, period.
_ATTRIBUTES = struct.Struct("=IIQiIQQQ")
_SET_ATTRIBUTES = {"x86_64": 314, "aarch64": 274, "riscv64": 274, "ppc64le": 355, "s390x": 345}
# Times as long as it ran may a thread wait for a core: niceness 10 means a tenth, which is no starving.
_PATIENCE = 19
_TRIES = 5
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
    """Let others run first: take this niceness, or stay with a higher one.

    Where Linux groups processes by session, niceness counts within a group only: a session of its own
    competes with others as if it were not nice at all. So the group is made as nice, if it is ours alone.
    """
    present = os.getpriority(os.PRIO_PROCESS, 0)
    _make_group_nice(os.nice(max(0, niceness - present)))


def insist(step: int, *, every: float = 10.0) -> None:
    """Step forward again, from time to time, while others leave next to nothing; returns at the front.

    Only the group of a session can: a process may not take its own niceness back.
    """
    niceness = os.getpriority(os.PRIO_PROCESS, 0)
    before = _received()
    while niceness > 0:
        time.sleep(every)
        after = _received()
        if starved(after[0] - before[0], after[1] - before[1]):
            niceness = max(0, niceness - step)
            if not _make_group_nice(niceness):
                return
        before = after


def starved(ran: int, waited: int) -> bool:
    """Whether threads that were ready to run got less than a twentieth of that time."""
    return waited > _PATIENCE * max(ran, 0)


def _received() -> tuple[int, int]:
    """Nanoseconds for which the threads of this process ran, and waited for a core."""
    ran = waited = 0
    for path in Path("/proc/self/task").glob("*/schedstat"):
        with contextlib.suppress(OSError, ValueError):  # the thread has ended
            told = path.read_text(encoding="ascii").split()
            ran, waited = ran + int(told[0]), waited + int(told[1])
    return ran, waited


def _make_group_nice(niceness: int) -> bool:
    """Whether this process leads its session, and the system has such groups."""
    if os.getsid(0) != os.getpid():
        return False
    for _ in range(_TRIES):
        try:
            _OWN_GROUP.write_text(str(niceness), encoding="ascii")
        except BlockingIOError:  # Linux allows it ten times a second, to all users together
            time.sleep(0.12)
        except OSError:
            return False
        else:
            return True
    return False


def spare_a_core() -> None:
    """Stay away from one of the cores, where there are more than two."""
    _keep_off(1, least=2)


def leave_cores_to(workers: int) -> None:
    """Stay away from a core for each worker, where as many remain; what is started then does as well.

    A worker that has used its share of a core waits for the end of whoever's turn it is there, a tick of
    4 ms, however short a turn it asked for itself.
    """
    _keep_off(workers, least=workers)


def _keep_off(count: int, *, least: int) -> None:
    """Stay away from the last cores: on the first the system itself has most to do."""
    if not hasattr(os, "sched_setaffinity"):
        return
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) - count >= least:
        with contextlib.suppress(OSError):  # a container may forbid it
            os.sched_setaffinity(0, cores[: len(cores) - count])
