"""What answering costs before any model: uvicorn, httptools and uvloop with a constant from raw ASGI."""

from __future__ import annotations

import sys
from typing import Any

import uvicorn

REPLY = b'{"prediction": 0}'
HEADERS = [(b"content-type", b"application/json"), (b"content-length", str(len(REPLY)).encode())]


async def app(_scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Read the body and answer."""
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": REPLY})


if __name__ == "__main__":
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=int(sys.argv[1]),
        http="httptools",
        loop="uvloop",
        ws="none",
        lifespan="off",
        log_level="error",
        access_log=False,
    )
