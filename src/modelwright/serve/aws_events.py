"""What AWS calls a function with, as a request, and a response as what it wants back.

API Gateway's payload formats 1.0 (REST) and 2.0 (HTTP APIs and function URLs), load balancers (as 1.0),
and anything else: a direct invocation, whose event is the body itself.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any
from urllib.parse import quote, unquote, urlencode

import msgspec

_encode = msgspec.json.Encoder().encode
_PLAIN = ("application/json", "text/")


class Kind(StrEnum):
    """Which shape an event has, and so its reply."""

    V1 = "1.0"
    V2 = "2.0"
    DIRECT = "direct"


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """A request out of an event.

    Attributes:
        kind: Of the event.
        method, path: Stage prefixes are off; the path is percent-decoded.
        query: As in the URL, without the question mark.
        headers: Names in lower case; repeated ones stand several times.
        body: Decoded; ``None`` if it claims to be Base64 and is not.
        client: Address of who asked; empty where nobody says.
    """

    kind: Kind
    method: str
    path: str
    body: bytes | None
    query: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    client: str = ""


class Response(msgspec.Struct, kw_only=True):
    """A response; header names in lower case."""

    status: int
    body: bytes
    headers: list[tuple[str, str]] = []

    def header(self, name: str) -> str:
        """The first value of a header; empty if there is none."""
        return next((value for key, value in self.headers if key == name), "")


def read_event(event: Any) -> Request:
    """The request in ``event``; never raises for what an event holds."""
    if isinstance(event, Mapping):
        context = _mapping(event.get("requestContext"))
        if "http" in context and "rawPath" in event:
            return _version_2(event, context)
        if "httpMethod" in event:
            return _version_1(event, context)
    return Request(
        kind=Kind.DIRECT,
        method="POST",
        path="/predict",
        headers=(("content-type", "application/json"),),
        body=_encode(event),
    )


def reply(request: Request, response: Response) -> dict[str, Any]:
    """What the caller of the function gets, for an event of API Gateway."""
    text = _as_text(response)
    answer: dict[str, Any] = {
        "statusCode": response.status,
        "headers": {name: value for name, value in response.headers if name != "set-cookie"},
        "body": base64.b64encode(response.body).decode("ascii") if text is None else text,
        "isBase64Encoded": text is None,
    }
    cookies = [value for name, value in response.headers if name == "set-cookie"]
    if cookies and request.kind is Kind.V2:
        answer["cookies"] = cookies
    if request.kind is Kind.V1:
        several: dict[str, list[str]] = {}
        for name, value in response.headers:
            several.setdefault(name, []).append(value)
        answer["multiValueHeaders"] = several
    return answer


def _version_2(event: Mapping[str, Any], context: Mapping[str, Any]) -> Request:
    http = _mapping(context.get("http"))
    headers = [(str(name).lower(), str(value)) for name, value in _mapping(event.get("headers")).items()]
    cookies = event.get("cookies")
    if isinstance(cookies, list) and cookies:
        headers.append(("cookie", "; ".join(map(str, cookies))))
    return Request(
        kind=Kind.V2,
        method=str(http.get("method", "GET")).upper(),
        path=_without_stage(unquote(str(event["rawPath"])), context),
        query=str(event.get("rawQueryString") or ""),
        headers=tuple(headers),
        body=_body(event),
        client=str(http.get("sourceIp") or ""),
    )


def _version_1(event: Mapping[str, Any], context: Mapping[str, Any]) -> Request:
    headers = _pairs(event.get("multiValueHeaders"), event.get("headers"))
    query = _pairs(event.get("multiValueQueryStringParameters"), event.get("queryStringParameters"))
    return Request(
        kind=Kind.V1,
        method=str(event["httpMethod"]).upper(),
        path=_without_stage(unquote(str(event.get("path") or "/")), context),
        query=urlencode(query, quote_via=quote),
        headers=tuple((name.lower(), value) for name, value in headers),
        body=_body(event),
        client=str(_mapping(context.get("identity")).get("sourceIp") or ""),
    )


def _pairs(several: Any, single: Any) -> list[tuple[str, str]]:
    """Names with their values, from whichever mapping the event has."""
    if isinstance(several, Mapping) and several:
        return [(str(name), str(value)) for name, values in several.items() for value in _listed(values)]
    return [(str(name), str(value)) for name, value in _mapping(single).items()]


def _listed(values: Any) -> Iterable[Any]:
    return values if isinstance(values, list) else [values]


def _without_stage(path: str, context: Mapping[str, Any]) -> str:
    stage = str(context.get("stage") or "")
    path = path if path.startswith("/") else f"/{path}"
    if stage and stage != "$default" and (path == f"/{stage}" or path.startswith(f"/{stage}/")):
        path = path[len(stage) + 1 :]
    return path or "/"


def _body(event: Mapping[str, Any]) -> bytes | None:
    body = event.get("body")
    if body is None:
        return b""
    if isinstance(body, str):
        if not event.get("isBase64Encoded"):
            return body.encode("utf-8", "surrogatepass")
        try:
            return base64.b64decode(body, validate=True)
        except (binascii.Error, ValueError):
            return None
    return _encode(body)  # tests in AWS's console send the body as JSON itself


def _as_text(response: Response) -> str | None:
    """The body as text where it is text."""
    if not response.header("content-type").startswith(_PLAIN):
        return None
    try:
        return response.body.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
