import contextlib
import gzip
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelwright.serve.errors import BadBody, ServeError, TooLarge, Unsupported
from modelwright.serve.protocols.encoding import unpacked


@given(st.binary(max_size=300))
def test_what_was_packed_is_unpacked(body):
    """As each of the encodings."""
    assert unpacked(gzip.compress(body), "GZip", most=300) == body
    assert unpacked(zlib.compress(body), "deflate", most=300) == body
    assert unpacked(body, "", most=0) == unpacked(body, "identity", most=0) == body


@pytest.mark.parametrize("encoding", ["br", "gzip, gzip", "zstd"])
def test_other_encodings_are_refused(encoding):
    """Also several on top of each other."""
    with pytest.raises(Unsupported):
        unpacked(b"", encoding, most=10)


@pytest.mark.parametrize(
    "body",
    [b"", b"junk", gzip.compress(b"abc")[:-1], gzip.compress(b"abc") + b"x"],
    ids=["empty", "junk", "torn", "followed"],
)
def test_what_is_broken_is_refused(body):
    """Empty, torn, or with something behind it."""
    with pytest.raises(BadBody):
        unpacked(body, "gzip", most=10)


def test_a_bomb_is_not_unpacked():
    """Two hundred megabytes of zeros take no more memory than the limit."""
    inflater = zlib.compressobj(9)
    bomb = b"".join(inflater.compress(bytes(1 << 20)) for _ in range(200)) + inflater.flush()
    tracemalloc.start()
    try:
        with pytest.raises(TooLarge):
            unpacked(bomb, "deflate", most=1 << 20)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 << 20


@given(st.binary(max_size=100), st.sampled_from(["gzip", "deflate", "br"]))
def test_any_bytes_are_unpacked_or_refused(body, encoding):
    """Without another error."""
    with contextlib.suppress(ServeError):
        unpacked(body, encoding, most=1000)
