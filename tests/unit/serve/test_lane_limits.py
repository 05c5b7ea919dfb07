"""Connections that are too slow or idle, against a real server with short limits."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from modelwright.serve.engine import Engine
from modelwright.serve.gate import Gate
from modelwright.serve.journal.writer import JournalWriter
from modelwright.serve.lane import Lane, LaneProtocol, sweep
from modelwright.serve.metrics.meter import BoardMeter
from modelwright.serve.settings import Limits

LIMITS = Limits(receive_seconds=5, keep_alive_seconds=10, connections=3)


async def app(
    scope: dict[str, Any], receive: Callable[[], Awaitable[Any]], send: Callable[..., Awaitable[None]]
) -> None:
    """Answer anything with 204, ``/early`` without waiting for its body."""
    while scope["path"] != "/early":
        message = await receive()
        if not message.get("more_body"):
            break
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def with_server(
    folder: Path, work: Callable[[Lane, uvicorn.Server, tuple[str, int]], Awaitable[None]]
) -> None:
    """Run ``work`` beside a server whose connections are swept by hand."""
    journal = JournalWriter(folder / "w", sync=False)
    lane = Lane(Engine(journal, BoardMeter(folder, 0)), LIMITS, Gate())
    protocol = type("TestLane", (LaneProtocol,), {"lane": lane})
    config = uvicorn.Config(
        app,
        http=protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        limit_concurrency=LIMITS.connections,
    )
    server = uvicorn.Server(config)
    listener = socket.create_server(("127.0.0.1", 0))
    serving = asyncio.create_task(server._serve([listener]))
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        await work(lane, server, listener.getsockname())
    finally:
        server.should_exit = True
        await serving
        journal.close()


@contextlib.asynccontextmanager
async def connected(
    address: tuple[str, int],
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection, closed to the end."""
    reader, writer = await asyncio.open_connection(*address)
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        (b"", []),
        (b"POST / HT", [b"408"]),
        (b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nab", [b"408"]),
        (b"POST /early HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nab", [b"204"]),
        (b"GET / HTTP/1.1\r\nhost: x\r\n\r\nGET", [b"204", b"408"]),
    ],
    ids=["nothing", "half a head", "half a body", "answered early", "half a second head"],
)
def test_a_request_that_takes_too_long_is_ended(tmp_path: Path, sent: bytes, told: list[bytes]) -> None:
    """What does not come is told 408, once and never after its answer; a silent connection is closed."""

    async def work(lane: Lane, server: uvicorn.Server, address: tuple[str, int]) -> None:
        async with connected(address) as (reader, writer):
            writer.write(sent)
            await asyncio.sleep(0.1)
            sweep(lane, server.server_state.connections, 4.0)
            assert not reader.at_eof()
            sweep(lane, server.server_state.connections, 11.0)
            said = await asyncio.wait_for(reader.read(), 5)
        lines = [line for line in said.split(b"\r\n") if line.startswith(b"HTTP/1.1")]
        assert [line.split()[1] for line in lines] == told

    asyncio.run(with_server(tmp_path, work))


def test_an_idle_connection_is_closed_and_a_busy_one_is_not(tmp_path: Path) -> None:
    """Each request starts the time anew."""

    async def work(lane: Lane, server: uvicorn.Server, address: tuple[str, int]) -> None:
        async with connected(address) as (reader, writer):
            for tick in (8.0, 16.0, 24.0):
                writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
                assert b" 204 " in await reader.readuntil(b"\r\n\r\n")
                sweep(lane, server.server_state.connections, tick)
            sweep(lane, server.server_state.connections, 35.0)
            assert await asyncio.wait_for(reader.read(), 5) == b""

    asyncio.run(with_server(tmp_path, work))


def test_connections_beyond_the_limit_are_told(tmp_path: Path) -> None:
    """With too many connections a request is 503, and the server goes on."""

    async def work(lane: Lane, server: uvicorn.Server, address: tuple[str, int]) -> None:
        async with contextlib.AsyncExitStack() as stack:
            opened = [await stack.enter_async_context(connected(address)) for _ in range(5)]
            reader, writer = opened[-1]
            writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            assert b" 503 " in await reader.readuntil(b"\r\n\r\n")

    asyncio.run(with_server(tmp_path, work))
