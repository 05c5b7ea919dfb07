"""Heads of requests: which are plain enough for the fast lane, and those met again byte for byte.

A client that keeps its connection sends the same head again and again; only the body's length differs.
Once the parser has read such a head, and found the request to be for the lane, one with the same bytes
means the same: ``Template.body_of`` compares, and the parser need not read it again. Two heads that differ
in what a gate or a protocol looks at differ in their bytes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from modelwright.serve.asks import Wire

_PLAIN_JSON = frozenset({b"application/json", b"application/json; charset=utf-8", None})
_HEADERS_READ = frozenset(
    {
        b"traceparent",
        b"tracestate",
        b"x-request-id",
        b"x-amzn-sagemaker-inference-id",
        b"x-amzn-sagemaker-custom-attributes",
        b"x-amzn-sagemaker-target-variant",
    }
)
_CREDENTIALS = frozenset({b"authorization", b"x-api-key"})
_NOT_PLAIN = frozenset(
    {
        b"accept",
        b"content-encoding",
        b"expect",
        b"inference-header-content-length",
        b"origin",
        b"transfer-encoding",
        b"upgrade",
    }
)
_ANY = frozenset({b"*/*", b"application/json"})
_LENGTH = re.compile(rb"\r\ncontent-length: ?([0-9]{1,5})\r\n", re.IGNORECASE)
_END = b"\r\n\r\n"
_DIGITS = 5  # of a body's length in the lane
_MOST_SIZES = 1000
_MOST_TEMPLATES = 100


class Like:
    """What requests of one connection have in common that differ in nothing but the body.

    Attributes:
        url, pairs: Their path and headers, without the body's length.
        wire, name: Protocol and deployment.
        headers: Those that protocols look at.
        credentials: Those that the gate looks at.
    """

    __slots__ = ("credentials", "headers", "name", "pairs", "url", "wire")

    def __init__(
        self,
        url: bytes,
        pairs: list[tuple[bytes, bytes]],
        route: tuple[Wire, str],
        headers: Mapping[bytes, bytes],
    ) -> None:
        self.url = url
        self.pairs = pairs
        self.wire, self.name = route
        self.headers = _decoded(headers, _HEADERS_READ)
        self.credentials = _decoded(headers, _CREDENTIALS)

    @classmethod
    def of(
        cls, url: bytes, pairs: list[tuple[bytes, bytes]], routes: Mapping[bytes, tuple[Wire, str]]
    ) -> Like | None:
        """What requests with this head have in common; ``None`` if they are not for the lane."""
        route = routes.get(url)
        headers = dict(pairs)
        if route is None or len(headers) != len(pairs):
            return None
        if headers.get(b"content-type") not in _PLAIN_JSON:
            return None
        if headers.keys() & _NOT_PLAIN and not _accepts_json_alone(headers):
            return None
        return cls(url, pairs, route, headers)


class Template:
    """A head that the parser has read, to be known again by its bytes.

    Attributes:
        like: What it means.
    """

    __slots__ = ("_heads", "_rest", "_start", "like")

    def __init__(self, start: bytes, rest: bytes, like: Like) -> None:
        self._start = start  # up to the digits of the body's length
        self._rest = rest  # from behind them to the empty line
        self._heads: dict[int, bytes] = {}
        self.like = like

    def body_of(self, data: bytes) -> bytes | None:
        """The body, if ``data`` is one whole request with this head; else ``None``."""
        size = len(data)
        head = self._heads.get(size)
        if head is None:
            head = self._head_of(size)
        return data[len(head) :] if head and data.startswith(head) else None

    def _head_of(self, size: int) -> bytes:
        """The head of a request of ``size`` bytes, by its body's length; empty if there is none."""
        rest = size - len(self._start) - len(self._rest)
        head = b""
        for digits in range(1, _DIGITS + 1):
            length = b"%d" % max(0, rest - digits)
            if len(length) == digits and rest > digits:
                head = self._start + length + self._rest
        if len(self._heads) >= _MOST_SIZES:
            self._heads.clear()
        self._heads[size] = head
        return head


class Templates:
    """The heads met lately, of all connections: many clients are of one kind."""

    def __init__(self) -> None:
        self._known: dict[tuple[bytes, bytes], Template] = {}

    def of(self, data: bytes, body: bytes, like: Like) -> Template | None:
        """The template of a whole request that lay in ``data`` alone; ``None`` if it is spelled unusually."""
        head = data[: len(data) - len(body)]
        found = _LENGTH.search(head)
        if found is None or head.find(_END) + len(_END) != len(head):
            return None
        key = (head[: found.start(1)], head[found.end(1) :])
        known = self._known.get(key)
        if known is None:
            if len(self._known) >= _MOST_TEMPLATES:
                self._known.clear()
            known = self._known[key] = Template(*key, like)
        return known


def _decoded(headers: Mapping[bytes, bytes], wanted: frozenset[bytes]) -> dict[str, str]:
    """Those of ``headers`` that are wanted, as text."""
    return {name.decode(): headers[name].decode("latin-1") for name in headers.keys() & wanted}


def _accepts_json_alone(headers: Mapping[bytes, bytes]) -> bool:
    """Whether ``Accept`` is all that is special, and it takes JSON."""
    return headers.keys() & _NOT_PLAIN == {b"accept"} and headers[b"accept"] in _ANY
