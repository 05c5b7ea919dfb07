"""Journals as the keeper reads them: from where it stopped to the last whole frame."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from modelwright.serve.journal.entries import Context, Entry, Item, Note, unpack
from modelwright.serve.journal.frames import read_frames, segment_numbers, segment_path, spare_path
from modelwright.serve.journal.writer import LOCK, UNFINISHED

_SPARES = 2


class Tail:
    """Follows one worker's journal.

    ``peek`` gives what is new; ``advance`` says that it has been dealt with. Whoever dies in between
    sees it again, so dealing with it must be idempotent.
    """

    def __init__(self, directory: Path, *, remove: bool = False) -> None:
        self.directory = directory
        self.contexts: dict[int, Context] = {}
        self._remove = remove
        self._segment = 0
        self._offset = 0
        self._next = (0, 0)

    def peek(self, most: int = 5000) -> list[Entry | Note]:
        """Entries and notes not dealt with yet, oldest first, at least one whole group if there is one."""
        found: list[Entry | Note] = []
        self._next = (self._segment, self._offset)
        for items, place in self._groups():
            for item in items:
                if isinstance(item, Context):
                    self.contexts[item.number] = item
                else:
                    found.append(item)
            self._next = place
            if len(found) >= most:
                break
        return found

    def advance(self) -> None:
        """What ``peek`` gave last is dealt with; segments left behind are given back, if asked for."""
        self._segment, self._offset = self._next
        if not self._remove:
            return
        for number in segment_numbers(self.directory):
            if number < self._segment:
                self._give_back(number)

    def _give_back(self, number: int) -> None:
        """Let the writer use the file again, or remove it where enough are spare."""
        path = segment_path(self.directory, number)
        with contextlib.suppress(FileNotFoundError):
            if sum(1 for _ in self.directory.glob("*.old")) < _SPARES:
                path.rename(spare_path(self.directory, number))
            else:
                path.unlink()

    def _groups(self) -> Iterator[tuple[list[Item], tuple[int, int]]]:
        # The listing comes first: a segment with a successor in it is complete, whatever is read later.
        numbers = [number for number in segment_numbers(self.directory) if number >= self._segment]
        for number in numbers:
            offset = self._offset if number == self._segment else 0
            for payload, behind in read_frames(segment_path(self.directory, number), offset):
                yield unpack(payload), (number, behind)
            if number != numbers[-1]:
                yield [], (number + 1, 0)


def owner_is_dead(directory: Path) -> bool:
    """Whether the worker that wrote here is gone, however it ended."""
    try:
        handle = os.open(directory / LOCK, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(handle)
    return True


def remove_journal(directory: Path) -> None:
    """Remove a dead worker's journal that was delivered to the end."""
    shutil.rmtree(directory, ignore_errors=True)


def journals(root: Path) -> list[Path]:
    """The journals of all workers, living and dead."""
    try:
        return sorted(
            path for path in root.iterdir() if path.is_dir() and not path.name.startswith(UNFINISHED)
        )
    except FileNotFoundError:
        return []


def backlog(root: Path) -> dict[str, int]:
    """Segments under ``root``, their bytes, and the bytes of those that wait to be delivered.

    A segment has its full size from its beginning and is removed once it is delivered to its end, so
    of the one a worker writes to nothing can be told, and all that lie before it wait.
    """
    told = {"segments": 0, "bytes": 0, "waiting": 0}
    for directory in journals(root):
        sizes: list[int] = []
        for path in sorted(directory.glob("*.seg")):
            with contextlib.suppress(FileNotFoundError):  # the keeper just removed it
                sizes.append(path.stat().st_size)
        told["segments"] += len(sizes)
        told["bytes"] += sum(sizes)
        told["waiting"] += sum(sizes[:-1])
    return told
