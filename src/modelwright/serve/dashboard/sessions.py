"""Who sits at the browser: a signed cookie, made once from an API key or a token, and a word against forgery.

The cookie names the key (or carries what the token allowed) and when it ends; its signature is made
with a secret that lies beside the journals, readable by the server alone. It holds no credential. A
session of an API key asks the key ring each time, so revoking the key ends it. Every form carries a
token derived from the session (OWASP's HMAC-based pattern), which a page of another origin cannot know.
"""

from __future__ import annotations

import contextlib
import hmac
import os
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from hashlib import sha256
from pathlib import Path
from time import time

import msgspec

from modelwright.errors import StorageFailure
from modelwright.serve.auth.principal import ANYONE, Principal

COOKIE = "modelwright_session"
LONGEST = 12 * 3600
SECRET_FILE = "dashboard.secret"  # noqa: S105 - the name of a file
_BYTES = 32


class Session(msgspec.Struct, frozen=True):
    """What the cookie says.

    Attributes:
        kind, id, name, scopes: Of the principal who signed in.
        ends: Seconds since the epoch.
        salt: Tells two sessions of one person apart.
    """

    kind: str
    id: str
    name: str
    scopes: tuple[str, ...]
    ends: float
    salt: str

    @property
    def principal(self) -> Principal:
        """Who it is, as they were when they signed in."""
        return Principal(self.name, self.kind, frozenset(self.scopes), self.id)


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Session).decode


class Sessions:
    """Makes and reads sessions. All workers over one working folder know each other's.

    Args:
        folder: Where the secret lies; it is made by whoever needs it first.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / SECRET_FILE
        self._known: bytes | None = None

    def begin(self, principal: Principal = ANYONE, *, seconds: float = LONGEST) -> tuple[Session, str]:
        """A new session and its cookie.

        Raises:
            StorageFailure: The secret cannot be written.
        """
        session = Session(
            principal.kind,
            principal.id,
            principal.name,
            tuple(sorted(principal.scopes)),
            time() + min(seconds, LONGEST),
            secrets.token_urlsafe(16),
        )
        body = urlsafe_b64encode(_encode(session)).decode()
        return session, f"{body}.{self._sign('session', body)}"

    def read(self, cookie: str) -> Session | None:
        """The session of a cookie that was made here and has not ended."""
        body, _, signature = cookie.rpartition(".")
        if (
            not body
            or not cookie.isascii()
            or not hmac.compare_digest(signature, self._sign("session", body))
        ):
            return None
        try:
            session = _decode(urlsafe_b64decode(body))
        except (msgspec.DecodeError, Base64Error, UnicodeDecodeError):
            return None
        return session if session.ends > time() else None

    def token(self, session: Session) -> str:
        """What forms of the session carry."""
        return self._sign("form", session.salt)

    def fits(self, session: Session, token: str) -> bool:
        """Whether ``token`` is the session's."""
        return token.isascii() and hmac.compare_digest(token, self.token(session))

    def _sign(self, purpose: str, text: str) -> str:
        return hmac.new(self._secret(), f"{purpose}\0{text}".encode(), sha256).hexdigest()

    def _secret(self) -> bytes:
        if self._known is None:
            try:
                self._known = _made(self._path)
            except OSError as error:
                raise StorageFailure.from_os_error(error, "keeping the dashboard's secret") from error
        return self._known


def _made(path: Path) -> bytes:
    """The secret in ``path``, made if it is not there; whole at once, whoever makes it."""
    try:
        found = path.read_bytes()
        if len(found) == _BYTES:
            return found
        path.unlink()
    except FileNotFoundError:
        pass
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.{secrets.token_hex(6)}")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(secrets.token_bytes(_BYTES))
        with contextlib.suppress(FileExistsError):  # another was quicker: theirs counts
            os.link(fresh, path)
    finally:
        fresh.unlink()
    return path.read_bytes()
