"""Prediction ids: UUID version 7 of our own making, or the client's own."""

from __future__ import annotations

import re
from collections.abc import Callable
from random import Random
from time import time_ns

from modelwright.serve.errors import BadId

LONGEST = 128
LEAST, MOST = -(2**63), 2**64 - 1
"""Numbers that are ids; of others most programs read but the first digits."""
LONGEST_OF_ROW = LONGEST + len(".9999999")
"""A row of a batch is called by the request's id and its place."""

CHARACTER = r"[!#-.0-\[\]-~]"
"""What an id is made of: printable ASCII without space, quote, slash, backslash."""

_GIVEN = re.compile(f"{CHARACTER}+")
_VARIANT = 2 << 14
_SEQUENCE = 0xFFF
_COUNTERS = tuple(f"{number:03x}-" for number in range(_SEQUENCE + 1))


class IdMaker:
    """Makes UUIDv7 ids (RFC 9562, method 1: a 12-bit counter within a millisecond) that only ever ascend.

    A clock that is set back does not make ids descend or repeat: the last millisecond is kept
    until the clock has caught up.
    """

    def __init__(self, clock: Callable[[], int] = time_ns) -> None:
        self._clock = clock
        self._bits = Random().getrandbits  # noqa: S311 - ids tell requests apart, they are no secrets
        self._milliseconds = -1
        self._counter = 0
        self._start = ""

    def __call__(self) -> str:
        """The next id, in the usual 36 characters."""
        now = self._clock() // 1_000_000
        if now > self._milliseconds:
            self._begin(now)
        elif self._counter == _SEQUENCE:
            self._begin(self._milliseconds + 1)
        else:
            self._counter += 1
        start, count = self._start, _COUNTERS[self._counter]
        return "%s%s%04x-%012x" % (start, count, _VARIANT | self._bits(14), self._bits(48))  # noqa: UP031 - quicker

    def _begin(self, milliseconds: int) -> None:
        """Go on in another millisecond; its part of the id is worded once."""
        self._milliseconds = milliseconds
        self._counter = 0
        text = f"{milliseconds:012x}"
        self._start = f"{text[:8]}-{text[8:]}-7"


def given_id(value: object, *, longest: int = LONGEST, where: tuple[str, ...] = ("body", "id")) -> str:
    """A client's own id, checked: 1 to 128 printable ASCII characters without space, quote or
    slashes, or a whole number.

    Args:
        value: What was sent.
        longest: Other than 128: what names a prediction may name one of a batch.
        where: It stands, for the error.

    Raises:
        BadId: It is something else.
    """
    # 17.0 is a whole number to JSON; what lies beyond the limits became a floating one on the way here.
    if isinstance(value, float) and value.is_integer() and LEAST < value < MOST:
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and LEAST <= value <= MOST:
        value = str(value)
    if isinstance(value, str) and len(value) <= longest and _GIVEN.fullmatch(value):
        return value
    raise BadId(value, where)
