"""Both clients against a server on 127.0.0.1 that does what each test says, over real sockets."""

import asyncio
import json
import sys
import uuid
from collections.abc import Callable, Iterator
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelwright.client import messages
from modelwright.client.aio import AsyncClient
from modelwright.client.errors import (
    InvalidInput,
    NotAllowed,
    Refused,
    UnexpectedAnswer,
    Unreachable,
    UnsendableRow,
)
from modelwright.client.sync import Client
from modelwright.errors import MissingExtra

ANSWER = {
    "prediction": 1,
    "prediction_name": "one",
    "confidence": 0.75,
    "probabilities": {"zero": 0.25, "one": 0.75},
    "latency": 0.001,
    "prediction_id": "p1",
    "model_version": 3,
    "warnings": [{"loc": ["features", "a"], "msg": "odd", "type": "x", "input": 5}],
    "something new": True,
}
Reply = tuple[int, Any, dict[str, str]] | None


class Scripted:
    """What the server was sent, and what it answers next; after the script, the answer."""

    def __init__(self) -> None:
        self.url = ""
        self.script: list[Reply] = []
        self.seen: list[tuple[str, str, dict[str, str], Any]] = []

    def next(self, body: Any) -> Reply:
        if self.script:
            return self.script.pop(0)
        if body and "instances" in body:
            return 200, {"predictions": [ANSWER for _ in body["instances"]]}, {}
        return 200, ANSWER, {}

    @property
    def bodies(self) -> list[Any]:
        return [body for _, _, _, body in self.seen]


@pytest.fixture
def server() -> Iterator[Scripted]:
    scripted = Scripted()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers.get("content-length", "0")))
            body = json.loads(raw) if raw else None
            scripted.seen.append(
                (self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body)
            )
            reply = scripted.next(body)
            if reply is None:
                self.close_connection = True
                return
            status, document, headers = reply
            sent = document if isinstance(document, bytes) else json.dumps(document).encode()
            self.send_response(status)
            for name, value in {**headers, "content-length": str(len(sent))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(sent)

        do_GET = do_POST  # noqa: N815

        def log_message(self, *arguments: Any) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    thread = Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    scripted.url = f"http://127.0.0.1:{http.server_address[1]}"
    yield scripted
    http.shutdown()
    http.server_close()
    thread.join()


class Both:
    """Calls a method of one client or the other in the same way."""

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def __call__(self, url: str, call: Callable[[Any], Any], **options: Any) -> Any:
        if self.kind == "sync":
            with Client(url, **options) as client:
                return call(client)

        async def run() -> Any:
            async with AsyncClient(url, **options) as client:
                return await call(client)

        return asyncio.run(run())


@pytest.fixture(params=["sync", "async"])
def ask(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Both:
    """Either client, with short waits."""
    monkeypatch.setattr(messages, "_FIRST_WAIT", 0.001)
    return Both(request.param)


def test_a_row_gets_a_prediction(server, ask):
    """Typed; what a later server adds is no harm."""
    answer = ask(server.url, lambda client: client.predict({"a": 1.5, "b": None}))
    assert (answer.prediction, answer.prediction_name, answer.confidence) == (1, "one", 0.75)
    assert (answer.prediction_id, answer.model_version) == ("p1", 3)
    assert answer.warnings[0].msg == "odd"
    ((method, path, _, body),) = server.seen
    assert (method, path, body["features"]) == ("POST", "/predict", {"a": 1.5, "b": None})
    assert uuid.UUID(body["id"]).version == 7


def test_several_rows_get_a_list(server, ask):
    """Whatever they are made of."""
    for rows in (
        [{"a": 1}, {"a": 2}],
        [[1], [2]],
        np.array([[1.0], [2.0]]),
        pd.DataFrame({"a": [1, 2]}),
    ):
        assert [
            one.prediction for one in ask(server.url, lambda client, rows=rows: client.predict(rows))
        ] == [1, 1]
    assert server.bodies[0]["instances"] == server.bodies[3]["instances"] == [{"a": 1}, {"a": 2}]
    assert server.bodies[1]["instances"] == server.bodies[2]["instances"] == [[1], [2]]


def test_many_rows_go_in_several_requests(server, ask, monkeypatch):
    """Each with an id, so each may be sent again."""
    monkeypatch.setattr(messages, "CHUNK", 2)
    answers = ask(server.url, lambda client: client.predict([[1]] * 5, id="mine"))
    assert len(answers) == 5
    assert [body["id"] for body in server.bodies] == ["mine.0", "mine.1", "mine.2"]


def test_ids_and_models_are_the_callers(server, ask):
    """A model's name may hold anything."""
    ask(server.url, lambda client: client.predict([1], id="mine", model="a/b ü"))
    assert server.bodies[0]["id"] == "mine"
    assert server.seen[0][1] == "/models/a%2Fb%20%C3%BC/predict"


def test_cells_are_sent_as_json_has_them(server, ask):
    """NumPy's numbers plain, NaN and NaT missing, times ISO, images base64."""
    row = {
        "f": np.float32(0.5),
        "i": np.int64(3),
        "b": np.bool_(True),
        "n": float("nan"),
        "t": datetime(2020, 1, 2),
        "m": pd.NaT,
        "p": b"\xff",
        "s": "ü",
    }
    ask(server.url, lambda client: client.predict(row))
    assert server.bodies[0]["features"] == {
        "f": 0.5, "i": 3, "b": True, "n": None, "t": "2020-01-02T00:00:00", "m": None, "p": "/w==", "s": "ü",
    }  # fmt: skip


@pytest.mark.parametrize("row", [{"a": float("inf")}, {"a": object()}, {"a": [1]}, "text"])
def test_what_cannot_be_sent_is_refused_here(server, ask, row):
    """Before anything is sent."""
    with pytest.raises(UnsendableRow):
        ask(server.url, lambda client: client.predict(row))
    assert not server.seen


@pytest.mark.parametrize(
    "failure", [None, (503, {"error": "x"}, {}), (429, {}, {"retry-after": "0"}), (502, b"", {})]
)
def test_a_request_without_an_answer_is_sent_again_as_it_was(server, ask, failure):
    """With the same id, so the server can tell."""
    server.script = [failure, failure]
    assert ask(server.url, lambda client: client.predict([1])).prediction == 1
    assert len(server.seen) == 3
    assert server.bodies[0] == server.bodies[1] == server.bodies[2]


def test_it_gives_up_after_its_attempts(server, ask):
    """With the last refusal, or that nobody is there."""
    server.script = [(503, {"error": "Not now.", "instruction": "Wait."}, {})] * 9
    with pytest.raises(Refused, match=r"Not now\. Wait\.") as caught:
        ask(server.url, lambda client: client.predict([1]), attempts=3)
    assert (caught.value.status, len(server.seen)) == (503, 3)
    with pytest.raises(Unreachable, match="2 attempts"):
        ask("http://127.0.0.1:1", lambda client: client.predict([1]), attempts=2)


def test_a_server_that_asks_for_long_patience_does_not_get_it(server, ask):
    """The caller decides then."""
    server.script = [(429, {"error": "Too many."}, {"retry-after": "3600"})]
    with pytest.raises(Refused):
        ask(server.url, lambda client: client.predict([1]))
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, InvalidInput), (401, NotAllowed), (403, NotAllowed), (409, Refused), (500, Refused)],
)
def test_a_refusal_is_told_once_with_its_details(server, ask, status, kind):
    """It would be the same again."""
    problem = {"loc": ["body", "features", "a"], "msg": "is no number", "type": "t", "input": "x"}
    server.script = [(status, {"error": "Input validation failed", "details": [problem]}, {})]
    with pytest.raises(kind) as caught:
        ask(server.url, lambda client: client.predict([1]))
    assert caught.value.problems == [problem]
    assert caught.value.details == ("body.features.a: is no number",)
    assert len(server.seen) == 1


@pytest.mark.parametrize("document", [b"junk", b"\xff", [], {}, {"prediction": 1}, b"[" * 100_000])
def test_what_is_no_answer_is_said_to_be_none(server, ask, document):
    """A proxy's page, another program."""
    server.script = [(200, document, {})]
    with pytest.raises(UnexpectedAnswer):
        ask(server.url, lambda client: client.predict([1]))


def test_feedback_names_its_prediction(server, ask):
    """And the truth."""
    server.script = [(200, {"status": "stored"}, {})]
    assert ask(server.url, lambda client: client.feedback("p1", np.int64(1))) == {"status": "stored"}
    assert server.seen[0][1] == "/feedback"
    assert server.bodies[0] == {"prediction_id": "p1", "target": 1}


def test_many_truths_are_told_in_few_requests(server, ask):
    """As many as a request may hold at once; how many were new is added up."""
    server.script = [(201, {"stored": 1_000}, {}), (201, {"stored": 1}, {})]
    truths = {f"p{number}": np.int64(number % 2) for number in range(1_001)}
    assert ask(server.url, lambda client: client.feedback_many(truths)) == 1_001
    assert [len(body["feedback"]) for body in server.bodies] == [1_000, 1]
    assert server.bodies[1]["feedback"] == [{"prediction_id": "p1000", "target": 0}]


def test_health_is_told_also_where_it_is_bad(server, ask):
    """Without another attempt."""
    server.script = [(200, {"status": "healthy", "version": 3}, {}), (503, {"status": "starting"}, {})]
    well = ask(server.url, lambda client: client.health())
    assert (well.ok, well.status, well.details["version"]) == (True, "healthy", 3)
    ill = ask(server.url, lambda client: client.health())
    assert (ill.ok, ill.status, len(server.seen)) == (False, "starting", 2)


def test_the_key_is_sent_and_never_shown(server, ask):
    """Neither by repr nor in an error."""
    server.script = [(401, {"error": "No."}, {})]
    key = "mw_aaaaaaaa_" + "S" * 43
    shown = []
    with pytest.raises(NotAllowed) as caught:
        ask(server.url, lambda client: shown.append(repr(client)) or client.predict([1]), api_key=key)
    assert server.seen[0][2]["authorization"] == f"Bearer {key}"
    assert "SSS" not in repr(caught.value) + str(caught.value) + shown[0]


@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_without_httpx_the_extra_is_named(kind, monkeypatch):
    """It is optional."""
    monkeypatch.setitem(sys.modules, "httpx", None)
    with pytest.raises(MissingExtra, match=r"modelwright\[client\]"):
        kind("http://127.0.0.1:1")


def test_an_address_without_a_scheme_is_refused():
    """It would be a path."""
    with pytest.raises(ValueError, match="http://"):
        Client("127.0.0.1:5000")


@given(st.integers(1, 20), st.none() | st.sampled_from([200, 400, 503]), st.text())
def test_patience_ends(attempts, status, retry_after):
    """After its attempts, whatever is said, and never waits longer than it may."""
    patience = messages.Patience(attempts)
    waits = 0
    while (wait := patience.wait(status, retry_after)) is not None:
        waits += 1
        assert 0 <= wait <= 10
    assert waits < attempts


def test_ids_keep_their_order():
    """By time."""
    ids = [messages.new_id() for _ in range(100)]
    assert len(set(ids)) == 100
    assert [one[:13] for one in ids] == sorted(one[:13] for one in ids)
