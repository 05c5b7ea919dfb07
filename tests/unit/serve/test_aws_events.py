"""Events of AWS as requests, and responses as what AWS wants."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelwright.serve.aws_events import Kind, Response, read_event, reply

V2: dict[str, Any] = {
    "version": "2.0",
    "routeKey": "POST /predict",
    "rawPath": "/live/predict",
    "rawQueryString": "a=1&b=two%20words",
    "cookies": ["one=1", "two=2"],
    "headers": {"Content-Type": "application/json", "x-api-key": "k"},
    "requestContext": {
        "stage": "live",
        "http": {"method": "POST", "path": "/live/predict", "sourceIp": "198.51.100.7"},
    },
    "body": '{"input": {}}',
    "isBase64Encoded": False,
}
V1: dict[str, Any] = {
    "resource": "/{proxy+}",
    "path": "/predict",
    "httpMethod": "POST",
    "headers": {"Content-Type": "application/json"},
    "multiValueHeaders": {"Content-Type": ["application/json"], "X-Two": ["a", "b"]},
    "multiValueQueryStringParameters": {"q": ["x y", "z"]},
    "requestContext": {"stage": "live", "identity": {"sourceIp": "198.51.100.8"}},
    "body": base64.b64encode(b'{"input": {}}').decode(),
    "isBase64Encoded": True,
}


def test_payload_version_2():
    """Method, path without the stage, query, headers, cookies and address are read."""
    request = read_event(V2)
    assert (request.kind, request.method, request.path) == (Kind.V2, "POST", "/predict")
    assert request.query == "a=1&b=two%20words" and request.client == "198.51.100.7"
    assert ("content-type", "application/json") in request.headers
    assert ("cookie", "one=1; two=2") in request.headers
    assert request.body == b'{"input": {}}'


def test_payload_version_1():
    """Repeated headers and parameters are kept, and a Base64 body is decoded."""
    request = read_event(V1)
    assert (request.kind, request.path, request.query) == (Kind.V1, "/predict", "q=x%20y&q=z")
    assert [value for name, value in request.headers if name == "x-two"] == ["a", "b"]
    assert request.body == b'{"input": {}}' and request.client == "198.51.100.8"


@pytest.mark.parametrize(
    ("stage", "path", "expected"),
    [
        ("live", "/live", "/"),
        ("live", "/lively/predict", "/lively/predict"),
        ("$default", "/predict", "/predict"),
        ("live", "/predict", "/predict"),
        ("live", "/live/models/a%20b/predict", "/models/a b/predict"),
    ],
)
def test_the_stage_is_taken_off(stage: str, path: str, expected: str):
    """Only a whole first segment that is the stage goes."""
    event = {**V2, "rawPath": path, "requestContext": {**V2["requestContext"], "stage": stage}}
    assert read_event(event).path == expected


def test_a_direct_invocation_is_its_own_body():
    """What is no event of a gateway goes to the model as it is."""
    request = read_event({"input": {"k": 7}})
    assert (request.kind, request.method, request.path) == (Kind.DIRECT, "POST", "/predict")
    assert request.body == b'{"input":{"k":7}}'


def test_a_body_that_is_not_base64_is_told_apart():
    """A claim that does not hold gives no body at all."""
    assert read_event({**V1, "body": "%%%"}).body is None
    assert read_event({**V1, "body": None}).body == b""


def test_replies():
    """Text goes as text, else as Base64; cookies and repeated headers as each version wants them."""
    headers = [("content-type", "application/json"), ("set-cookie", "a=1"), ("set-cookie", "b=2")]
    text = Response(status=200, body="{“ü”}".encode(), headers=headers)
    second = reply(read_event(V2), text)
    assert second["body"] == "{“ü”}" and second["isBase64Encoded"] is False
    assert second["cookies"] == ["a=1", "b=2"] and "multiValueHeaders" not in second
    first = reply(read_event(V1), text)
    assert first["multiValueHeaders"]["set-cookie"] == ["a=1", "b=2"]
    image = reply(
        read_event(V2), Response(status=200, body=b"\x89PNG", headers=[("content-type", "image/png")])
    )
    assert image["isBase64Encoded"] is True and base64.b64decode(image["body"]) == b"\x89PNG"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(JSON, st.dictionaries(st.sampled_from([*V1, *V2]), JSON))
def test_no_event_breaks_it(event: Any, changed: dict[str, Any]):
    """Whatever an event holds, a request comes of it."""
    assert read_event(event).method
    assert read_event({**V2, **changed}).path.startswith("/")
    assert read_event({**V1, **changed}).path.startswith("/")
