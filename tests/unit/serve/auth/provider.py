"""An OpenID provider on 127.0.0.1 for tests: real keys, a real HTTP server, a clock that can be set."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa

AUDIENCE = "my-app"
RSA = {kid: rsa.generate_private_key(65537, 2048) for kid in ("one", "two")}
EC = ec.generate_private_key(ec.SECP256R1())


def public_jwk(kid: str, key: Any, **more: Any) -> dict[str, Any]:
    algorithm = (
        jwt.algorithms.RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else jwt.algorithms.ECAlgorithm
    )
    return {**json.loads(algorithm.to_jwk(key.public_key())), "kid": kid, "use": "sig", **more}


class Clock:
    """Seconds that pass when told."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class Provider:
    """What it serves, and how often it was asked."""

    def __init__(self) -> None:
        self.jwks: Any = {"keys": [public_jwk("one", RSA["one"], alg="RS256")]}
        self.discovery: dict[str, Any] = {}
        self.status = 200
        self.asked = 0
        self.url = ""

    @property
    def jwks_url(self) -> str:
        return f"{self.url}/jwks.json"

    def answer(self, path: str) -> tuple[int, bytes]:
        self.asked += path == "/jwks.json"
        document = self.jwks if path == "/jwks.json" else self.discovery
        return self.status, document if isinstance(document, bytes) else json.dumps(document).encode()


@contextmanager
def running() -> Iterator[Provider]:
    provider = Provider()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = provider.answer(self.path)
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    provider.url = f"http://127.0.0.1:{server.server_address[1]}"
    provider.discovery = {"issuer": provider.url, "jwks_uri": provider.jwks_url}
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def token(
    provider: Provider, *, key: Any = None, kid: str | None = "one", alg: str = "RS256", **claims: Any
) -> str:
    """A token that holds, but for what is said; a claim of ``None`` is left out. Times are real ones."""
    import time

    now = time.time()
    said = {
        "iss": provider.url,
        "aud": AUDIENCE,
        "sub": "ann",
        "exp": now + 600,
        "scope": "predict",
        **claims,
    }
    said = {name: value for name, value in said.items() if value is not None}
    headers = {} if kid is None else {"kid": kid}
    return jwt.encode(said, key if key is not None else RSA["one"], algorithm=alg, headers=headers)
