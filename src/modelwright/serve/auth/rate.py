"""How many requests each key may send, counted over all workers of a server.

By the generic cell rate algorithm (ITU-T I.371), which is a token bucket in one number: the moment at
which a user's bucket would be full again. The moments stand in a file that the workers share, in sets of
a few places; whoever counts holds the set's lock, a byte of the file, so that it dies with its process.
"""

from __future__ import annotations

import fcntl
import mmap
import os
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path
from struct import Struct
from time import monotonic

from modelwright.errors import StorageFailure
from modelwright.serve.auth.errors import TooManyRequests

SETS, PLACES = 4096, 16
_ENTRY = Struct("<Qd")  # who, by hash; 0 for nobody. When the bucket is full again.
_SET = PLACES * _ENTRY.size
_SIZE = SETS * _SET


class RateLimiter:
    """Lets each of its users take ``rate`` requests a second, and up to ``burst`` at once.

    A set that is full of users who are at it forgets the one whose bucket is full soonest.

    Args:
        rate: Requests a second.
        burst: Requests at once; as many as in a second by default, and at least one.
        file: Shared with other processes; without, this process counts alone.
        ticks: A monotonic clock that all of them share.

    Raises:
        StorageFailure: The file cannot be made.
    """

    def __init__(
        self,
        rate: float,
        burst: float | None = None,
        *,
        file: Path | None = None,
        ticks: Callable[[], float] = monotonic,
    ) -> None:
        self.rate = rate
        self.burst = max(1.0, rate if burst is None else burst)
        self._ticks = ticks
        self._file = -1
        if file is None:
            self._map = mmap.mmap(-1, _SIZE)
            return
        try:
            self._file = os.open(file, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
            os.posix_fallocate(self._file, 0, _SIZE)
            self._map = mmap.mmap(self._file, _SIZE)
        except OSError as error:
            raise StorageFailure.from_os_error(error, "making the counters of requests") from error

    def take(self, user: str) -> None:
        """Count one request.

        Raises:
            TooManyRequests: The bucket is empty; it says how long until it is not.
        """
        number = int.from_bytes(blake2b(user.encode(), digest_size=8).digest(), "little") or 1
        chosen = number % SETS
        if self._file >= 0:
            fcntl.lockf(self._file, fcntl.LOCK_EX, 1, chosen)
        try:
            wait = self._count(number, chosen * _SET)
        finally:
            if self._file >= 0:
                fcntl.lockf(self._file, fcntl.LOCK_UN, 1, chosen)
        if wait > 0:
            raise TooManyRequests(wait)

    def close(self) -> None:
        """Let go of the file."""
        self._map.close()
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _count(self, number: int, start: int) -> float:
        """Count a request of ``number``; how many seconds too early it is, 0 if it is not."""
        now = self._ticks()
        place, full = self._place(number, start)
        full = max(full, now)
        early = full - now - (self.burst - 1.0) / self.rate
        if early > 1e-9:
            return early
        _ENTRY.pack_into(self._map, place, number, full + 1.0 / self.rate)
        return 0.0

    def _place(self, number: int, start: int) -> tuple[int, float]:
        """Where ``number`` is counted, and until when its bucket fills; for a new one the best place."""
        best, soonest = start, float("inf")
        for place in range(start, start + _SET, _ENTRY.size):
            who, full = _ENTRY.unpack_from(self._map, place)
            if who == number:
                return place, full
            if full < soonest:
                best, soonest = place, full
        return best, 0.0
