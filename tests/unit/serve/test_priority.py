"""Who runs first: what a process asks of the system, and what it leaves alone; each in its own process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from modelwright.serve import priority

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="these are requests to Linux")
GROUP = Path("/proc/self/autogroup")


def said(program: str, *, own_session: bool = True) -> str:
    """What a program prints that has the module at hand."""
    return subprocess.run(
        [sys.executable, "-c", f"import os\nfrom modelwright.serve import priority\n{program}"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        start_new_session=own_session,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()


def group_of(text: str) -> int:
    """The niceness in the words of ``/proc/PID/autogroup``."""
    return int(text.rpartition("nice")[2])


def test_a_session_of_its_own_becomes_as_nice_as_its_process() -> None:
    """Linux compares sessions before it compares processes, so both must step back."""
    if not GROUP.exists():
        pytest.skip("this kernel does not group processes by session")
    told = said(
        "os.nice(3)\npriority.step_back(10)\n"
        f"print(os.getpriority(os.PRIO_PROCESS, 0), open('{GROUP}').read(), sep='|')"
    )
    niceness, _, group = told.partition("|")
    assert int(niceness) == group_of(group) == max(10, os.getpriority(os.PRIO_PROCESS, 0))


def test_who_starves_comes_back_to_the_front() -> None:
    """A training on a machine that is busy for long ends as well: its session steps forward."""
    if not GROUP.exists():
        pytest.skip("this kernel does not group processes by session")
    told = said(
        "priority.step_back(10)\npriority.starved = lambda ran, waited: True\n"
        f"priority.insist(5, every=0.2)\nprint(open('{GROUP}').read())"
    )
    assert group_of(told) == 0


def test_waiting_for_a_core_most_of_the_time_is_starving() -> None:
    """Sharing a core fairly is not, nor is having nothing to do."""
    assert priority.starved(ran=1, waited=20)
    assert not priority.starved(ran=10, waited=90)
    assert not priority.starved(ran=0, waited=0)


def test_a_shared_session_is_left_as_it_is() -> None:
    """Whoever else is in the session did not ask to step back."""
    before = GROUP.read_text() if GROUP.exists() else ""
    told = said("priority.step_back(3)\nprint(os.getpriority(os.PRIO_PROCESS, 0))", own_session=False)
    assert int(told) == max(3, os.getpriority(os.PRIO_PROCESS, 0))
    assert (GROUP.read_text() if GROUP.exists() else "") == before


def test_short_turns_change_neither_policy_nor_niceness() -> None:
    """A worker keeps the place it was given; a policy that somebody chose is not replaced."""
    program = (
        "os.nice(1)\n{}priority.prefer_short_turns()\n"
        "print(os.sched_getscheduler(0), os.getpriority(os.PRIO_PROCESS, 0))"
    )
    niceness = os.getpriority(os.PRIO_PROCESS, 0) + 1
    assert said(program.format("")) == f"{os.SCHED_OTHER} {niceness}"
    chosen = said(program.format("os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))\n"))
    assert chosen == f"{os.SCHED_BATCH} {niceness}"


def test_one_core_is_spared_only_where_others_remain() -> None:
    """Of three and more cores one is left alone; of two or one none is."""
    cores = sorted(os.sched_getaffinity(0))
    for count in range(1, len(cores) + 1):
        mine = set(cores[:count])
        told = said(
            f"os.sched_setaffinity(0, {mine})\npriority.spare_a_core()\nprint(len(os.sched_getaffinity(0)))"
        )
        assert int(told) == (count - 1 if count > 2 else count)


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_have_cores_to_themselves_where_as_many_remain(workers: int) -> None:
    """Two workers on four cores leave two to the others; on three they share them all."""
    cores = sorted(os.sched_getaffinity(0))
    for count in range(1, len(cores) + 1):
        told = said(
            f"os.sched_setaffinity(0, {set(cores[:count])})\npriority.leave_cores_to({workers})\n"
            "print(len(os.sched_getaffinity(0)))"
        )
        assert int(told) == (count - workers if count >= 2 * workers else count)
