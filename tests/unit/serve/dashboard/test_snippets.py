"""The requests that the form shows: pasted, each asks what the form asked."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from modelwright.serve.dashboard.house import Room
from modelwright.serve.dashboard.snippets import snippets

ROOM = Room("shop", "shop", None, "", None)
ROW = {"na'me $x": 'a "b" \\ %s é\nnew', "price": 1.5, "photo": "aW1hZ2U=", "back": "dHdv"}
FILES = {"photo": "my 'pic'.jpg", "back": "-two.png"}
RUN = {
    "curl": ["bash", "-c"],
    "Python": [sys.executable, "-c"],
    "JavaScript": ["node", "--input-type=module", "-e"],
}


class Listening(BaseHTTPRequestHandler):
    """Keeps what it was sent."""

    sent: list[tuple[str, str | None, Any]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.sent.append((self.path, self.headers["x-api-key"], json.loads(body)))  # type: ignore[attr-defined]
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture
def server() -> Iterator[Any]:
    """A server of this machine that keeps requests."""
    with HTTPServer(("127.0.0.1", 0), Listening) as running:
        running.sent = []  # type: ignore[attr-defined]
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running
        running.shutdown()


@pytest.mark.parametrize("language", list(RUN))
@pytest.mark.parametrize("files", [{}, FILES], ids=["plain", "files"])
def test_a_pasted_request_asks_the_same(
    server: Any, tmp_path: Path, language: str, files: dict[str, str]
) -> None:
    """Quotes, backslashes, odd names of columns and files come through; files are read where it runs."""
    program = RUN[language][0]
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    (tmp_path / FILES["photo"]).write_bytes(b"image")
    (tmp_path / FILES["back"]).write_bytes(b"two")
    url = f"http://127.0.0.1:{server.server_port}"
    text = snippets(url, ROOM, ROW, files, several=True, keys=language != "JavaScript")[language]
    done = subprocess.run(
        [*RUN[language], text],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "MODELWRIGHT_KEY": "secret"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    key = None if language == "JavaScript" else "secret"
    assert server.sent == [("/models/shop/predict", key, {"features": ROW})]
