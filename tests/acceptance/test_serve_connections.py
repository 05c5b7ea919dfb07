"""Connections from their first byte to their last: in pieces, growing, unread, and as the server stops."""

from __future__ import annotations

import json
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from serving import SETOSA, Server, eventually, iris_project, write_iris_bundle

BODY = json.dumps({"features": SETOSA}).encode()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A served project."""
    folder = iris_project(tmp_path_factory.mktemp("iris"))
    with Server("--workers", "1", cwd=folder) as running:
        yield running


@pytest.fixture(autouse=True)
def unaffected(server: Server) -> Iterator[None]:
    """After every test the server answers as before, and has written no traceback."""
    yield
    assert server.client.post("/predict", json={"features": SETOSA}).json()["prediction"] == 0
    assert "Traceback" not in server.log.read_text()


def head(*lines: str, path: str = "/predict", length: int | None = None) -> bytes:
    """A request's head."""
    fixed = [f"POST {path} HTTP/1.1", "host: x", "content-type: application/json"]
    if length is not None:
        fixed.append(f"content-length: {length}")
    return "\r\n".join([*fixed, *lines, "", ""]).encode("latin-1")


class Wire:
    """A connection."""

    def __init__(self, server: Server) -> None:
        host, port = server.url.removeprefix("http://").split(":")
        self.socket = socket.create_connection((host, int(port)), timeout=20)
        self._rest = b""

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def reply(self) -> tuple[int, bytes]:
        """The next reply's status and body."""
        while b"\r\n\r\n" not in self._rest:
            self._more()
        top, _, self._rest = self._rest.partition(b"\r\n\r\n")
        fields = dict(line.lower().split(b": ", 1) for line in top.split(b"\r\n")[1:])
        length = int(fields[b"content-length"])
        while len(self._rest) < length:
            self._more()
        body, self._rest = self._rest[:length], self._rest[length:]
        return int(top.split()[1]), body

    def closed(self) -> bool:
        """Whether the server ended the connection."""
        try:
            return self.socket.recv(65536) == b""
        except ConnectionError:
            return True

    def _more(self) -> None:
        data = self.socket.recv(65536)
        assert data, f"the connection ended after {self._rest!r}"
        self._rest += data


def test_a_request_byte_by_byte_is_answered(server: Server) -> None:
    """However it is cut, a request is the same request."""
    with Wire(server) as wire:
        for byte in head(length=len(BODY)) + BODY:
            wire.socket.sendall(bytes([byte]))
        assert wire.reply()[0] == 200


def test_a_body_that_grows_beyond_the_lane_is_answered(server: Server) -> None:
    """A chunked and a long body leave the lane and are answered all the same."""
    rows = json.dumps({"instances": [SETOSA] * 5000}).encode()
    with Wire(server) as wire:
        wire.socket.sendall(head(length=len(rows)) + rows)
        status, body = wire.reply()
        assert (status, body.count(b'"prediction":')) == (200, 5000)
        wire.socket.sendall(head("transfer-encoding: chunked"))
        for start in range(0, len(rows), 7001):
            piece = rows[start : start + 7001]
            wire.socket.sendall(b"%x\r\n%b\r\n" % (len(piece), piece))
        wire.socket.sendall(b"0\r\n\r\n")
        assert wire.reply()[1].count(b'"prediction":') == 5000


@pytest.mark.parametrize(
    "value", ["1" + "0" * 25, "[" * 400 + "]" * 400, '"' + "x" * 100_000 + '"', '{"a": {"b": [1]}}']
)
def test_odd_values_are_answered_or_refused_and_logged(server: Server, value: str) -> None:
    """Values no cell can be, alone and in a batch: an answer or a refusal, with an id in the log."""
    row = f"[{value}, 1, 1, 1]"
    for body in (f'{{"features": {row}}}', f'{{"instances": [{row}, [5.1, 3.5, 1.4, 0.2]]}}'):
        reply = server.client.post("/predict", content=body, headers={"content-type": "application/json"})
        assert reply.status_code in {200, 400}, reply.text
        document = reply.json()
        id = document.get("prediction_id") or document["predictions"][0]["prediction_id"]
        eventually(lambda id=id: server.client.get(f"/predictions/{id}").status_code == 200)


def test_a_reader_that_does_not_read_is_given_up(server: Server) -> None:
    """Replies nobody reads don't pile up without end."""
    rows = json.dumps({"instances": [SETOSA] * 2000}).encode()
    with Wire(server) as wire:
        wire.socket.settimeout(1)
        try:
            for _ in range(200):
                wire.socket.sendall(head(length=len(rows)) + rows)
        except TimeoutError:
            pass  # the server stopped reading: that is what it should do
    assert eventually(lambda: _resident(server) < 400)


def _resident(server: Server) -> int:
    """Mebibytes of the worker."""
    (pid,) = server.children("worker")
    time.sleep(0.1)
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) // 1024


def test_a_stopping_server_finishes_what_is_under_way(tmp_path: Path) -> None:
    """A request that has begun to arrive is answered after SIGTERM; then its connection and all end."""
    write_iris_bundle(tmp_path / "model")
    with Server(tmp_path / "model", "--workers", "1", "--drain", "10", cwd=tmp_path) as server:
        with Wire(server) as late, Wire(server) as idle:
            late.socket.sendall(head(length=len(BODY)) + BODY[:10])
            time.sleep(1)  # until it has surely been read
            server.process.send_signal(signal.SIGTERM)
            assert idle.closed()
            late.socket.sendall(BODY[10:])
            assert late.reply()[0] == 200
            assert late.closed()
        assert server.process.wait(20) == 0


def test_a_stopping_server_does_not_wait_for_ever(tmp_path: Path) -> None:
    """A request that never arrives is given up when the time to finish is over."""
    write_iris_bundle(tmp_path / "model")
    options = ("--workers", "1", "--drain", "1")
    with Server(tmp_path / "model", *options, cwd=tmp_path) as server, Wire(server) as never:
        never.socket.sendall(head(length=len(BODY)) + BODY[:10])
        time.sleep(1)
        begun = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(20) == 0
        assert time.monotonic() - begun < 15


def test_limits_are_settable(tmp_path: Path) -> None:
    """Rows and bytes beyond what was allowed are 413."""
    write_iris_bundle(tmp_path / "model")
    options = ("--workers", "1", "--max-rows", "2", "--max-body", "1")
    with Server(tmp_path / "model", *options, cwd=tmp_path) as server:
        assert server.client.post("/predict", json={"instances": [SETOSA] * 2}).status_code == 200
        assert server.client.post("/predict", json={"instances": [SETOSA] * 3}).status_code == 413
        assert server.client.post("/predict", content=b" " * (2 << 20)).status_code == 413
