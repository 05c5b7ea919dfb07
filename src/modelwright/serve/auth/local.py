"""Serving without authentication: where that is allowed, and what a browser there may send."""

from __future__ import annotations

from collections.abc import Collection
from ipaddress import ip_address
from urllib.parse import urlsplit

from modelwright.serve.auth.errors import Exposed, ForeignPage


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches ``host``. A name other than localhost is taken not to be."""
    bare = host.strip().strip("[]").lower().rstrip(".")
    if bare == "localhost" or bare.endswith(".localhost"):
        return True
    try:
        address = ip_address(bare.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def may_start(host: str, *, auth: bool, insecure: bool) -> None:
    """Allow a server on ``host``: with authentication, on loopback, or if told that it need not be secure.

    Raises:
        Exposed: None of these.
    """
    if not (auth or insecure or is_loopback(host)):
        raise Exposed(host)


def refuse_foreign_page(origin: str | None, host: str | None, allowed: Collection[str] = ()) -> None:
    """Refuse what a web page of another origin makes a browser send to a server on loopback.

    Any page can post to 127.0.0.1 from its visitor's browser. The browser says so in ``Origin``; and
    where the page's own name was made to point to 127.0.0.1 (DNS rebinding), in ``Host``.

    Args:
        origin: The header, if there is one.
        host: The header.
        allowed: Origins that may, as in CORS.

    Raises:
        ForeignPage: It is such a request.
    """
    if origin is None or origin in allowed or "*" in allowed:
        return
    try:
        parts = urlsplit(origin)
        own = host is not None and parts.netloc == host.lower() and is_loopback(parts.hostname or "")
    except ValueError:
        own = False
    if not own:
        raise ForeignPage
