"""TLS on the second day: whether a certificate can be used, who trusts it, and what follows from that.

What others will see of a certificate is found by meeting it as they do: a handshake in memory, once with
what this machine trusts and once with the certificate's own file as the trust.
"""

from __future__ import annotations

import contextlib
import ipaddress
import ssl
from shlex import quote
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from modelwright.errors import ExitCode, ModelwrightError
from modelwright.project.durations import seconds

AUTO, OFF = "auto", "off"
_HTTPS_PORT = 443
_MONTH = 30 * 86400
_FLIGHTS = 10  # more than any handshake takes


class TlsUnusable(ModelwrightError):
    """A certificate or its key."""

    code = ExitCode.PROJECT


class HstsUnclear(ModelwrightError):
    """For how long browsers are to insist on HTTPS."""

    code = ExitCode.USAGE


class Certificate(NamedTuple):
    """What a server shows.

    Attributes:
        trusted: Whether this machine trusts it without being given the file.
        names: Host names and addresses it is for; none where it does not say, or is out of date.
    """

    trusted: bool
    names: tuple[str, ...]

    def covers(self, host: str) -> bool:
        """Whether it is for ``host``, a name or an address."""
        return any(_same(name, host) for name in self.names)


def look_at(certificate: str, private_key: str) -> Certificate:
    """What there is to know of a certificate.

    Args:
        certificate: File with the chain, PEM.
        private_key: File with its key, PEM.

    Raises:
        TlsUnusable: Only one of the two is given, they cannot be read, or do not belong together.
    """
    if not (certificate and private_key):
        raise TlsUnusable("TLS needs a certificate and its key.", "Give both --tls-cert and --tls-key.")
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        server.load_cert_chain(certificate, private_key, password=_no_passphrase)
    except (OSError, ssl.SSLError) as error:
        raise TlsUnusable(
            f"The certificate {certificate} and the key {private_key} cannot be used: "
            f"{error.strerror or error}.",
            "Give PEM files that belong together and may be read.",
        ) from error
    anyone = ssl.create_default_context()
    told = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    with contextlib.suppress(ssl.SSLError):  # a file without an end-entity certificate of its own
        told.load_verify_locations(certificate)
    told.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return Certificate(trusted=_met(server, anyone) is not None, names=_names(_met(server, told) or {}))


def hsts_seconds(asked: str, certificate: Certificate | None, port: int) -> int:
    """How long browsers are to insist on HTTPS for this server's host; 0: nothing is said.

    What is said holds for all ports of the host, and nobody can pass by a certificate that went wrong any
    more. So by itself a server says it only where it is the host's HTTPS, and is trusted.

    Args:
        asked: "auto", "off", or a length of time.
        certificate: What is shown; ``None`` without TLS.
        port: Where the server listens.

    Raises:
        HstsUnclear: It is none of these, or asked for without TLS.
    """
    word = asked.strip().lower()
    if word == AUTO:
        return _MONTH if certificate is not None and certificate.trusted and port == _HTTPS_PORT else 0
    if word == OFF:
        return 0
    try:
        length = int(seconds(word))
    except ValueError as error:
        raise HstsUnclear(f"--hsts {asked}: {error}.", "Write auto, off, or a time such as 30d.") from error
    if certificate is None:
        raise HstsUnclear(
            "--hsts is told to browsers over HTTPS only.",
            "Give --tls-cert and --tls-key; where a proxy speaks HTTPS, let the proxy say it.",
        )
    return length


def curl_address(url: str, file: str, certificate: Certificate) -> tuple[str, str]:
    """The address that ``curl`` is to ask, and the options without which it would refuse.

    Args:
        url: The server's address, without a path.
        file: The certificate's.
        certificate: What is known of it.
    """
    options = [] if certificate.trusted else ["--cacert", file]
    parts = urlsplit(url)
    host = parts.hostname or ""
    if certificate.names and not certificate.covers(host):
        name = next((name for name in certificate.names if not _is_address(name)), "").replace("*", "www", 1)
        if name:
            reached = f"[{host}]" if ":" in host else host
            options += ["--resolve", f"{name}:{parts.port}:{reached}"]
            url = f"{parts.scheme}://{name}:{parts.port}"
    return url, " ".join(map(quote, options))


def _no_passphrase() -> str:
    raise TlsUnusable(
        "The key of the certificate is locked by a passphrase, and nobody is there to type it.",
        "Unlock it into a file that only the server may read: openssl pkey -in locked.pem -out key.pem",
    )


def _met(server: ssl.SSLContext, client: ssl.SSLContext) -> dict[str, Any] | None:
    """The certificate as a client sees it; ``None`` if it does not trust it."""
    client.check_hostname = False
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    one = client.wrap_bio(back, there)
    other = server.wrap_bio(there, back, server_side=True)
    for _ in range(_FLIGHTS):
        for side in (one, other):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
            except ssl.SSLError:
                return None
    return one.getpeercert()


def _names(shown: dict[str, Any]) -> tuple[str, ...]:
    """Who a certificate is for: its alternative names, and where there is none its subject."""
    names = [value for kind, value in shown.get("subjectAltName", ()) if kind in ("DNS", "IP Address")]
    subject = [value for part in shown.get("subject", ()) for key, value in part if key == "commonName"]
    return tuple(names or subject)


def _same(name: str, host: str) -> bool:
    if _is_address(host):
        return _is_address(name) and ipaddress.ip_address(name.strip()) == ipaddress.ip_address(host)
    name, host = name.lower(), host.lower()
    if name.startswith("*."):
        return name[2:] == host.partition(".")[2]
    return name == host


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text.strip())
    except ValueError:
        return False
    return True
