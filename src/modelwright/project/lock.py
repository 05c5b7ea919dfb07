"""One command at a time in a project. The kernel holds the lock, so a killed holder leaves none behind."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shlex
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from modelwright.errors import Busy, StorageFailure

LOCK = "lock"


@contextlib.contextmanager
def hold(working: Path, *, command: str | None = None) -> Iterator[Path]:
    """Hold the lock of the project whose working folder is ``working`` while the block runs.

    The folder is made if it is not there. ``command`` is what a second holder is told is at work;
    by default the command line of this process.

    Raises:
        Busy: Another process (or another block of this one) holds it.
        StorageFailure: The folder cannot be written, or its file system cannot lock.
    """
    path = working / LOCK
    try:
        working.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise StorageFailure.from_os_error(error, "locking the project") from error
    _hide_from_git(working)
    try:
        _take(descriptor, path)
        _sign(descriptor, command or _command_line())
        yield path
    finally:
        os.close(descriptor)  # closing gives the lock back; the file stays, or two could hold two files


def _hide_from_git(working: Path) -> None:
    """Databases and logs are nothing to commit; a project that was not made by ``init`` has no list of it."""
    file = working / ".gitignore"
    with contextlib.suppress(OSError):
        if not file.exists():
            file.write_text("*\n", encoding="utf-8")


def _take(descriptor: int, path: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise _busy(path) from None
    except OSError as error:
        error.filename = str(path)
        raise StorageFailure.from_os_error(error, "locking the project") from error


def _sign(descriptor: int, command: str) -> None:
    holder = {
        "pid": os.getpid(),
        "command": command,
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    # a full disk must not stop a command that may be about to free space: the lock itself is held
    with contextlib.suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(holder).encode(), 0)


def _busy(path: Path) -> Busy:
    try:
        holder = json.loads(path.read_text(encoding="utf-8"))
        since = datetime.fromisoformat(holder["since"]).astimezone().strftime("%Y-%m-%d %H:%M:%S")
        who = f"'{holder['command']}' (process {holder['pid']}, since {since})"
        stop = f", or stop it with: kill {holder['pid']}"
    except (OSError, ValueError, KeyError, TypeError):  # being written just now
        who, stop = "Another command", ""
    return Busy(
        f"{who} is at work in this project.", f"Wait until it is done{stop}.", details=[f"lock file: {path}"]
    )


def _command_line() -> str:
    program = Path(sys.argv[0]).name if sys.argv and sys.argv[0] else "python"
    program = "modelwright" if program == "__main__.py" else program
    return shlex.join([program, *sys.argv[1:]])
