"""Lends a Python stream to a parser that reads it in threads of its own, and waits until they let go.

Arrow's threads give a stream and its blocks back when they get to run, which may be after the parser has
answered. A thread that does so while the interpreter ends is ended by it in the middle of C++ code, and
takes the process with it: "terminate called without an active exception", and the exit code is lost.
"""

from __future__ import annotations

import io
import time
import traceback
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Any

_PATIENCE = 5.0  # seconds; then something else holds them, and waiting would be in vain
_PAUSE = 0.0005


class _Block(bytearray):
    """Bytes that a weak reference may point to."""


class _Lent(io.RawIOBase):
    """The stream as the parser sees it."""

    def __init__(self, source: IO[bytes] | io.RawIOBase, blocks: list[weakref.ref[Any]]) -> None:
        super().__init__()
        self._source = source
        self._blocks = blocks

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> Any:  # Arrow takes whatever has a buffer
        block = _Block(self._source.read(size) or b"")
        self._blocks[:] = [known for known in self._blocks if known() is not None]
        self._blocks.append(weakref.ref(block))
        return block


@contextmanager
def lent(source: IO[bytes] | io.RawIOBase) -> Iterator[Callable[[], Any]]:
    """Lend ``source``: the block gets a function whose result goes to the parser, and is kept nowhere else.

    The block must not keep the parser. At its end, also by an exception, this waits until no thread
    holds the stream or one of its blocks any more.
    """
    held: list[weakref.ref[Any]] = []

    def stream() -> _Lent:
        made = _Lent(source, held)
        streams.append(weakref.ref(made))
        return made

    streams: list[weakref.ref[Any]] = []
    try:
        yield stream
    except BaseException as error:
        traceback.clear_frames(error.__traceback__)  # they may hold the parser
        raise
    finally:
        end = time.monotonic() + _PATIENCE
        while any(known() is not None for known in [*streams, *held]) and time.monotonic() < end:
            time.sleep(_PAUSE)
