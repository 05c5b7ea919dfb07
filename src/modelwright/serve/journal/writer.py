"""One worker's journal: a group is on disk before its answers leave."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from collections.abc import Iterable
from pathlib import Path

from modelwright.errors import StorageFailure
from modelwright.files import sync_folder
from modelwright.serve.journal.entries import Context, Item, pack
from modelwright.serve.journal.frames import HEADER, MAGIC, frame, segment_path

SEGMENT_BYTES = 4 << 20
LOCK = "lock"
UNFINISHED = "."  # begins the name of a folder whose owner has not locked it yet
_NO_PREALLOCATION = {errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS}


class JournalFailure(StorageFailure):
    """The journal could not be written: nothing may be answered until it can."""


class JournalWriter:
    """Appends groups to bounded segments.

    The space of a segment is taken when it is begun, so that a full disk shows there and not in the
    middle; and where a delivered segment is left, its file is written over: a sync that changes no more
    than data does not wait for what others write to the same file system. After a failed write or sync
    the segment is given up, whatever it holds, and the next append begins a new one: a file whose
    ``fsync`` failed once cannot be trusted again.

    Args:
        directory: This worker's own; made if absent, and locked while the writer lives.
        sync: Whether ``append`` waits for the disk. Without, a power cut may lose the last seconds.
        segment_bytes: Size of a segment.
        limit_bytes: Most that may lie undelivered; beyond it ``append`` fails.
    """

    def __init__(
        self,
        directory: Path,
        *,
        sync: bool = True,
        segment_bytes: int = SEGMENT_BYTES,
        limit_bytes: int = 4 << 30,
    ) -> None:
        self.directory = directory
        self._sync = os.fdatasync if sync else _no_sync
        self._size = segment_bytes
        self._most_segments = max(2, limit_bytes // segment_bytes)
        self._contexts: dict[int, Context] = {}
        self._number = 0
        self._file = -1
        self._offset = 0
        self._end = 0
        try:
            self._lock = _make_locked(directory)
        except OSError as error:
            raise JournalFailure.from_os_error(error, "opening the prediction log") from error

    def declare(self, context: Context) -> None:
        """Make entries able to refer to ``context``. It is repeated at the start of every segment."""
        self._contexts[context.number] = context
        if self._file >= 0:
            self.append([context])

    def forget(self, numbers: Iterable[int]) -> None:
        """Stop repeating contexts nobody refers to any more."""
        for number in numbers:
            self._contexts.pop(number, None)

    def append(self, items: list[Item]) -> None:
        """Write one group, all of it or nothing, and return when it is safe.

        Raises:
            JournalFailure: It is not safe; nothing of it may be acknowledged.
        """
        self.append_bytes(pack(items))

    def append_bytes(self, payload: bytes) -> None:
        """``append`` for a group that is packed already."""
        size = HEADER.size + len(payload)
        try:
            if self._file < 0 or self._offset + size > self._end:
                self._begin(size)
            self._write(frame(payload, self._number))
        except OSError as error:
            self._give_up()
            raise JournalFailure.from_os_error(error, "writing the prediction log") from error

    def probe(self) -> None:
        """Make sure that a group could be written.

        Raises:
            JournalFailure: It could not.
        """
        try:
            if self._file < 0:
                self._begin(0)
        except OSError as error:
            self._give_up()
            raise JournalFailure.from_os_error(error, "writing the prediction log") from error

    def close(self) -> None:
        """Let go of the directory, so that whoever delivers it may remove it."""
        self._give_up()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _write(self, data: bytes) -> None:
        written = os.pwrite(self._file, data, self._offset)
        if written != len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._sync(self._file)
        self._offset += written

    def _begin(self, need: int) -> None:
        self._close_file()
        self._refuse_beyond_limit()
        number = self._number + 1
        head = MAGIC
        if self._contexts:
            head += frame(pack(list(self._contexts.values())), number)
        size = max(self._size, len(head) + need + HEADER.size)
        path = segment_path(self.directory, number)
        temporary = path.with_suffix(".new")
        file = self._take_spare(temporary, size) or self._make_file(temporary, size)
        try:
            if os.pwrite(file, head + bytes(HEADER.size), 0) != len(head) + HEADER.size:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            self._sync(file)
            temporary.rename(path)
            self._sync_directory()
        except OSError:
            os.close(file)
            temporary.unlink(missing_ok=True)
            raise
        self._number, self._file, self._offset = number, file, len(head)
        self._end = os.fstat(file).st_size

    def _take_spare(self, path: Path, size: int) -> int:
        """A delivered segment's file, now at ``path``; 0 if there is none that is large enough."""
        for spare in self.directory.glob("*.old"):
            try:
                spare.rename(path)
            except FileNotFoundError:  # the keeper thought better of it
                continue
            file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            if os.fstat(file).st_size >= size:
                return file
            os.close(file)
        return 0

    def _make_file(self, path: Path, size: int) -> int:
        file = os.open(path, os.O_CREAT | os.O_RDWR | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            _preallocate(file, size)
            if self._number == 0 and self._sync is not _no_sync:
                # Nobody waits for the first one yet: write it out, so that its syncs change data only.
                os.pwrite(file, bytes(size), 0)
        except OSError:
            os.close(file)
            path.unlink(missing_ok=True)
            raise
        return file

    def _refuse_beyond_limit(self) -> None:
        if self._number < self._most_segments:
            return
        oldest = self._number - self._most_segments + 1
        if segment_path(self.directory, oldest).exists():
            raise OSError(errno.EDQUOT, "too much of the prediction log waits for the database")

    def _sync_directory(self) -> None:
        if self._sync is not _no_sync:
            sync_folder(self.directory)

    def _give_up(self) -> None:
        """Leave the segment; blot out a half-written frame where the disk still lets us."""
        if self._file >= 0:
            with contextlib.suppress(OSError):  # the reader's checksum stops there all the same
                os.pwrite(self._file, bytes(HEADER.size), self._offset)
        self._close_file()

    def _close_file(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def _preallocate(file: int, size: int) -> None:
    try:
        os.posix_fallocate(file, 0, size)
    except OSError as error:
        if error.errno not in _NO_PREALLOCATION:
            raise


def _no_sync(_file: int) -> None:
    return None


def _make_locked(directory: Path) -> int:
    """A journal's folder, this process its owner; the descriptor that holds the lock.

    The folder gets its name when the lock is held: a keeper that met it earlier would take its owner
    for dead and remove it.
    """
    made = directory if directory.is_dir() else directory.with_name(f"{UNFINISHED}{directory.name}")
    made.mkdir(parents=True, exist_ok=True)
    lock = os.open(made / LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if made != directory:
            made.rename(directory)
    except OSError:
        os.close(lock)
        raise
    return lock
