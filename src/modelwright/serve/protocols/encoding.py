"""Compressed bodies (RFC 9110, 8.4): gzip and deflate, unpacked no further than a body may be long."""

from __future__ import annotations

import zlib

from modelwright.serve.errors import BadBody, TooLarge, Unsupported

_GZIP = 16 + zlib.MAX_WBITS
_WINDOWS = {"gzip": _GZIP, "x-gzip": _GZIP, "deflate": zlib.MAX_WBITS}


def unpacked(body: bytes, encoding: str, *, most: int) -> bytes:
    """``body`` without the ``Content-Encoding`` it came in.

    Args:
        body: As it came.
        encoding: The header; empty or "identity" for none.
        most: Bytes it may have once unpacked. No more than that is ever unpacked.

    Raises:
        Unsupported: It is none of gzip and deflate, or more than one.
        BadBody: It is broken.
        TooLarge: It is longer.
    """
    name = encoding.strip().lower()
    if name in {"", "identity"}:
        return body
    window = _WINDOWS.get(name)
    if window is None:
        raise Unsupported(
            f"The content encoding {name[:40]!r} is not read here.", "Send gzip, deflate or none."
        )
    inflater = zlib.decompressobj(window)
    try:
        plain = inflater.decompress(body, most + 1)
    except zlib.error:
        raise BadBody(f"The body is no {name}.", kind="encoding_invalid") from None
    if len(plain) > most:
        raise TooLarge(f"The body is larger than {most} bytes once unpacked.", "Send fewer rows at once.")
    if not inflater.eof or inflater.unused_data:
        raise BadBody(f"The body is no whole {name}.", kind="encoding_invalid")
    return plain
