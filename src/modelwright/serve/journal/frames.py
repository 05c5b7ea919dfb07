"""Segments on disk: checksummed frames, one after the other, in a file laid out beforehand.

A segment is ``MAGIC``, then frames of ``length (u32) | crc32 (u32) | payload``, little-endian, then
zeros, or what is left of the segment whose file is used again. The checksum starts from the segment's
number, so that such leftovers are never taken for frames. A reader stops at the first frame that is not
whole: that is the end, or a write that was under way when the process or the machine died, of which
nobody was told.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO
from zlib import crc32

MAGIC = b"MWJRNL1\n"
HEADER = struct.Struct("<II")
_NAME = re.compile(r"(\d{8})\.seg")


def frame(payload: bytes, number: int) -> bytes:
    """``payload`` as it stands in segment ``number``."""
    return HEADER.pack(len(payload), crc32(payload, number)) + payload


def spare_path(directory: Path, number: int) -> Path:
    """Where the file of a segment lies that was delivered and may be written over."""
    return directory / f"{number:08d}.old"


def segment_path(directory: Path, number: int) -> Path:
    """Where a segment lies."""
    return directory / f"{number:08d}.seg"


def segment_numbers(directory: Path) -> list[int]:
    """The segments there are, ascending."""
    try:
        names = [path.name for path in directory.iterdir()]
    except FileNotFoundError:
        return []
    return sorted(int(found[1]) for name in names if (found := _NAME.fullmatch(name)))


def read_frames(path: Path, offset: int = 0) -> Iterator[tuple[bytes, int]]:
    """The whole frames from ``offset`` on, each with the offset behind it.

    Args:
        path: A segment, perhaps being written.
        offset: Where a frame starts, as given before; 0 for the beginning.
    """
    number = int(path.stem)
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    with file:
        if offset == 0:
            if file.read(len(MAGIC)) != MAGIC:
                return
            offset = len(MAGIC)
        else:
            file.seek(offset)
        while (payload := _next_frame(file, number)) is not None:
            offset += HEADER.size + len(payload)
            yield payload, offset


def _next_frame(file: BinaryIO, number: int) -> bytes | None:
    header = file.read(HEADER.size)
    if len(header) < HEADER.size:
        return None
    length, checksum = HEADER.unpack(header)
    if length == 0:
        return None
    payload = file.read(length)
    return payload if len(payload) == length and crc32(payload, number) == checksum else None
