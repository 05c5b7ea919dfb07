"""Predictions as JSON lines in a file, for programs that follow files: beside the store, not instead of it.

Written by the keeper once the store has the records, so no request waits for it. The store is the record
of what was answered: this file may lack lines after a crash or a full disk, or repeat some.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import msgspec

from modelwright.store.records import PredictionRecord

logger = logging.getLogger(__name__)

MOST_BYTES = 16 << 20
KEPT = 5
_encode = msgspec.json.Encoder(enc_hook=repr).encode


class RequestLog:
    """A file that begins anew when it is large; what was before is ``<file>.1`` (newest) and on.

    Args:
        path: The file; its folder is made.
        most_bytes: It begins anew before it would be larger.
        kept: So many earlier files are kept.
    """

    def __init__(self, path: Path, *, most_bytes: int = MOST_BYTES, kept: int = KEPT) -> None:
        self._path = path
        self._most = most_bytes
        self._kept = kept
        self._failed = False

    def write(self, records: Sequence[PredictionRecord]) -> None:
        """Append a line a record. A disk that refuses is told once, and stops nothing."""
        lines = b"".join(_encode(record) + b"\n" for record in records)
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            if self._size() and self._size() + len(lines) > self._most:
                self._rotate()
            with self._path.open("ab") as file:
                file.write(lines)
        except OSError as error:
            if not self._failed:
                logger.warning("The request log %s cannot be written: %s", self._path, error)
            self._failed = True
            return
        if self._failed:
            logger.warning("The request log %s is written again", self._path)
        self._failed = False

    def _size(self) -> int:
        return self._path.stat().st_size if self._path.exists() else 0

    def _rotate(self) -> None:
        for number in range(self._kept - 1, 0, -1):
            older = self._numbered(number)
            if older.exists():
                older.replace(self._numbered(number + 1))
        self._path.replace(self._numbered(1))

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")
