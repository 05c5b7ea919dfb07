"""Requests nobody should send, on every route: told what is wrong, or cut off; never a failure, never a leak.

All the time another client asks what it should, and is answered well.
"""

from __future__ import annotations

import gzip
import io
import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from load import VIRGINICA, Load
from modelwright.store.engine import open_store
from serving import IRIS, NAMED_SETOSA, SETOSA, Server, eventually, iris_project, stored

pytestmark = pytest.mark.slow

SECRET = "tr0ub4dor"
SLOW = 30  # seconds a request may take to arrive
TENSORS = {
    "inputs": [
        {"name": name, "shape": [1], "datatype": "FP64", "data": [value]}
        for name, value in NAMED_SETOSA.items()
    ]
}
GOOD = {
    "/predict": {"features": SETOSA},
    "/models/iris/predict": {"features": SETOSA},
    "/invocations": {"instances": [SETOSA]},
    "/v2/models/iris/infer": TENSORS,
    "/v2/models/iris/versions/1/infer": TENSORS,
    "/endpoints/iris/invocations": {"features": SETOSA},
    "/feedback": {"prediction_id": "nobody", "target": 0},
    "/add_training_data": {"features": SETOSA, "target": 0},
    "/trigger_retrain": {"reason": "a test"},
    "/v2/repository/index": {},
}
READING = [path for path in GOOD if path != "/v2/repository/index"]  # this one reads no body
"""Routes that read a body, with one they take."""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a released version."""
    return iris_project(tmp_path_factory.mktemp("iris"), trees=2)


@pytest.fixture(scope="module")
def server(project: Path) -> Iterator[Server]:
    """It, served by one worker, so that whatever hurts it hurts everybody."""
    with Server("--workers", "1", cwd=project, env={"AWS_SECRET_ACCESS_KEY": SECRET}) as running:
        yield running
        assert running.stop() == 0
    assert "Traceback" not in running.log.read_text()
    assert not list((project / ".modelwright" / "journal").glob("set-aside*"))


@pytest.fixture(autouse=True)
def healthy(server: Server) -> Iterator[Load]:
    """A client that asks what it should meanwhile: it is answered, always, and soon."""
    (worker,) = server.children("worker")
    bodies = [{"features": SETOSA}, {"features": VIRGINICA}]
    with Load(server.url, bodies=bodies, connections=2, pause=0.01) as load:
        yield load
        load.wait_for(5)
    assert load.lost == 0
    assert {each.status for each in load.received} == {200}
    assert load.slowest < 2
    assert server.children("worker") == [worker], "the worker died"


class Reply(NamedTuple):
    """A response as it stood on the wire."""

    status: int
    headers: dict[str, str]
    body: bytes


def ask(server: Server, raw: bytes, *, seconds: float = 10, end: bool = False) -> list[Reply]:
    """Send bytes and collect the responses until the server closes, or says nothing more for a moment."""
    host, port = server.url.removeprefix("http://").split(":")
    received = b""
    with socket.create_connection((host, int(port)), timeout=seconds) as link:
        sender = threading.Thread(target=_send, args=(link, raw, end))
        sender.start()
        try:
            while data := link.recv(1 << 16):
                received += data
        except (TimeoutError, ConnectionError):
            pass
    sender.join()
    return parsed(received)


def _send(link: socket.socket, raw: bytes, end: bool) -> None:
    try:
        link.sendall(raw)
        if end:
            link.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # the server had enough


def parsed(data: bytes) -> list[Reply]:
    """Responses one after the other; nothing may be left over."""
    replies = []
    while data:
        head, mark, data = data.partition(b"\r\n\r\n")
        assert mark, f"no response: {head[:200]!r}"
        lines = head.decode("latin-1").split("\r\n")
        found = re.fullmatch(r"HTTP/1\.1 (\d{3}) [A-Za-z' -]+", lines[0])
        assert found, lines[0]
        pairs = [line.split(": ", 1) for line in lines[1:]]
        headers = {name.lower(): value for name, value in pairs}
        length = int(headers.get("content-length", "0"))
        replies.append(Reply(int(found[1]), headers, data[:length]))
        data = data[length:]
    return replies


def request(path: str = "/predict", body: bytes = b"", *lines: str, method: str = "POST") -> bytes:
    """A request with a length."""
    head = [f"{method} {path} HTTP/1.1", "host: x", f"content-length: {len(body)}", *lines]
    if not any(line.lower().startswith("content-type") for line in lines):
        head.append("content-type: application/json")
    return "\r\n".join([*head, "", ""]).encode("latin-1") + body


def assert_told(replies: list[Reply], project: Path, *statuses: int) -> None:
    """Each reply is a refusal in words (or one of ``statuses``), and gives nothing away."""
    for reply in replies:
        assert reply.status in statuses or 400 <= reply.status < 500, reply
        text = reply.body.decode()
        for leak in (str(project), "Traceback", 'File "', "site-packages", ".py", SECRET, "sqlite"):
            assert leak not in text, reply
        if reply.headers.get("content-type", "").startswith("text/plain"):
            assert reply.status == 415, reply  # MLflow's servers say it so
        elif reply.status >= 400 and reply.body:
            document = json.loads(text)
            assert any(document.get(key) for key in ("error", "message", "Message")), reply


LONGER = ("accept: application/json, */*;q=0.5",)
"""A header with which a request is not for the fast lane."""

BODIES = {
    "empty": b"",
    "cut": b'{"features": [5.1, 3.5',
    "two": b'{"features": [5.1, 3.5, 1.4, 0.2]} {}',
    "deep lists": b"[" * 200_000,
    "deep objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "deep in a value": b'{"features": [' + b"[" * 900 + b"]" * 900 + b", 1, 1, 1]}",
    "deep instances": b'{"instances": ' + b"[" * 900 + b"]" * 900 + b"}",
    "same name twice": b'{"features": [5.1, 3.5, 1.4, 0.2], "features": [1, 1, 1, 1]}',
    "same name escaped": b'{"features": [5.1, 3.5, 1.4, 0.2], "\\u0066eatures": [1, 1, 1, 1]}',
    "NaN": b'{"features": [NaN, 3.5, 1.4, 0.2]}',
    "Infinity": b'{"features": [-Infinity, 3.5, 1.4, 0.2]}',
    "1e999": b'{"features": [1e999, 3.5, 1.4, 0.2]}',
    "a number of 10,000 digits": b'{"features": [' + b"9" * 10_000 + b", 3.5, 1.4, 0.2]}",
    "a small number of 10,000 digits": b'{"features": [0.' + b"0" * 10_000 + b"1e9999999999, 3.5, 1.4, 0.2]}",
    "text NaN": b'{"features": ["NaN", "inf", "1e999", "0x10"]}',
    "not UTF-8": b'{"features": ["\xff\xfe", 3.5, 1.4, 0.2]}',
    "UTF-16": '{"features": [5.1, 3.5, 1.4, 0.2]}'.encode("utf-16"),
    "half a surrogate": b'{"features": ["\\ud800", 3.5, 1.4, 0.2]}',
    "half a surrogate in a name": b'{"features": {"\\udfff": 1}}',
    "half a surrogate as a name": b'{"\\ud800": 1}',
    "NUL": b'{"features": ["\\u0000", 3.5, 1.4, 0.2], "id": "a\\u0000b"}',
    "raw NUL": b'{"features": [5.1, 3.5, 1.4, 0.2]}\x00',
    "null": b"null",
    "null for a row": b'{"features": null}',
    "NULs": bytes(100),
    "a string": b'"' + b"x" * 100_000 + b'"',
    "a number": b"1",
    "wrong kinds": b'{"features": 1, "inputs": 1, "target": {}, "prediction_id": [], "reason": 1}',
    "rows and no instances": b'{"features": [[5.1, 3.5, 1.4, 0.2]], "instances": 1.5, "target": 0}',
    "a long name": b'{"' + b"x" * 100_000 + b'": 1}',
    "many names": json.dumps(dict.fromkeys(map(str, range(50_000)), 1)).encode(),
    "odd ids": b'{"features": [5.1, 3.5, 1.4, 0.2], "id": {"a": []}, "prediction_id": {"a": []}}',
    "a long id": json.dumps({**TENSORS, "features": SETOSA, "id": "i" * 10_000}).encode(),
    "an id of 201": json.dumps({"features": SETOSA, "id": "i" * 201, "prediction_id": "i" * 201}).encode(),
    "an id with a line": b'{"features": [5.1, 3.5, 1.4, 0.2], "id": "a\\r\\nset-cookie: b"}',
    "a huge id": b'{"features": [5.1, 3.5, 1.4, 0.2], "id": 1' + b"0" * 5_000 + b"}",
    "a huge target": b'{"features": [5.1, 3.5, 1.4, 0.2], "target": 1'
    + b"0" * 300
    + b', "prediction_id": "a"}',
    "html": b'{"features": ["<script>alert(1)</script>", 1, 1, 1]}',
}


@pytest.mark.parametrize("path", READING)
def test_bad_bodies_are_told(server: Server, project: Path, path: str) -> None:
    """Broken JSON of every kind gets a reason on every route, and the connection goes on."""
    alive = request("/health/live", b"", "connection: close", method="GET")
    for name, body in BODIES.items():
        if path == "/trigger_retrain" and name in {"empty", "half a surrogate as a name"}:
            continue
        for extra in ((), LONGER):
            replies = ask(server, request(path, body, *extra) + alive)
            assert len(replies) == 2, (name, replies)
            assert_told(replies[:1], project, *_fine(path, name))
            assert path != "/predict" or replies[0].status == 400, (name, replies)
            assert replies[1].status == 200, name


def _fine(path: str, name: str) -> tuple[int, ...]:
    """What else may be answered: a wish to retrain has no other names to look at than its reason."""
    return (202,) if path == "/trigger_retrain" and name != "wrong kinds" else ()


HEADS = {
    "length and chunks": ("content-length: 5", "transfer-encoding: chunked"),
    "two lengths": ("content-length: 5", "content-length: 6"),
    "two equal lengths": ("content-length: 5", "content-length: 5"),
    "a list of lengths": ("content-length: 5, 5",),
    "a negative length": ("content-length: -5",),
    "a signed length": ("content-length: +5",),
    "a hexadecimal length": ("content-length: 0x5",),
    "an endless length": ("content-length: " + "9" * 40,),
    "a spaced length": ("content-length: 5 5",),
    "a length and a letter": ("content-length: 5x",),
    "another coding": ("transfer-encoding: gzip, chunked, identity",),
    "nearly chunked": ("transfer-encoding: xchunked",),
    "chunked twice": ("transfer-encoding: chunked", "transfer-encoding: identity"),
    "a folded coding": ("transfer-encoding:", " chunked"),
    "obs-fold": ("x-a: b", " c"),
    "a folded line of its own": (" folded: x",),
    "a tab before the colon": ("content-length\t: 5",),
    "a space before the colon": ("content-length : 5",),
    "no colon": ("nothing at all",),
    "an empty name": (": x",),
    "a NUL in a name": ("x\x00y: z",),
    "a NUL in a value": ("x: y\x00z",),
    "a bare CR": ("x: y\rz: 1",),
    "a name of quotes": ('"x": y',),
}


@pytest.mark.parametrize("path", ["/predict", "/v2/models/iris/infer", "/feedback", "/health"])
@pytest.mark.parametrize("name", HEADS)
def test_heads_that_two_parsers_may_read_apart_end_the_connection(
    server: Server, project: Path, name: str, path: str
) -> None:
    """Smuggling: 400, the connection closed, and nothing behind it taken for a request."""
    lines = "\r\n".join([f"POST {path} HTTP/1.1", "host: x", *HEADS[name], "", ""])
    smuggled = b"0\r\n\r\nGET /version HTTP/1.1\r\nhost: x\r\n\r\n"
    replies = ask(server, lines.encode("latin-1") + smuggled, end=True)
    assert_told(replies, project)
    assert len(replies) <= 1


CHUNKED = b"POST /predict HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
RAW = {
    "bare LF": b"POST /predict HTTP/1.1\nhost: x\ncontent-length: 0\n\n",
    "HTTP/0.9": b"GET /health\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/3.0": b"GET / HTTP/3.0\r\nhost: x\r\n\r\n",
    "HTTP/1.10": b"GET / HTTP/1.10\r\nhost: x\r\n\r\n",
    "no version": b"GET / HTTP\r\nhost: x\r\n\r\n",
    "lower-case method": b"post /predict HTTP/1.1\r\nhost: x\r\n\r\n",
    "TLS": bytes.fromhex("16030100c8010000c40303") + bytes(200),
    "noise": bytes(range(256)) * 20,
    "NUL": bytes(1000),
    "empty lines": b"\r\n" * 50_000,
    "a space in the path": b"GET /health and more HTTP/1.1\r\nhost: x\r\n\r\n",
    "a raw byte in the path": b"GET /\xff\xfe HTTP/1.1\r\nhost: x\r\n\r\n",
    "a long method": b"A" * 100_000 + b" / HTTP/1.1\r\nhost: x\r\n\r\n",
    "a long path": b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nhost: x\r\n\r\n",
    "a long header": b"GET / HTTP/1.1\r\nx: " + b"a" * 1_000_000 + b"\r\n\r\n",
    "an endless header": b"GET / HTTP/1.1\r\nx: " + b"a" * 200_000,
    "a long name": b"GET / HTTP/1.1\r\n" + b"a" * 1_000_000 + b": x\r\n\r\n",
    "many headers": b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * 50_000 + b"\r\n",
    "CONNECT": b"CONNECT example.org:443 HTTP/1.1\r\nhost: example.org\r\n\r\n",
    "CONNECT to a path": b"CONNECT / HTTP/1.1\r\nhost: x\r\n\r\n",
    "a chunk of no size": CHUNKED + b"zz\r\n{}\r\n0\r\n\r\n",
    "a chunk of 2**64": CHUNKED + b"10000000000000000\r\n{}\r\n0\r\n\r\n",
    "a negative chunk": CHUNKED + b"-2\r\n{}\r\n0\r\n\r\n",
    "a long chunk extension": CHUNKED + b"2;" + b"x" * 200_000 + b"\r\n{}\r\n0\r\n\r\n",
    "long trailers": CHUNKED + b"2\r\n{}\r\n0\r\n" + b"x: y\r\n" * 50_000 + b"\r\n",
}


@pytest.mark.parametrize("name", RAW)
def test_what_is_no_request_is_told_or_cut_off(server: Server, project: Path, name: str) -> None:
    """Other protocols, noise and heads without end get a 4xx or nothing."""
    start = time.monotonic()
    assert_told(ask(server, RAW[name], end=True), project, 200)
    assert time.monotonic() - start < SLOW / 2  # not because time ran out


def test_methods_are_told_apart(server: Server, project: Path) -> None:
    """HEAD answers as GET without a body, OPTIONS and the unknown are refused in words, on every path."""
    paths = [*GOOD, "/", "/health", "/metrics", "/predictions/history", "/docs", "/nothing", "/ping"]
    for path in paths:
        for method in ("OPTIONS", "PUT", "DELETE", "PATCH", "TRACE", "PROPFIND", "QUERY"):
            (reply,) = ask(server, request(path, b"{}", "connection: close", method=method))
            assert reply.status in {404, 405}, (method, path, reply)
            assert_told([reply], project)
    for path in ("/", "/health", "/metrics", "/predictions/history", "/docs", "/ping", "/v2/models/iris"):
        host, port = server.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=10) as link:
            link.sendall(f"HEAD {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".encode())
            answer = b"".join(iter(lambda link=link: link.recv(65536), b""))
        assert answer.startswith(b"HTTP/1.1 200"), path
        assert answer.endswith(b"\r\n\r\n"), path


@pytest.mark.parametrize(
    "path",
    [
        "/%00", "/predict%00", "/predictions/%00", "/predictions/%ff%fe", "/predictions/" + "a" * 10_000,
        "/predictions/%0d%0aset-cookie:%20a", "/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/docs.js/..",
        "/predictions/history?limit=0", "/predictions/history?limit=1e9", "/predictions/history?limit=1001",
        "/predictions/history?limit=0000000000019999999", "/predictions/history?limit=" + "9" * 5_000,
        "/predictions/history?limit=%D9%A1", "/predictions/history?before=%00",
        "/predictions/history?before=" + "a" * 10_000, "/predictions/history?since=never",
        "/predictions/history?version=-1", "/predictions/history?version=" + "9" * 30,
        "/predictions/history?labelled=maybe", "/predictions/history?model=%00",
        "/predictions/history?model=" + "a" * 10_000, "/versions?limit=x", "/models/%00/predict",
        "/v2/models/%ff", "/v2/models/iris/versions/%00", "/v2/models/iris/versions/" + "1" * 10_000,
        "/v2/models/" + "a" * 10_000 + "/ready", "//predict", "/predict/", "/PREDICT",
    ],
    ids=lambda path: path[:60],
)  # fmt: skip
def test_odd_paths_and_queries_are_told(server: Server, project: Path, path: str) -> None:
    """Encoded NULs, dots, lines, and values out of any range: 4xx with a reason."""
    (reply,) = ask(server, request(path, b"", "connection: close", method="GET"))
    assert_told([reply], project)
    assert "set-cookie" not in reply.headers


def test_times_at_the_edge_of_the_calendar_find_nothing(server: Server, project: Path) -> None:
    """A time may be anything that is one."""
    for query in (
        "since=9999-12-31T23:59:59-23:59",
        "until=0001-01-01T00:00:00%2B23:59",
        "since=9999-12-31T23:59:59",
        "until=0001-01-01",
        "since=2026-01-01T00:00:00+14:00",
    ):
        (reply,) = ask(
            server, request(f"/predictions/history?{query}", b"", "connection: close", method="GET")
        )
        assert_told([reply], project, 200)


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("x-request-id", "i" * 10_000),
        ("x-request-id", "i" * 201),
        ("x-request-id", "a b"),
        ("x-request-id", "\xff\xfe"),
        ("x-request-id", "a\tb"),
        ("x-amzn-sagemaker-inference-id", "i" * 10_000),
        ("inference-header-content-length", "-1"),
        ("inference-header-content-length", "9" * 30),
        ("content-type", "application/json; charset=utf-16"),
        ("content-type", "a" * 5_000),
        ("content-type", ";;;=;"),
        ("content-type", "multipart/form-data"),
        ("content-type", "multipart/form-data; boundary=" + "b" * 100),
        ("content-type", "application/json; charset*0*=x''%ff; charset*1=y"),
        ("content-encoding", "gzip"),
        ("content-encoding", "br"),
    ],
)
def test_odd_headers_are_told(server: Server, project: Path, header: str, value: str) -> None:
    """What a header says and cannot be is refused on each route that reads it."""
    for path in ("/predict", "/invocations", "/v2/models/iris/infer", "/endpoints/iris/invocations"):
        body = json.dumps(GOOD[path]).encode()
        (reply,) = ask(server, request(path, body, f"{header}: {value}", "connection: close"))
        assert_told([reply], project, 200)
        assert "set-cookie" not in reply.headers
        if header == "x-request-id" or value == "br":
            assert reply.status >= 400, (path, reply)


def test_what_is_sent_back_is_one_header(server: Server) -> None:
    """Custom attributes and the variant go back as they came, and cannot begin a header of their own."""
    body = json.dumps({"features": SETOSA}).encode()
    name = "x-amzn-sagemaker-custom-attributes"
    path = "/endpoints/iris/invocations"
    (reply,) = ask(server, request(path, body, f"{name}: a=b; \xe9\xff", "connection: close"))
    assert reply.headers[name] == "a=b; \xe9\xff"
    for evil in ("a\nset-cookie: b", "a\rset-cookie: b"):
        replies = ask(server, request(path, body, f"{name}: {evil}", "connection: close"))
        assert all("set-cookie" not in each.headers for each in replies)


def test_expecting_to_continue(server: Server) -> None:
    """100-continue is answered when the body is waited for; what else is expected does no harm."""
    body = json.dumps({"features": SETOSA}).encode()
    head, _, _ = request("/predict", body, "expect: 100-continue").partition(b"\r\n\r\n")
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as link:
        link.sendall(head + b"\r\n\r\n")
        assert link.recv(1000).startswith(b"HTTP/1.1 100 Continue\r\n\r\n")
        link.sendall(body)
        assert link.recv(1000).startswith(b"HTTP/1.1 200")
    (reply,) = ask(server, request("/predict", body, "expect: a miracle", "connection: close"))
    assert reply.status in {200, 417}


def resident(server: Server) -> int:
    """Mebibytes of the worker."""
    (pid,) = server.children("worker")
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) // 1024


@pytest.mark.parametrize("path", READING)
def test_a_gigabyte_is_refused_without_being_held(server: Server, project: Path, path: str) -> None:
    """Told to be a gigabyte, or growing to one: 413, and the worker stays as small as it was."""
    before = resident(server)
    head = f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
    (reply,) = ask(server, head.encode() + b"content-length: 1073741824\r\n\r\n" + b" " * 65536)
    assert reply.status in {413, 424}
    assert_told([reply], project)
    for _ in range(3):
        _stream(server, head.encode() + b"transfer-encoding: chunked\r\n\r\n")
    assert resident(server) - before < 120  # the largest body there may be, twice, and what it is read into


def _stream(server: Server, head: bytes) -> None:
    """Send a gigabyte in chunks, as far as it is taken; the reply, if it can be had, says 413."""
    host, port = server.url.removeprefix("http://").split(":")
    chunk = b"100000\r\n" + b" " * (1 << 20) + b"\r\n"
    with socket.create_connection((host, int(port)), timeout=10) as link:
        link.sendall(head)
        sent = 0
        try:
            for _ in range(1024):
                link.sendall(chunk)
                sent += 1
        except OSError:
            pass
        assert sent < 100


BOMBS = {
    "ten million empty lists": (b"[" + b"[]," * 10_000_000 + b"[]]", "application/json"),
    "ten million empty objects": (b'{"instances":[' + b"{}," * 10_000_000 + b"{}]}", "application/json"),
    "fifteen million numbers": (b'{"features":[' + b"1," * 15_000_000 + b"1]}", "application/json"),
    "ten million short lines": (b"1\n" * 10_000_000, "text/csv"),
    "a line of thirty million commas": (b"," * 30_000_000, "text/csv"),
    "quotes": (b'"' * 30_000_000, "text/csv"),
    "backslashes": (b'{"features": "' + b"\\\\" * 15_000_000, "application/json"),
    "a gzip bomb": (gzip.compress(bytes(500_000_000), 1), "application/json"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_bodies_that_unfold_are_refused_soon(server: Server, project: Path, name: str) -> None:
    """Thirty megabytes that would become gigabytes of values are refused; others hardly notice."""
    before = resident(server)
    body, kind = BOMBS[name]
    extra = ("content-encoding: gzip",) if "gzip" in name else ()
    for path in ("/predict", "/invocations", "/endpoints/iris/invocations"):
        (reply,) = ask(
            server, request(path, body, f"content-type: {kind}", "connection: close", *extra), seconds=30
        )
        assert_told([reply], project)
    assert resident(server) - before < 250


def test_files_that_unfold_are_refused(server: Server, project: Path) -> None:
    """NumPy and Parquet files that claim or hold more than they should are refused by their heads."""
    import pyarrow as pa
    from pyarrow import parquet

    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        stream, {"descr": "<f8", "fortran_order": False, "shape": (10**12, len(IRIS))}
    )
    files = [("application/x-npy", stream.getvalue())]
    objects = io.BytesIO()
    np.save(objects, np.array([[{}]], dtype=object), allow_pickle=True)
    files.append(("application/x-npy", objects.getvalue()))
    many = io.BytesIO()
    column = pa.DictionaryArray.from_arrays(pa.array(np.zeros(20_000_000, np.int32)), pa.array([1.0]))
    parquet.write_table(pa.table(dict.fromkeys(IRIS, column)), many)
    files += [
        ("application/vnd.apache.parquet", many.getvalue()),
        ("application/vnd.apache.parquet", many.getvalue()[:-100]),
        ("application/vnd.apache.parquet", b"PAR1" + b"\xff" * 100 + b"PAR1"),
    ]
    before = resident(server)
    for kind, content in files:
        raw = request("/endpoints/iris/invocations", content, f"content-type: {kind}", "connection: close")
        assert_told(ask(server, raw), project)
    assert resident(server) - before < 200


def test_slow_clients_are_sent_away(server: Server) -> None:
    """Heads and bodies that come a byte a second are given up after half a minute; nobody else waits."""
    host, port = server.url.removeprefix("http://").split(":")
    head = request("/predict", b" " * 1000).partition(b"\r\n\r\n")[0]
    links = []
    for number in range(60):
        link = socket.create_connection((host, int(port)), timeout=20)
        link.setblocking(False)
        links.append(link)
        link.send(head + (b"\r\n\r\n" if number % 3 == 0 else b"\r\nx-a: b" if number % 3 == 1 else b"")[:20])
    answers: dict[socket.socket, bytes] = {}
    start = time.monotonic()
    while len(answers) < len(links) and time.monotonic() < start + 2 * SLOW:
        for link in links:
            if link in answers:
                continue
            try:
                link.send(b" ")
                answers[link] = link.recv(1000)
            except BlockingIOError:
                pass
            except OSError:
                answers[link] = b""
        time.sleep(1)
    for link in links:
        link.close()
    assert len(answers) == len(links)
    assert SLOW - 2 < time.monotonic() - start < 2 * SLOW - 10
    assert all(answer == b"" or b" 408 " in answer.partition(b"\r\n")[0] for answer in answers.values())
    assert sum(b" 408 " in answer for answer in answers.values()) > len(links) // 2


def test_half_open_and_broken_connections_cost_nothing(server: Server) -> None:
    """Hundreds of connections that say nothing, leave, reset or never read leave no file open."""
    host, port = server.url.removeprefix("http://").split(":")
    (pid,) = server.children("worker")

    def files() -> int:
        return len(list(Path(f"/proc/{pid}/fd").iterdir()))

    before = files()
    whole = request("/predict", json.dumps({"instances": [SETOSA] * 500}).encode())
    links = [socket.create_connection((host, int(port)), timeout=10) for _ in range(500)]
    for number, link in enumerate(links):
        part = whole[: (0, 10, len(whole) // 2, len(whole))[number % 4]]
        if part:
            link.send(part)
        if number % 3 == 0:
            link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        elif number % 3 == 1:
            link.shutdown(socket.SHUT_WR)
    time.sleep(0.5)
    for link in links:
        link.close()
    eventually(lambda: files() <= before + 2)


def test_a_thousand_requests_in_one_piece_are_answered_in_order(server: Server) -> None:
    """Pipelining as deep as it goes, on routes of every kind."""
    raw, wanted = b"", []
    for number in range(1000):
        kind = number % 5
        last = ("connection: close",) if number == 999 else ()
        if kind == 0:
            raw += request("/predict", json.dumps({"features": SETOSA, "id": f"deep-{number}"}).encode())
        elif kind == 1:
            raw += request("/predict", json.dumps({"features": VIRGINICA}).encode())
        elif kind == 2:
            raw += request("/health/live", method="GET")
        elif kind == 3:
            raw += request("/predict", b"[]")
        else:
            raw += request("/nothing", b"{}", *last)
        wanted.append((200, 200, 200, 400, 404)[kind])
    replies = ask(server, raw)
    assert [each.status for each in replies] == wanted
    for number in range(0, 1000, 5):
        assert json.loads(replies[number].body)["prediction_id"] == f"deep-{number}"
        assert json.loads(replies[number + 1].body)["prediction"] == 2


def test_refusals_are_recorded_under_ids_the_store_takes(server: Server, project: Path) -> None:
    """After all that the log still moves, and no row was set aside."""
    id = server.client.post("/predict", json={"features": SETOSA}).json()["prediction_id"]
    with stored(project / ".modelwright") as store:
        assert eventually(lambda: store.predictions.get("iris", id))
    assert not list((project / ".modelwright" / "journal").glob("set-aside*"))


def test_postgresql_takes_whatever_was_sent(tmp_path: Path, postgres_url: str) -> None:
    """NULs and the largest numbers in rows, names and texts are stored there, or refused."""
    iris_project(tmp_path, trees=2, url=postgres_url)
    with Server("--workers", "1", cwd=tmp_path, env={"MODELWRIGHT_STORE_URL": postgres_url}) as server:
        for path in READING:
            for name, body in BODIES.items():
                reply = server.client.post(path, content=body, headers={"content-type": "application/json"})
                assert reply.status_code < 500, (path, name, reply.text)
        for path in ("/predictions/%00", "/predictions/history?before=%00", "/predictions/history?model=%00"):
            assert 400 <= server.client.get(path).status_code < 500, path
        last = server.client.post("/predict", json={"features": SETOSA}).json()["prediction_id"]
        with open_store(postgres_url) as store:
            assert eventually(lambda: store.predictions.get("iris", last))
        assert server.stop() == 0
    assert not list((tmp_path / ".modelwright" / "journal").glob("set-aside*"))
    assert "Traceback" not in server.log.read_text()
