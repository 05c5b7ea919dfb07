"""Answers of the application: JSON, and every error in the one shape."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from modelwright.errors import ModelwrightError
from modelwright.serve.errors import ServeError, TooLarge, error_document
from modelwright.serve.protocols.encoding import unpacked

_encode = msgspec.json.Encoder().encode


def json_response(document: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """``document`` as JSON."""
    return Response(
        _encode(document), status_code=status, headers=dict(headers or {}), media_type="application/json"
    )


def error_response(error: ModelwrightError) -> Response:
    """``error`` in the one shape."""
    if isinstance(error, ServeError):
        return json_response(error_document(error), status=error.status, headers=error.headers)
    return json_response(error_document(error), status=500)


async def read_body(request: Request, most: int) -> bytes:
    """The whole body, unpacked where it came compressed.

    Raises:
        TooLarge: It has more than ``most`` bytes, or would have; the rest is not read.
        ServeError: It is compressed in a way that is not read here, or broken.
    """
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > most:
        raise too_large(most)
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > most:
            raise too_large(most)
        parts.append(part)
    return unpacked(b"".join(parts), request.headers.get("content-encoding", ""), most=most)


def too_large(most: int) -> TooLarge:
    """The error of a body that is too large."""
    return TooLarge(
        f"The body is larger than {most} bytes.", "Send fewer rows at once.", headers={"connection": "close"}
    )
