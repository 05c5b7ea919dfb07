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
from collections.abc import Callable
from typing import IO, Any, TypeVar

T = TypeVar("T")
_PATIENCE = 5.0  # seconds; then something else holds them, and waiting would be in vain
_PAUSE = 0.0005


class _Block(bytearray):
    """Bytes that a weak reference may point to."""


class _Lent(io.RawIOBase):
    """The stream as the parser sees it; ``held`` gets a reference to it and to each of its blocks."""

    def __init__(self, source: IO[bytes] | io.RawIOBase, held: list[weakref.ref[Any]]) -> None:
        super().__init__()
        self._source = source
        self._held = held
        held.append(weakref.ref(self))

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> Any:  # Arrow takes whatever has a buffer
        block = _Block(self._source.read(size) or b"")
        self._held[:] = [known for known in self._held if known() is not None]
        self._held.append(weakref.ref(block))
        return block


def lend(source: IO[bytes] | io.RawIOBase, parse: Callable[[Any], T]) -> T:
    """What ``parse`` makes of ``source``, once no thread holds the stream or one of its blocks any more.

    ``parse`` gets the stream and must not hand it, or its parser, on. It is a function, so that an
    exception's frames can be cleared of both: a frame that still runs could not.
    """
    held: list[weakref.ref[Any]] = []
    try:
        return parse(_Lent(source, held))
    except BaseException as error:
        traceback.clear_frames(error.__traceback__)
        raise
    finally:
        end = time.monotonic() + _PATIENCE
        while any(known() is not None for known in held) and time.monotonic() < end:
            time.sleep(_PAUSE)
