"""Objects of S3 are copied into the project, from any endpoint that speaks S3's reading half."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from modelwright.data.faults import DataUnreadable
from modelwright.data.load import materialise, read_table

CSV = b"a,b\n" + b"".join(b"%d,word %d\n" % (place, place) for place in range(5000))


class Bucket(BaseHTTPRequestHandler):
    """Answers HEAD and ranged GET for one object, as S3 does."""

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        content = CSV if self.path == "/shop/sales/t.csv" else b""
        first, last = 0, len(content) - 1
        if (asked := self.headers.get("Range")) and content:
            first, last = (int(part) if part else last for part in asked.removeprefix("bytes=").split("-"))
            last = min(last, len(content) - 1)
        part = content[first : last + 1]
        self.send_response((206 if asked else 200) if content else 404)
        self.send_header("Content-Length", str(len(part)))
        self.send_header("Content-Range", f"bytes {first}-{last}/{len(content)}")
        self.send_header("ETag", '"0"')
        self.end_headers()
        if body:
            self.wfile.write(part)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def endpoint() -> Iterator[None]:
    """A server on this machine that holds ``s3://shop/sales/t.csv``, and the settings that lead there."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Bucket)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    os.environ |= {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_address[1]}",
        "AWS_ACCESS_KEY_ID": "ann",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "eu-central-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    yield
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.usefixtures("endpoint")
def test_an_object_becomes_a_file_of_the_project(tmp_path: Path) -> None:
    """The object is copied whole and read as the form its name says."""
    path = materialise("s3://shop/sales/t.csv", project_dir=tmp_path)
    assert path == tmp_path / "data" / "t.csv"
    assert path.read_bytes() == CSV
    assert read_table("s3://shop/sales/t.csv", base=tmp_path).table.num_rows == 5000


@pytest.mark.usefixtures("endpoint")
def test_an_absent_object_is_worded(tmp_path: Path) -> None:
    """What is not there, or no object at all, is named, and nothing is left behind."""
    with pytest.raises(DataUnreadable, match=r"s3://shop/gone\.csv"):
        materialise("s3://shop/gone.csv", project_dir=tmp_path)
    with pytest.raises(DataUnreadable, match="no single object"):
        materialise("s3://shop/sales/", project_dir=tmp_path)
    assert not (tmp_path / "data").exists() or not list((tmp_path / "data").iterdir())
