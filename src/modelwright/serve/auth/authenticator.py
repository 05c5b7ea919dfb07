"""The one question of every request: who asks, and may they?

``quick`` answers it at once or not at all; only where a key or a signing key may be newer than what is
known here does somebody have to look (``check``, in a thread), and that at most once a second. A thread
of its own keeps what is known fresh (``start``).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from threading import Event, Thread

from modelwright.serve.auth.api_keys import PREFIX, KeyRing
from modelwright.serve.auth.errors import Forbidden, Unauthorized
from modelwright.serve.auth.jwks import KeySet
from modelwright.serve.auth.principal import ANYONE, Principal
from modelwright.serve.auth.rate import RateLimiter
from modelwright.serve.auth.settings import AuthSettings
from modelwright.serve.auth.tokens import TokenVerifier
from modelwright.store.records import KeyRecord

logger = logging.getLogger(__name__)

AUTHORIZATION = "authorization"
API_KEY = "x-api-key"
_MISSING = "Credentials are needed."


class Authenticator:
    """Tells who asks, by API key or token, and refuses who may not.

    Attributes:
        on: Whether anybody is asked at all.
    """

    def __init__(
        self,
        keys: KeyRing | None = None,
        tokens: TokenVerifier | None = None,
        limiter: RateLimiter | None = None,
        *,
        interval: float = 2.0,
    ) -> None:
        self.on = keys is not None or tokens is not None
        self._keys = keys
        self._tokens = tokens
        self._limiter = limiter
        self._interval = interval
        self._stopping = Event()
        self._thread: Thread | None = None

    @classmethod
    def from_settings(
        cls,
        settings: AuthSettings,
        load_keys: Callable[[], Sequence[KeyRecord]],
        *,
        work_dir: Path | None = None,
        counts: Path | None = None,
    ) -> Authenticator:
        """As ``settings`` say.

        Args:
            settings: How to authenticate.
            load_keys: Reads all API keys from the store (``store.keys.list``).
            work_dir: Where an OpenID provider's public keys are kept between starts.
            counts: The file in which all that share the port count each key's requests.

        Raises:
            AuthMisconfigured: Tokens are to be taken, and something to check them by is missing.
        """
        tokens = None
        if settings.oidc is not None:
            file = work_dir / "oidc-keys.json" if work_dir is not None else None
            keys = KeySet(settings.oidc.issuer, settings.oidc.jwks_url, file=file)
            tokens = TokenVerifier(settings.oidc, keys)
        limiter = None
        if settings.rate is not None:
            limiter = RateLimiter(settings.rate, settings.burst, file=counts)
        return cls(KeyRing(load_keys) if settings.keys else None, tokens, limiter)

    def quick(self, headers: Mapping[str, str], scope: str) -> Principal | None:
        """Who asks for ``scope``, at once; ``None`` if ``check`` must find out.

        Args:
            headers: Names in lower case; ``authorization`` and ``x-api-key`` are looked at.
            scope: What the route needs.

        Raises:
            Unauthorized: There are no credentials, or they do not hold.
            Forbidden: They do not allow ``scope``.
            TooManyRequests: They were used too often.
            NotReady: What they would be checked against is not there.
        """
        if not self.on:
            return ANYONE
        principal = self._identify(_credential(headers))
        if principal is None:
            return None
        if not principal.may(scope):
            raise Forbidden(scope)
        if self._limiter is not None:
            self._limiter.take(f"{principal.kind} {principal.id}")
        return principal

    def check(self, headers: Mapping[str, str], scope: str) -> Principal:
        """As ``quick``, and look where it is needed; may wait for the store or the network."""
        principal = self.quick(headers, scope)
        if principal is not None:
            return principal
        credential = _credential(headers)
        if credential.startswith(PREFIX) and self._keys is not None:
            self._keys.refresh()
        elif self._tokens is not None:
            self._tokens.refresh(missing=self._tokens.missing_key(credential))
        principal = self.quick(headers, scope)
        if principal is None:  # another thread looked in between, and it is time again: it is not there
            raise Unauthorized("The key or token is not known.")
        return principal

    async def acheck(self, headers: Mapping[str, str], scope: str) -> Principal:
        """As ``check``, with the waiting in a thread."""
        principal = self.quick(headers, scope)
        if principal is None:
            principal = await asyncio.to_thread(self.check, headers, scope)
        return principal

    def key(self, id: str) -> Principal | None:
        """Whose API key has this id, if it holds: for a session that began with it (``dashboard``)."""
        return None if self._keys is None else self._keys.holder(id)

    def refresh(self) -> None:
        """Bring what is known up to date: the keys, and where it is time the provider's keys."""
        if self._keys is not None:
            self._keys.refresh()
        if self._tokens is not None:
            self._tokens.refresh()

    def start(self) -> None:
        """Refresh now, and from now on in a thread of its own."""
        if not self.on or self._thread is not None:
            return
        self.refresh()
        self._thread = Thread(target=self._run, name="modelwright-auth", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread, and the counting."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(timeout=10)
        if self._limiter is not None:
            self._limiter.close()

    def _run(self) -> None:
        while not self._stopping.wait(self._interval):
            try:
                self.refresh()
            # The thread must outlive whatever a database driver may raise, or revoked keys would hold.
            except Exception:
                logger.exception("What authentication knows could not be brought up to date")

    def _identify(self, credential: str) -> Principal | None:
        if credential.startswith(PREFIX):
            if self._keys is None:
                raise Unauthorized("API keys are not taken here.")
            if self._keys.stale_for(credential):
                return None
            return self._keys.check(credential)
        if self._tokens is None:
            raise Unauthorized("The API key is not valid.")
        return self._tokens.check(credential)


def _credential(headers: Mapping[str, str]) -> str:
    """The bearer of ``Authorization``, else ``X-API-Key``: AWS's clients need the former for their signature.

    Raises:
        Unauthorized: There is none.
    """
    scheme, _, rest = headers.get(AUTHORIZATION, "").partition(" ")
    bearer = scheme.lower() == "bearer"
    credential = rest.strip() if bearer else headers.get(API_KEY, "").strip()
    if not credential:
        raise Unauthorized(_MISSING, given=False)
    if not credential.isascii():
        raise Unauthorized("The key or token is not valid.")
    return credential
