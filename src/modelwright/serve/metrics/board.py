"""Counters that all workers of a server share: each writes its own file, anybody adds them up.

A board is a memory-mapped file of ``key length (u64) | key, padded to 8 | value (f64)`` after the number
of used bytes (u64). Values are aligned, so a reader sees the old one or the new one. A worker that is
started again in the same slot goes on counting where its predecessor died.
"""

from __future__ import annotations

import mmap
import os
import struct
from collections import defaultdict
from pathlib import Path

import msgspec

from modelwright.errors import StorageFailure

Key = tuple[str, ...]
"""Name of a metric, then its label values."""

_CAPACITY = 4 << 20
_WORD = struct.Struct("<Q")
_VALUE = struct.Struct("<d")
_START = 8
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(tuple[str, ...]).decode


class Board:
    """One worker's counters."""

    def __init__(self, path: Path) -> None:
        try:
            handle = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
            try:
                # Its space is taken now: a disk that is full later must not end the worker (SIGBUS).
                os.posix_fallocate(handle, 0, _CAPACITY)
                self._map = mmap.mmap(handle, _CAPACITY)
            finally:
                os.close(handle)
        except OSError as error:
            raise StorageFailure.from_os_error(error, "making the counters") from error
        self._cells = memoryview(self._map).cast("d")
        self._used = max(_START, _WORD.unpack_from(self._map)[0])
        self._places = {key: place for key, place, _ in _entries(memoryview(self._map))}

    def place(self, key: Key) -> int:
        """Where ``key`` is counted; for ``add_at``."""
        if key not in self._places:
            self._places[key] = self._make(key)
        return self._places[key]

    def add(self, key: Key, amount: float = 1.0) -> None:
        """Count ``amount``."""
        self._cells[self.place(key)] += amount

    def add_at(self, place: int, amount: float = 1.0) -> None:
        """Count ``amount`` at a place known already."""
        self._cells[place] += amount

    def _make(self, key: Key) -> int:
        text = _encode(key)
        padded = text + b" " * (-len(text) % 8)
        end = self._used + _WORD.size + len(padded) + _VALUE.size
        if end > _CAPACITY:
            return _CAPACITY // 8 - 1  # a cell nobody reads: labels without end must not end the worker
        _WORD.pack_into(self._map, self._used, len(padded))
        self._map[self._used + 8 : self._used + 8 + len(padded)] = padded
        place: int = (end - _VALUE.size) // 8
        self._used = end
        _WORD.pack_into(self._map, 0, end)  # last: a reader never sees half an entry
        return place


def total(run_dir: Path) -> dict[Key, float]:
    """The sum of all boards of a run."""
    sums: defaultdict[Key, float] = defaultdict(float)
    for path in sorted(run_dir.glob("board-*.bin")):
        content = memoryview(path.read_bytes())
        for key, _, value in _entries(content):
            sums[key] += value
    return dict(sums)


def _entries(content: memoryview) -> list[tuple[Key, int, float]]:
    """Each key with its place and value."""
    found: list[tuple[Key, int, float]] = []
    used = _WORD.unpack_from(content)[0]
    offset = _START
    while offset < used:
        length = _WORD.unpack_from(content, offset)[0]
        key = _decode(bytes(content[offset + 8 : offset + 8 + length]))
        value_at = offset + 8 + length
        found.append((key, value_at // 8, _VALUE.unpack_from(content, value_at)[0]))
        offset = value_at + 8
    return found
