"""Which processes a server has, and what they use. Linux's ``/proc``; elsewhere nothing is known."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process uses.

    Attributes:
        role, slot: Which one.
        cpu_seconds: Processor time since its start.
        resident_bytes: Memory.
        open_files: File descriptors.
        started: Seconds since the epoch.
    """

    role: str
    slot: int
    cpu_seconds: float
    resident_bytes: int
    open_files: int
    started: float


def announce(run_dir: Path, role: str, slot: int) -> None:
    """Let the others know this process's id."""
    with contextlib.suppress(OSError):  # it serves without being counted
        (run_dir / f"{role}-{slot:02d}.pid").write_text(str(os.getpid()))


def usages(run_dir: Path) -> Iterator[Usage]:
    """Of every process that is announced and lives."""
    for path in sorted(run_dir.glob("*.pid")):
        role, _, slot = path.stem.rpartition("-")
        with contextlib.suppress(OSError, ValueError, IndexError):
            yield _usage(role, int(slot), Path("/proc") / path.read_text())


def _usage(role: str, slot: int, folder: Path) -> Usage:
    # proc(5): the name may hold anything, also ")", so the fields are counted from its last one.
    fields = (folder / "stat").read_text().rpartition(")")[2].split()
    booted = next(
        int(line.split()[1])
        for line in Path("/proc/stat").read_text().splitlines()
        if line.startswith("btime")
    )
    return Usage(
        role=role,
        slot=slot,
        cpu_seconds=(int(fields[11]) + int(fields[12])) / _TICKS,
        resident_bytes=int(fields[21]) * _PAGE,
        open_files=sum(1 for _ in (folder / "fd").iterdir()),
        started=booted + int(fields[19]) / _TICKS,
    )
