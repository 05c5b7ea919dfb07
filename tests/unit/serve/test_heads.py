"""Heads that come again: taken without the parser, they mean what the parser would have said."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import uvicorn
from hypothesis import given
from hypothesis import strategies as st
from uvicorn.server import ServerState

from modelwright.serve.asks import Ask
from modelwright.serve.gate import Gate
from modelwright.serve.heads import Like, Templates
from modelwright.serve.lane import Lane, LaneProtocol
from modelwright.serve.protocols.call import Reply
from modelwright.serve.settings import Limits
from modelwright.serve.wires import PREDICT

ROUTES = {b"/predict": (PREDICT, "")}


class Wire:
    """A connection that keeps what is written to it."""

    def __init__(self) -> None:
        self.written = b""

    def write(self, data: bytes) -> None:
        self.written += data

    def is_closing(self) -> bool:
        return False

    def close(self) -> None:
        self.written += b"(closed)"

    def get_extra_info(self, _name: str) -> None:
        return None


class Mirror:
    """An engine that answers every ask at once with its own body."""

    def __init__(self) -> None:
        self.seen: list[tuple[bytes, str, dict[str, str]]] = []

    def submit(self, ask: Ask) -> None:
        self.seen.append((bytes(ask.body), ask.name, dict(ask.headers)))
        ask.reply = Reply(body=bytes(ask.body))
        ask.done(ask)


class Other:
    """The application: what was not for the lane."""

    def __init__(self) -> None:
        self.asked = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.asked += 1


def connection() -> tuple[LaneProtocol, Wire, Mirror]:
    """A connection in the lane, without a server around it. Needs a running loop."""
    mirror, wire = Mirror(), Wire()
    lane = Lane(mirror, Limits(), Gate())  # type: ignore[arg-type]
    lane.routes.update(ROUTES)  # type: ignore[arg-type]
    protocol = type("TestLane", (LaneProtocol,), {"lane": lane})
    config = uvicorn.Config(Other(), http=protocol, ws="none", lifespan="off", log_config=None)
    config.load()
    made = protocol(config, ServerState(), {}, asyncio.get_running_loop())
    made.connection_made(wire)
    return made, wire, mirror


def request(body: bytes, *lines: bytes, length: bytes | None = None) -> bytes:
    """A request with further header lines."""
    size = b"%d" % len(body) if length is None else length
    head = [b"POST /predict HTTP/1.1", b"host: x", *lines, b"Content-Length: " + size, b"a: b", b"", body]
    return b"\r\n".join(head)


bodies = st.binary(max_size=12) | st.integers(90, 110).map(lambda count: b"x" * count)
requests = st.builds(
    request, bodies, st.sampled_from([b"x-request-id: 1", b"x-request-id: 2", b"accept: */*"])
)


@given(sent=st.lists(requests, max_size=8))
def test_the_parser_and_the_memory_say_the_same(sent: list[bytes]) -> None:
    """Whole requests, of which most are known again, are taken as the parser takes them byte by byte."""

    async def work() -> None:
        whole, first, seen = connection()
        split, second, parsed = connection()
        for data in sent:
            whole.data_received(data)
            for place in range(len(data)):
                split.data_received(data[place : place + 1])
        assert seen.seen == parsed.seen
        assert len(seen.seen) == len(sent)
        assert first.written == second.written

    asyncio.run(work())


@pytest.mark.parametrize(
    "second",
    [
        request(b"22") + request(b"3"),
        request(b"22", length=b"02"),
        request(b"22") + b"\r\n" + request(b"3"),
        request(b"22").replace(b"a: b", b"a: c") + request(b"3"),
    ],
    ids=["two at once", "a leading zero", "an empty line", "another head"],
)
def test_what_differs_goes_to_the_parser(second: bytes) -> None:
    """More or other bytes than one request of the known head lose nothing and are read as ever."""

    async def work() -> None:
        made, _, mirror = connection()
        for _ in range(2):
            made.data_received(request(b"1"))
        for data in (second, request(b"4444")):
            made.data_received(data)
        taken = [body for body, *_ in mirror.seen]
        assert taken[:3] == [b"1", b"1", b"22"]
        assert taken[-1] == b"4444"
        assert made.parser is not None

    asyncio.run(work())


def test_a_request_in_pieces_is_whole_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a known head, one that comes in two pieces is parsed, and the next one is known again."""

    async def work() -> None:
        made, wire, mirror = connection()
        for _ in range(2):
            made.data_received(request(b"1"))
        data = request(b"22")
        made.data_received(data[:30])
        made.data_received(data[30:])
        fed: list[int] = []
        monkeypatch.setattr(made, "on_message_begin", lambda: fed.append(1))
        made.data_received(request(b"333"))
        assert [body for body, *_ in mirror.seen] == [b"1", b"1", b"22", b"333"]
        assert not fed
        assert b"(closed)" not in wire.written

    asyncio.run(work())


def test_heads_that_differ_each_time_are_not_kept() -> None:
    """A client with a new trace or id in every head leaves the memory to the others."""

    async def work() -> None:
        made, _, mirror = connection()
        for number in range(20):
            made.data_received(request(b"1", b"traceparent: 00-%032x-01" % number))
        assert len(mirror.seen) == 20
        assert not made.lane.templates._known

    asyncio.run(work())


def test_connections_share_what_they_remember() -> None:
    """Heads are kept once, whoever sent them, and not without bound."""
    like = Like.of(b"/predict", [(b"host", b"x")], ROUTES)  # type: ignore[arg-type]
    assert like is not None
    known = Templates()
    data = request(b"123")
    assert known.of(data, b"123", like) is known.of(request(b"9876"), b"9876", like)
    template = known.of(data, b"123", like)
    assert template is not None
    for size in range(3000):
        body = b"y" * size
        assert template.body_of(request(body)) == (body or None)
    assert template.body_of(request(b"y" * 100_000)) is None
    for number in range(300):
        known.of(request(b"1", b"n: %d" % number), b"1", like)
    assert len(known._known) <= 100
