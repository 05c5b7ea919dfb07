"""How far the reading of a file is, told while its rows go by."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from typing import IO, Any, TypeVar

Each = TypeVar("Each")
Watch = Callable[[float, float], None]
"""Told what is read so far, and of how much: bytes of a file, or rows."""

_EVERY = 256  # rows between two words


def watched(rows: Iterator[Each], stream: IO[bytes], watch: Watch) -> Iterator[Each]:
    """The rows, while ``watch`` is told how far their file is read; of a stream without end, nothing.

    Args:
        rows: Read one after the other.
        stream: What from; a gzip file tells of its packed bytes.
        watch: What is told.
    """
    file = _file(stream)
    size = 0 if file is None else os.fstat(file.fileno()).st_size
    for number, row in enumerate(rows):
        if file is not None and size and number % _EVERY == 0:
            watch(min(file.tell(), size), size)
        yield row


def counted(rows: Iterator[Each], total: int, watch: Watch) -> Iterator[Each]:
    """The rows, while ``watch`` is told how many of ``total`` went by."""
    for number, row in enumerate(rows):
        if number % _EVERY == 0 and total:
            watch(number, total)
        yield row


def _file(stream: Any) -> io.FileIO | None:
    """The plain file at the bottom of a stream."""
    while stream is not None and not isinstance(stream, io.FileIO):
        stream = getattr(stream, "raw", None) or getattr(stream, "fileobj", None)
    return stream
