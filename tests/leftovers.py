"""What tests may not leave behind for others: programs that run on, sockets that listen, an event loop."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from pathlib import Path

# Of PostgreSQL for the whole session, and of libraries, which keep a helper for as long as they are loaded.
_MAY_STAY = ("postgres", "resource_tracker", "joblib.externals.loky")
_LISTENS = "0A"


def leftovers(home: str, seconds: float = 60) -> list[str]:
    """What is still there after a while in which it may end; nothing on systems without ``/proc``.

    Args:
        home: The ``HOME`` that this test process gave to all that it started.
        seconds: How long to wait for what is ending.
    """
    end = time.monotonic() + seconds
    while True:
        found = _loop() + (_programs(home) + _listeners() if sys.platform == "linux" else [])
        if not found or time.monotonic() > end:
            return found
        time.sleep(0.1)


def _loop() -> list[str]:
    with contextlib.suppress(RuntimeError):
        return [f"an event loop runs in this thread: {asyncio.get_running_loop()}"]
    return []


def _programs(home: str) -> list[str]:
    """Whoever was started from here, by us or by what we started."""
    mark = f"HOME={home}".encode()
    found = []
    for process in Path("/proc").iterdir():
        if not process.name.isdigit() or int(process.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            if mark in (process / "environ").read_bytes().split(b"\0"):
                line = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                if line and not any(each in line for each in _MAY_STAY):
                    found.append(f"process {process.name}: {line.strip()}")
    return found


def _listeners() -> list[str]:
    """Sockets on which this process itself listens."""
    ours = set()
    for link in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            ours.add(str(link.readlink()))
    found = []
    for name in ("tcp", "tcp6"):
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/self/net/{name}").read_text().splitlines()[1:]:
                words = line.split()
                if words[3] == _LISTENS and f"socket:[{words[9]}]" in ours:
                    found.append(f"a listening socket on port {int(words[1].rpartition(':')[2], 16)}")
    return found
