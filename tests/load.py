"""Clients that keep asking a server while something happens to it, and remember every answer."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from serving import SETOSA

VERSICOLOR = [6.0, 2.9, 4.5, 1.5]
VIRGINICA = [6.5, 3.0, 5.8, 2.2]
BODIES: tuple[dict[str, Any], ...] = (
    {"features": SETOSA},
    {"features": VERSICOLOR},
    {"features": VIRGINICA},
    {"features": ["many", 1, 1, 1]},  # refused, and the refusal is in the log
)


@dataclass(frozen=True)
class Received:
    """An answer that reached a client whole."""

    status: int
    document: dict[str, Any]
    sent: dict[str, Any]
    at: float
    connection: int = 0

    @property
    def id(self) -> str:
        """The prediction's id."""
        return str(self.document.get("prediction_id", ""))


@dataclass
class Load:
    """A few connections that ask one request after the other in a thread, until the block ends.

    A request whose connection breaks is asked again on a new one; under the same id where it has one.

    Attributes:
        url: Of the server; may be set anew while it runs.
        bodies: Asked in turn.
        connections: How many ask at once.
        pause: Seconds between an answer and the next request of a connection.
        ids: Every so-many-th request has an id of its own; 0 for none.
        received: What came back.
        lost: How often a connection broke before a whole answer came.
        slowest: Seconds the slowest answer took.
    """

    url: str
    bodies: Sequence[dict[str, Any]] = BODIES
    connections: int = 8
    pause: float = 0.002
    ids: int = 5
    path: str = "/predict"
    received: list[Received] = field(default_factory=list)
    lost: int = 0
    slowest: float = 0.0
    errors: list[BaseException] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join(60)
        assert not self._thread.is_alive(), "a client hangs"
        if kind is None and self.errors:
            raise self.errors[0]

    def give_up(self) -> None:
        """Stop asking, also what was not answered yet; to be called when the server was killed."""
        self._stop.set()

    def with_status(self, *statuses: int) -> list[Received]:
        """Those answers that have one of ``statuses``."""
        return [each for each in self.received if each.status in statuses]

    def versions(self) -> dict[int, int | None]:
        """The version that each connection's last answer names."""
        last = {each.connection: each for each in self.received[-50 * self.connections :]}
        return {
            number: last[number].document.get("model_version") if number in last else None
            for number in range(self.connections)
        }

    def wait_for(self, more: int, holds: Callable[[Received], bool] = lambda _: True, seconds: float = 60):
        """Wait until so many more answers came for which ``holds`` is true."""
        start, end = len(self.received), time.monotonic() + seconds
        while sum(map(holds, self.received[start:])) < more:
            assert time.monotonic() < end, f"too few answers: {self.received[-3:]}, lost {self.lost}"
            time.sleep(0.005)

    def _run(self) -> None:
        async def main() -> None:
            async with asyncio.TaskGroup() as group:
                for number in range(self.connections):
                    group.create_task(self._client(number))

        try:
            asyncio.run(main())
        except BaseExceptionGroup as failures:
            self.errors += failures.exceptions

    async def _client(self, number: int) -> None:
        link: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        count = 0
        while not self._stop.is_set():
            count += 1
            body = dict(self.bodies[(count + number) % len(self.bodies)])
            if self.ids and count % self.ids == 0:
                body["id"] = f"own-{id(self)}-{number}-{count}-{time.time_ns()}"
            while not self._stop.is_set():
                try:
                    link = link or await asyncio.open_connection(*self._address())
                    await asyncio.wait_for(self._exchange(*link, body, number), 30)
                    break
                except (OSError, EOFError):
                    self.lost += 1
                    if link is not None:
                        link[1].close()
                    link = None
                    await asyncio.sleep(0.02)
            if self.pause:
                await asyncio.sleep(self.pause)
        if link is not None:
            link[1].close()

    def _address(self) -> tuple[str | None, int | None]:
        parts = urlsplit(self.url)
        return parts.hostname, parts.port

    async def _exchange(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, body: dict[str, Any], number: int
    ) -> None:
        start = time.monotonic()
        writer.write(request_bytes(body, self.path))
        status, _, content = await read_response(reader)
        now = time.monotonic()
        self.slowest = max(self.slowest, now - start)
        self.received.append(Received(status, json.loads(content), body, now, number))


def request_bytes(body: Any, path: str = "/predict") -> bytes:
    """A plain POST of ``body`` as JSON."""
    content = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: "
    return head.encode() + b"%d\r\n\r\n" % len(content) + content


async def read_response(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of the next response.

    Raises:
        EOFError: The connection ended before all of it came.
    """
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
    content = await reader.readexactly(int(headers.get("content-length", "0")))
    return int(head[0].split(" ")[1]), headers, content
