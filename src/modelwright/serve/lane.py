"""The fast lane: hot routes answered straight from the protocol, without a task and an ASGI scope.

A subclass of uvicorn's httptools protocol. It takes a request only if nothing about it is special: a
``POST`` to a hot route, plain JSON of moderate size, nothing before it on the connection that waits.
A head that comes again byte for byte is not parsed again (``heads.Template``).
All else, and all it finds special later (a body that grows), goes to uvicorn's own path and the
application, which answers the same routes by the same engine. Pipelining order, flow control, limits
and shutdown are uvicorn's: a request in the lane looks to it like any other ``cycle``.
"""

from __future__ import annotations

from http import HTTPStatus
from time import perf_counter
from typing import Any

import httptools
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from modelwright.serve.asks import Ask, Wire
from modelwright.serve.engine import Engine
from modelwright.serve.gate import Gate
from modelwright.serve.heads import Like, Template, Templates
from modelwright.serve.settings import Limits
from modelwright.serve.tracing import Tracer

_MOST_HEAD = 64 << 10
_STATUS = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus}


class _Nobody:
    """Stands for the event of a cycle nobody waits for."""

    def set(self) -> None:
        """Nothing to do."""


_NOBODY = _Nobody()


class HotAsk(Ask):
    """A request in the lane, as much like uvicorn's cycle as uvicorn looks at."""

    body: bytes
    message_event = _NOBODY
    disconnected = False
    response_complete = False

    def __init__(
        self, connection: LaneProtocol, like: Like, client: str, *, keep_alive: bool, body: bytes = b""
    ) -> None:
        # Written out instead of calling the base's: this is made for every request.
        self.wire = like.wire
        self.name = like.name
        self.headers = like.headers
        self.body = body
        self.done = connection.send_reply
        self.client = client
        self.like = like
        self.keep_alive = keep_alive
        self.received = perf_counter()


class Lane:
    """What the protocols of a worker share.

    Attributes:
        routes: Path → protocol and deployment name.
        gate: Who gets in.
        templates: Heads met lately.
        tracer: Who records requests, if anybody.
        tick: Seconds since the worker began, set by the sweeper.
    """

    def __init__(self, engine: Engine, limits: Limits, gate: Gate, tracer: Tracer | None = None) -> None:
        self.engine = engine
        self.limits = limits
        self.routes: dict[bytes, tuple[Wire, str]] = {}
        self.gate = gate
        self.tracer = tracer
        self.tick = 0.0
        self.templates = Templates()
        self._default: Any = None
        self._head = b""

    def head(self, default_headers: list[tuple[bytes, bytes]]) -> bytes:
        """Everything of a 200 up to the value of ``content-length``; made anew when the date changes."""
        if default_headers is not self._default:
            lines = b"".join(name + b": " + value + b"\r\n" for name, value in default_headers)
            self._head = _STATUS[200] + lines + b"content-type: application/json\r\ncontent-length: "
            self._default = default_headers
        return self._head


class LaneProtocol(HttpToolsProtocol):
    """A connection. Subclassed once a worker, to know its ``lane``."""

    lane: Lane
    begun = 0.0
    active = 0.0
    receiving = False
    running: Any = None
    _like: Like | None = None
    _template: Template | None = None
    _met = False
    _length = b""
    _head_bytes: float = 0

    @property
    def idle(self) -> bool:
        """Whether nothing is under way."""
        return self.cycle is None or self.cycle.response_complete

    def connection_made(self, transport: Any) -> None:
        """A client came."""
        super().connection_made(transport)
        self.active = self.lane.tick
        self._peer = self.client[0] if self.client else ""

    def connection_lost(self, exc: Exception | None) -> None:
        """The client left. uvicorn tells the newest request only, so the one under way is told here."""
        running = self.running
        if running is not None and not running.response_complete:
            running.disconnected = True
            running.message_event.set()
        self.pipeline.clear()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes came. Heads are bounded here: the parser itself keeps a header until it is whole."""
        between = not self._head_bytes
        if between and self._template is not None and self._take_again(self._template, data):
            return
        before = self.cycle
        self._head_bytes += len(data)
        try:
            self.parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._refuse_unreadable()
        if between and not self._head_bytes and self.cycle is not before:
            self._remember(data)
        elif self._head_bytes > _MOST_HEAD and not self.transport.is_closing():
            self.refuse_connection(431, "The request's head is too large.")

    def _take_again(self, template: Template, data: bytes) -> bool:
        """Take ``data`` as one whole request of the head that was met before; false if it is not that.

        The parser is left where it is, between two requests.
        """
        body = template.body_of(data)
        if body is None or not self._free():
            return False
        like = template.like
        lane = self.lane
        client = self._peer
        if lane.gate.on:
            principal = lane.gate.predicts(like.credentials)
            if principal is None:
                return False
            client = principal.name or client
        ask = HotAsk(self, like, client, keep_alive=True, body=body)
        self.cycle = ask  # type: ignore[assignment]
        lane.engine.submit(ask)
        return True

    def _remember(self, data: bytes) -> None:
        """Remember the head of a request that came in one piece, by itself, and not for the first time.

        A client that puts something new into each head (a trace, an id) would fill the memory for nothing.
        """
        ask: Any = self.cycle
        if self._met and type(ask) is HotAsk and ask.keep_alive and data.endswith(ask.body):
            self._template = self.lane.templates.of(data, ask.body, ask.like)

    def on_message_begin(self) -> None:
        """A request begins; its scope is made only if the application needs one."""
        self.begun = self.lane.tick
        self.receiving = True
        self.url = b""
        self.expect_100_continue = False
        self.headers = []
        self._length = b""

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header; the body's length is kept apart, as it is what differs between like requests."""
        name = name.lower()
        if name == b"content-length":
            self._length = value
            return
        if name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """The head is there: into the lane, or the longer way."""
        self._head_bytes = float("-inf")
        ask = self._hot_ask()
        if ask is None:
            self._go_the_longer_way()
        else:
            self.cycle = ask  # type: ignore[assignment]

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        cycle: Any = self.cycle
        if type(cycle) is not HotAsk:
            super().on_body(body)
        elif not cycle.body:
            cycle.body = body
        elif len(cycle.body) + len(body) <= HIGH_WATER_LIMIT:
            cycle.body += body
        else:
            self._leave_lane(cycle)
            super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is whole."""
        self.receiving = False
        self._head_bytes = 0
        cycle: Any = self.cycle
        if type(cycle) is not HotAsk:
            super().on_message_complete()
            return
        cycle.received = perf_counter()
        self.lane.engine.submit(cycle)

    def on_response_complete(self) -> None:
        """As uvicorn's, but idle connections are found by the sweeper instead of a timer each."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.active = self.lane.tick
        if self.flow.read_paused:
            self.flow.resume_reading()
        if self.pipeline:
            cycle, app = self.pipeline.pop()
            self._start_asgi_task(cycle, app)

    def _refuse_unreadable(self) -> None:
        """What the parser refuses, and upgrades, which nothing here takes."""
        if not self.transport.is_closing():
            self.refuse_connection(400, "Invalid HTTP request received.")

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        self.running = cycle
        super()._start_asgi_task(cycle, app)

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's words
        """What the parser cannot read: uvicorn's own words are no JSON."""
        if not self.transport.is_closing():
            self.refuse_connection(400, "This is no HTTP request that can be read.")

    def refuse_connection(self, status: int, message: str) -> None:
        """Say why, and close: the request cannot be told from what follows it."""
        body = b'{"error":"%s"}' % message.encode()
        self.transport.write(
            _STATUS[status]
            + b"content-type: application/json\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % len(body)
            + body
        )
        self.transport.close()

    def _hot_ask(self) -> HotAsk | None:
        """A request in the lane, if it is plain enough."""
        length = self._length
        if len(length) > 5 or not length.isdigit() or int(length) > HIGH_WATER_LIMIT:
            return None
        if not self._free() or self.parser.get_method() != b"POST":
            return None
        like = self._like
        self._met = like is not None and like.url == self.url and like.pairs == self.headers
        if like is None or not self._met:
            like = self._like = None if self.parser.should_upgrade() else self._known_kind()
            if like is None:
                return None
        client = self._peer
        if self.lane.gate.on:
            principal = self.lane.gate.predicts(like.credentials)
            if principal is None:
                return None
            client = principal.name or client
        keep_alive = self.parser.should_keep_alive() and self.parser.get_http_version() != "1.0"
        return HotAsk(self, like, client, keep_alive=keep_alive)

    def _known_kind(self) -> Like | None:
        return Like.of(self.url, self.headers, self.lane.routes)

    def _free(self) -> bool:
        """Whether a request may be answered at once, and not behind others."""
        if self.flow.write_paused or (self.cycle is not None and not self.cycle.response_complete):
            return False
        return self.limit_concurrency is None or len(self.connections) < self.limit_concurrency

    def _go_the_longer_way(self) -> None:
        """Let uvicorn make the scope and start the application's task."""
        url, headers, expect = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.expect_100_continue = url, expect
        self.headers.extend(headers)
        if self._length:
            self.headers.append((b"content-length", self._length))
        try:
            super().on_headers_complete()
        except httptools.HttpParserInvalidURLError:
            self.refuse_connection(400, "The request's path is no URL.")
            raise

    def _leave_lane(self, cycle: HotAsk) -> None:
        """Hand a request whose body grew to the application, with what came so far."""
        cycle.response_complete = True
        self._go_the_longer_way()
        super().on_body(cycle.body)

    def end_slow(self) -> None:
        """End a request that does not arrive; say so, unless it was answered without waiting for its body."""
        in_body = self._head_bytes < 0
        if in_body and getattr(self.cycle, "response_started", False):
            self.transport.close()
        else:
            self.refuse_connection(408, "The request took too long to arrive.")

    def send_reply(self, ask: Any) -> None:
        """Send the reply; the log has it."""
        if self.lane.tracer is not None:
            self.lane.tracer.answered(ask, ask.like.url.decode("latin-1"), self.scheme or "http")
        reply = ask.reply
        transport = self.transport
        if reply is None or ask.disconnected or transport.is_closing():
            return
        body = reply.body
        if reply.status == 200 and reply.content_type == "application/json" and not reply.headers:
            head = self.lane.head(self.server_state.default_headers)
            end = b"\r\n\r\n" if ask.keep_alive else b"\r\nconnection: close\r\n\r\n"
            transport.write(b"%b%d%b%b" % (head, len(body), end, body))
        else:
            transport.write(self._special_head(ask, ask.keep_alive) + body)
        ask.response_complete = True
        if not ask.keep_alive:
            transport.close()
        self.on_response_complete()

    def _special_head(self, ask: Ask, keep_alive: bool) -> bytes:
        """The head of any other reply."""
        reply = ask.reply
        assert reply is not None  # noqa: S101 - the caller looked
        lines = [_STATUS[reply.status]]
        lines += [name + b": " + value + b"\r\n" for name, value in self.server_state.default_headers]
        lines += [f"{name}: {value}\r\n".encode("latin-1") for name, value in reply.headers.items()]
        if not keep_alive:
            lines.append(b"connection: close\r\n")
        kind = reply.content_type.encode()
        lines.append(b"content-type: %b\r\ncontent-length: %d\r\n\r\n" % (kind, len(reply.body)))
        return b"".join(lines)


def sweep(lane: Lane, connections: set[Any], tick: float) -> None:
    """End connections that are idle, or too slow to send a request or to read an answer.

    Args:
        lane: Whose connections.
        connections: uvicorn's set of them.
        tick: The present, seconds since the worker began.
    """
    lane.tick = tick
    limits = lane.limits
    for connection in list(connections):
        if not isinstance(connection, LaneProtocol) or connection.transport.is_closing():
            continue
        if connection.receiving:
            if tick - connection.begun > limits.receive_seconds:
                connection.end_slow()
        elif connection.flow.write_paused:
            if tick - connection.active > limits.receive_seconds:
                connection.transport.abort()
        elif connection.idle and tick - connection.active > limits.keep_alive_seconds:
            connection.transport.close()
