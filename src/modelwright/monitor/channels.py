"""Ways out: a signed webhook, a chat, a mail, a command. Each tells one notice, or says why it could not.

The webhook's signature: header ``X-Modelwright-Signature: t=<seconds>,v1=<hex>``, where ``v1`` is
HMAC-SHA256 (RFC 2104) with the secret over ``<seconds>.<body>``. Whoever receives it computes the
same, compares in constant time, and refuses what is older than a few minutes.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import os
import shlex
import smtplib
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid, parseaddr
from typing import IO, Protocol
from urllib.parse import unquote, urlsplit

import msgspec

from modelwright.monitor.notices import Notice

SIGNATURE = "X-Modelwright-Signature"
_TIMEOUT = 10.0
_COMMAND_TIMEOUT = 30.0
_TRY_AGAIN = frozenset({408, 425, 429})


class Undelivered(Exception):
    """A notice did not get through.

    Attributes:
        why: Without secrets.
        again: Whether trying again may help.
    """

    def __init__(self, why: str, *, again: bool) -> None:
        super().__init__(why)
        self.why = why
        self.again = again


class Channel(Protocol):
    """A way out."""

    @property
    def name(self) -> str:
        """What it is called in settings and events."""

    def send(self, notice: Notice) -> None:
        """Tell it. Raises ``Undelivered``."""


@dataclass(frozen=True, repr=False)
class Webhook:
    """POSTs the notice as JSON, signed if there is a secret."""

    url: str
    secret: str = ""
    name: str = "webhook"
    clock: Callable[[], float] = time.time

    def send(self, notice: Notice) -> None:
        """One request; any 2xx is a receipt."""
        body = msgspec.json.encode(notice.document(), enc_hook=repr)
        headers = {"X-Modelwright-Event": notice.kind, "X-Modelwright-Delivery": notice.id}
        if self.secret:
            headers[SIGNATURE] = signature(self.secret, body, int(self.clock()))
        _post(self.url, body, headers)


@dataclass(frozen=True, repr=False)
class Slack:
    """POSTs to an incoming webhook of Slack's, or of a chat that takes the same (Mattermost, Rocket.Chat)."""

    url: str
    name: str = "slack"

    def send(self, notice: Notice) -> None:
        """One request."""
        _post(self.url, msgspec.json.encode(notice.slack()), {})


@dataclass(frozen=True, repr=False)
class Email:
    """Sends a plain-text mail.

    Attributes:
        server: ``smtp://[user:password@]host[:port]``, with STARTTLS where the server offers it, or
            ``smtps://…``.
        sender: The From address.
        receivers: The To addresses.
    """

    server: str
    sender: str
    receivers: tuple[str, ...]
    name: str = "email"

    def send(self, notice: Notice) -> None:
        """One mail to all receivers."""
        try:
            with self._connected() as smtp:
                smtp.send_message(self._message(notice))
        except smtplib.SMTPRecipientsRefused as error:
            raise Undelivered("the mail server refuses every receiver", again=False) from error
        except smtplib.SMTPAuthenticationError as error:
            raise Undelivered("the mail server refuses the user or password", again=False) from error
        except smtplib.SMTPResponseException as error:
            # 4yz is a transient, 5yz a permanent negative reply (RFC 5321, 4.2.1)
            raise Undelivered(
                f"the mail server answers {error.smtp_code}", again=error.smtp_code < 500
            ) from error
        except (OSError, smtplib.SMTPException) as error:
            raise Undelivered(f"the mail server cannot be used: {_reason(error)}", again=True) from error

    def _connected(self) -> smtplib.SMTP:
        parts = urlsplit(self.server)
        host = parts.hostname or "localhost"
        context = ssl.create_default_context()
        if parts.scheme == "smtps":
            smtp: smtplib.SMTP = smtplib.SMTP_SSL(host, parts.port or 465, timeout=_TIMEOUT, context=context)
        else:
            smtp = smtplib.SMTP(host, parts.port or 25, timeout=_TIMEOUT)
        try:
            smtp.ehlo()
            if parts.scheme != "smtps" and smtp.has_extn("starttls"):
                smtp.starttls(context=context)
                smtp.ehlo()
            if parts.username:
                smtp.login(unquote(parts.username), unquote(parts.password or ""))
        except BaseException:  # whatever it was, Ctrl+C too: the connection must not stay open
            smtp.close()
            raise
        return smtp

    def _message(self, notice: Notice) -> EmailMessage:
        message = EmailMessage()
        message["From"] = self.sender
        message["To"] = ", ".join(self.receivers)
        message["Subject"] = "".join(mark for mark in notice.subject if mark.isprintable())
        message["Date"] = format_datetime(notice.time)
        message["Message-ID"] = make_msgid(idstring=str(notice.sequence), domain=_domain(self.sender))
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answers, please
        message["X-Modelwright-Delivery"] = notice.id
        message.set_content(notice.text)
        return message


@dataclass(frozen=True)
class Command:
    """Runs a program with the notice as JSON on its standard input.

    The line is split as a shell would, and no shell runs it: what a notice says is never executed.
    """

    line: str
    name: str = "command"

    def send(self, notice: Notice) -> None:
        """One run; exit status 0 is a receipt."""
        environment = {
            **os.environ,
            "MODELWRIGHT_EVENT": notice.kind,
            "MODELWRIGHT_EVENT_PROJECT": notice.project,
            "MODELWRIGHT_EVENT_ID": notice.id,
        }
        try:
            done = subprocess.run(
                shlex.split(self.line),
                input=msgspec.json.encode(notice.document(), enc_hook=repr) + b"\n",
                env=environment,
                capture_output=True,
                timeout=_COMMAND_TIMEOUT,
                check=False,
            )
        except FileNotFoundError as error:
            raise Undelivered(f"there is no program {error.filename!r}", again=False) from error
        except subprocess.TimeoutExpired as error:
            raise Undelivered(f"it took longer than {_COMMAND_TIMEOUT:.0f} s", again=True) from error
        except (OSError, ValueError) as error:
            raise Undelivered(f"it cannot be run: {_reason(error)}", again=False) from error
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip().splitlines()
            told = f": {said[-1][:200]}" if said else ""
            raise Undelivered(f"it ended with status {done.returncode}{told}", again=True)


def signature(secret: str, body: bytes, seconds: int) -> str:
    """The value of the signature's header for ``body``, sent at ``seconds`` since the epoch."""
    signed = hmac.new(secret.encode(), f"{seconds}.".encode() + body, hashlib.sha256)
    return f"t={seconds},v1={signed.hexdigest()}"


def verified(secret: str, body: bytes, header: str, *, now: float, tolerance: float = 300.0) -> bool:
    """Whether ``header`` is this body's signature, and no older than ``tolerance`` seconds."""
    parts = dict(part.partition("=")[::2] for part in header.split(","))
    moment = parts.get("t", "")
    if not (moment.isascii() and moment.isdigit()) or abs(now - int(moment)) > tolerance:
        return False
    return hmac.compare_digest(signature(secret, body, int(moment)).encode(), header.encode())


def valid_address(text: str) -> bool:
    """Whether ``text`` is a mail address, perhaps with a name before it."""
    _, address = parseaddr(text)
    try:
        found = Address(addr_spec=address)
    except (ValueError, IndexError):  # what the parser raises for what is none
        return False
    return bool(found.username and found.domain) and "\n" not in text and "\r" not in text


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect would carry the notice to a place that nobody configured."""

    def redirect_request(  # noqa: PLR0917 - the base class's signature
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> None:
        """Follow none."""
        del req, fp, code, msg, headers, newurl


_opener = urllib.request.build_opener(_NoRedirect)


def _post(url: str, body: bytes, headers: dict[str, str]) -> None:
    told = {"Content-Type": "application/json", "User-Agent": "modelwright", **headers}
    request = urllib.request.Request(url, body, told, method="POST")  # noqa: S310 - checked: http or https
    try:
        with _opener.open(request, timeout=_TIMEOUT) as answer:
            answer.read(1000)
    except urllib.error.HTTPError as error:
        with error:
            again = error.code >= 500 or error.code in _TRY_AGAIN
            raise Undelivered(f"the receiver answers {error.code}", again=again) from error
    except (OSError, http.client.HTTPException) as error:
        raise Undelivered(f"the receiver cannot be reached: {_reason(error)}", again=True) from error


def _reason(error: Exception) -> str:
    inner = getattr(error, "reason", None)
    inner = inner if isinstance(inner, OSError) else error
    return str(getattr(inner, "strerror", None) or type(inner).__name__)


def _domain(sender: str) -> str:
    return parseaddr(sender)[1].rpartition("@")[2] or "localhost"
