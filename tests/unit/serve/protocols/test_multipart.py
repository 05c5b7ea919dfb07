import base64
import contextlib

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelwright.serve.errors import BadBody
from modelwright.serve.protocols import multipart, predict
from unit.serve.protocols.cases import MIXED


def form(data: dict[str, str], files: dict[str, tuple[str, bytes, str]]) -> tuple[bytes, dict[str, str]]:
    request = httpx.Request("POST", "http://h/", data=data, files=files)
    return request.read(), {"content-type": request.headers["content-type"]}


def test_a_form_with_a_file_is_a_row():
    """Text fields are cells, files are data URLs, an empty field is a missing value."""
    image = bytes(range(256))
    body, headers = form({"a": "1.5", 'b "q" ü': ""}, {"photo": ("ü.png", image, "image/png")})
    call = predict.read(body, headers, MIXED)
    url = "data:image/png;base64," + base64.b64encode(image).decode()
    assert call.rows == [{"a": "1.5", 'b "q" ü': None, "photo": url}]
    assert call.single


def test_the_id_of_a_form_is_the_clients():
    """As in JSON."""
    body, headers = form({"a": "1", "id": "x7"}, {"photo": ("p", b"", "image/png")})
    assert predict.read(body, headers, MIXED).ids == ["x7"]


@pytest.mark.parametrize(
    ("body", "boundary"),
    [
        (b"", "b"),
        (b"--b--\r\n", "b"),
        (b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n1', "b"),
        (b"--b\r\nContent-Disposition: form-data\r\n\r\n1\r\n--b--\r\n", "b"),
        (b"junk", "b"),
        (b"--b--\r\n", ""),
        (b"--b--\r\n", "b" * 71),
        (b"--b\r\nX: " + b"y" * 10_000 + b"\r\n\r\n1\r\n--b--\r\n", "b"),
        (b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n\xff\r\n--b--\r\n', "b"),
        (b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n' * 2 + b"--b--\r\n", "b"),
        (b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n' * 2001 + b"--b--\r\n", "b"),
    ],
    ids=[
        "empty",
        "no part",
        "torn",
        "no name",
        "junk",
        "no boundary",
        "long boundary",
        "long header",
        "no UTF-8",
        "twice",
        "many",
    ],
)
def test_a_broken_form_is_refused(body, boundary):
    """Whatever is wrong with it, it is a bad body."""
    with pytest.raises(BadBody):
        multipart.read_row(body, boundary)


@given(
    st.lists(
        st.sampled_from([b"--b", b"\r\n", b"--", b'name="a"', b"Content-Disposition: ", b";", b"\xff\n"])
    )
)
def test_no_bytes_break_it(pieces):
    """Pieces of forms in any order are a row or a bad body."""
    with contextlib.suppress(BadBody):
        multipart.read_row(b"".join(pieces), "b")
