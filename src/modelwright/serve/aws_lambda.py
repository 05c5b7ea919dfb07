"""``modelwright.serve.aws_lambda.handler``: a bundle as a function on AWS Lambda.

The environment says what is served, as for ``serve.asgi``: ``MODELWRIGHT_BUNDLE`` the bundle's folder,
``MODELWRIGHT_STORE_URL`` where the log goes and looked-up features come from. Every route of the server
answers here too. The log is in the store before the handler returns: the process may be frozen the
moment after.

A request ``{"input": row}`` is answered ``{"message": "Received data successfully", "response": {…}}``,
the response being what the models say, followed by all that ``/predict`` says of the row.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import msgspec

from modelwright.schema.answers import GENERATION
from modelwright.serve.asgi import Application
from modelwright.serve.aws_events import Kind, Request, Response, read_event, reply
from modelwright.serve.settings import ServeSettings
from modelwright.serve.wording import META

RECEIVED = "Received data successfully"
_PREDICT = "/predict"
_BESIDE = META | {"outputs", GENERATION}  # members of a reply that are no model's answer
_WORK_DIR = "MODELWRIGHT_WORK_DIR"
_FUNCTION = "AWS_LAMBDA_FUNCTION_NAME"
_encode = msgspec.json.Encoder().encode


class Function:
    """A handler, callable as Lambda calls it: ``function(event, context)``.

    Args:
        settings: How to serve; by default as the environment says.
    """

    def __init__(self, settings: ServeSettings | None = None) -> None:
        self._application = Application(settings, deliver=True)
        self._loop: asyncio.AbstractEventLoop | None = None

    def __call__(self, event: Any, context: Any = None) -> Any:
        """Answer an event."""
        del context
        if self._loop is None:
            _choose_folder()
            self._loop = asyncio.new_event_loop()
        request = _placed(read_event(event))
        response = self._loop.run_until_complete(self._answer(request))
        if request.kind is Kind.DIRECT:
            document = msgspec.json.decode(response.body)
            return document if response.status == 200 else {"statusCode": response.status, **document}
        return reply(request, response)

    def warm_up(self) -> None:
        """Open the bundle before the first event, as at the start of an execution environment."""
        if self._loop is None:
            _choose_folder()
            self._loop = asyncio.new_event_loop()
        self._loop.run_until_complete(self._application.open())

    def close(self) -> None:
        """Give everything back."""
        if self._loop is not None:
            self._loop.run_until_complete(self._application.close())
            self._loop.close()
            self._loop = None

    async def _answer(self, request: Request) -> Response:
        if request.body is None:
            return _refused(400, "The body is said to be Base64 and is not.")
        response = await _asked(self._application, request, request.body)
        if request.path == _PREDICT and response.status == 200 and _wraps_input(request.body):
            response.body = _received(response.body)
            size = str(len(response.body))
            response.headers = [
                (name, size if name == "content-length" else value) for name, value in response.headers
            ]
        return response


def _choose_folder() -> None:
    """Lambda lets a function write in its temporary folder only."""
    if os.environ.get(_FUNCTION) and not os.environ.get(_WORK_DIR):
        os.environ[_WORK_DIR] = str(Path(tempfile.gettempdir()) / "modelwright")


def _placed(request: Request) -> Request:
    """What is posted to the function itself is for the model."""
    places = {"/", f"/{os.environ.get(_FUNCTION, '')}"}
    if request.method == "POST" and request.path in places:
        return msgspec.structs.replace(request, path=_PREDICT)
    return request


def _wraps_input(body: bytes) -> bool:
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    return isinstance(value, dict) and isinstance(value.get("input"), dict | list)


def _received(body: bytes) -> bytes:
    """An answer of one row with the message and the models' plain answers before it."""
    document = msgspec.json.decode(body)
    if "predictions" in document:
        answers: Any = [_plain(each) for each in document["predictions"]]
    else:
        answers = _plain(document)
    return _encode({"message": RECEIVED, "response": answers, **document})


def _plain(document: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name not in _BESIDE}


def _refused(status: int, message: str) -> Response:
    headers = [("content-type", "application/json")]
    return Response(status=status, body=_encode({"error": message}), headers=headers)


async def _asked(application: Application, request: Request, body: bytes) -> Response:
    """The application's response, collected."""
    response = Response(status=500, body=b"", headers=[])
    waiting = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> MutableMapping[str, Any]:
        return waiting.pop() if waiting else {"type": "http.disconnect"}

    async def send(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            response.status = message["status"]
            response.headers = [
                (name.decode("latin-1").lower(), value.decode("latin-1"))
                for name, value in message.get("headers", [])
            ]
        else:
            response.body += message.get("body", b"")

    await application(_scope(request), receive, send)
    return response


def _scope(request: Request) -> dict[str, Any]:
    headers = [(name, value) for name, value in request.headers if name != "content-length"]
    headers.append(("content-length", str(len(request.body or b""))))
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": "https",
        "path": request.path,
        "raw_path": request.path.encode("utf-8", "replace"),
        "root_path": "",
        "query_string": request.query.encode("utf-8", "replace"),
        "headers": [
            (name.encode("latin-1", "replace"), value.encode("latin-1", "replace")) for name, value in headers
        ],
        "client": (request.client, 0) if request.client else None,
        "server": ("lambda", 443),
    }


handler = Function()
"""What Lambda calls."""
