"""Pages that change while somebody looks: parts of them, rendered once for all who look, sent when new.

One task for each page that is looked at renders its parts every two seconds and wakes whoever waits;
it ends when nobody looks any more. So five dashboards cost a server what one does.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping

import msgspec

from modelwright.errors import ModelwrightError

logger = logging.getLogger(__name__)

EVERY = 2.0
LONGEST = 600.0
"""Seconds after which a stream ends; the browser begins another, with a session that still holds."""

MOST = 200
"""Streams of one process at once."""

Render = Callable[[], Awaitable[Mapping[str, str]]]
_encode = msgspec.json.Encoder().encode


class Pulse:
    """The parts of one page, kept fresh while somebody looks.

    Args:
        render: Gives the HTML of every part, by its name.
    """

    def __init__(self, render: Render) -> None:
        self._render = render
        self._parts: Mapping[str, str] = {}
        self._fresh = asyncio.Condition()
        self._number = 0
        self._task: asyncio.Task[None] | None = None
        self.watchers = 0

    async def follow(self) -> AsyncGenerator[Mapping[str, str], None]:
        """What changed since the last turn, from all of it on."""
        self.watchers += 1
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._beat())
        known: dict[str, str] = {}
        seen = 0
        try:
            while True:
                async with self._fresh:
                    await self._fresh.wait_for(lambda: self._number > seen)  # noqa: B023 - read at once
                    seen, parts = self._number, self._parts
                changed = {name: html for name, html in parts.items() if known.get(name) != html}
                known.update(changed)
                yield changed
        finally:
            self.watchers -= 1

    async def _beat(self) -> None:
        while self.watchers:
            try:
                parts = await self._render()
            except ModelwrightError as error:  # the store is away: the page stays as it is
                logger.debug("A page cannot be brought up to date: %s", error)
                parts = self._parts
            async with self._fresh:
                self._parts = parts
                self._number += 1
                self._fresh.notify_all()
            await asyncio.sleep(EVERY)


class Pulses:
    """All pulses of a process.

    Args:
        stopping: Set when the process is to end; every stream ends then.
    """

    def __init__(self, stopping: asyncio.Event | None) -> None:
        self._stopping = stopping
        self._pulses: dict[str, Pulse] = {}

    @property
    def watchers(self) -> int:
        """How many streams there are."""
        return sum(pulse.watchers for pulse in self._pulses.values())

    async def stream(self, key: str, render: Render) -> AsyncIterator[bytes]:
        """Server-sent events (HTML living standard, 9.2) of the page ``key``."""
        pulse = self._pulses.setdefault(key, Pulse(render))
        changes = pulse.follow()
        loop = asyncio.get_running_loop()
        end = loop.time() + LONGEST
        ended = asyncio.create_task(_wait(self._stopping))
        change: asyncio.Future[Mapping[str, str]] | None = None
        try:
            yield b"retry: 2000\n\n"
            while loop.time() < end:
                change = asyncio.ensure_future(anext(changes))
                await asyncio.wait({change, ended}, return_when=asyncio.FIRST_COMPLETED)
                if ended.done():
                    return
                parts = change.result()
                # A turn without changes still says that the server is there.
                yield b"event: parts\ndata: " + _encode(parts) + b"\n\n" if parts else b": same\n\n"
        finally:
            ended.cancel()
            if change is not None:
                change.cancel()
                await asyncio.gather(change, return_exceptions=True)
            await changes.aclose()
            if not pulse.watchers:
                self._pulses.pop(key, None)


async def _wait(stopping: asyncio.Event | None) -> None:
    if stopping is None:
        await asyncio.Event().wait()
    else:
        await stopping.wait()
