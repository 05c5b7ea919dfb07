"""An OpenID provider's public keys (RFC 7517), fetched beside the requests and kept when it is away."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Lock
from time import monotonic
from typing import Any

import jwt

from modelwright.errors import StorageFailure
from modelwright.files import write_whole
from modelwright.serve.auth.errors import KeysUnavailable

logger = logging.getLogger(__name__)

DISCOVERY = "/.well-known/openid-configuration"


class KeySet:
    """The keys by ``kid``.

    Attributes:
        loaded: Whether there are keys, of now or of the file.
        generation: Counts the sets of keys that differed from the one before, so that what was
            verified with an earlier one can be forgotten.
    """

    def __init__(
        self,
        issuer: str,
        url: str = "",
        *,
        pause: float = 10.0,
        retry: float = 5.0,
        lifespan: float = 600.0,
        timeout: float = 5.0,
        file: Path | None = None,
        ticks: Callable[[], float] = monotonic,
    ) -> None:
        """Nothing is fetched yet.

        Args:
            issuer: The provider.
            url: Where its keys are; by default what its discovery document says.
            pause: Least seconds from one fetch to the next, whatever tokens ask for.
            retry: The same after a fetch that failed.
            lifespan: Seconds after which keys are fetched anew, to notice those withdrawn.
            timeout: Seconds a fetch may take.
            file: Where the keys last fetched are kept, for a start while the provider is away.
            ticks: A monotonic clock.
        """
        self._issuer = issuer
        self._url = url
        self._pause = pause
        self._retry = retry
        self._lifespan = lifespan
        self._timeout = timeout
        self._file = file
        self._ticks = ticks
        self._keys: Mapping[str, jwt.PyJWK] = {}
        self._lock = Lock()
        self._next = ticks()
        self._fetched: float | None = None
        self.generation = 0
        self._read_file()

    @property
    def loaded(self) -> bool:
        """Whether there are any keys."""
        return bool(self._keys)

    def get(self, kid: str) -> jwt.PyJWK | None:
        """The key of that id, if it is known."""
        return self._keys.get(kid)

    def may_fetch(self) -> bool:
        """Whether the pause since the last fetch is over."""
        return self._ticks() >= self._next

    def refresh(self, *, missing: str = "") -> None:
        """Fetch the keys if they are old, or ``missing`` is not among them; never twice within the pause.

        A provider that cannot be reached is logged, and the keys there are go on to hold.
        """
        with self._lock:
            if not self.may_fetch():
                return
            old = self._fetched is None or self._ticks() - self._fetched >= self._lifespan
            if not old and (not missing or missing in self._keys):
                return
            self._next = self._ticks() + self._retry
            try:
                document = self._fetch()
                keys = _usable(document)
            except KeysUnavailable as error:
                logger.warning("%s The keys known before hold.", error.reason)
                return
            self._fetched = self._ticks()
            self._next = self._fetched + self._pause
            self._take(keys)
            self._write_file(document)

    def _take(self, keys: Mapping[str, jwt.PyJWK]) -> None:
        if _fingerprint(keys) != _fingerprint(self._keys):
            self._keys = keys
            self.generation += 1

    def _fetch(self) -> Any:
        if not self._url:
            document = _get(self._issuer.rstrip("/") + DISCOVERY, self._timeout)
            found = document.get("jwks_uri")
            if document.get("issuer") != self._issuer or not isinstance(found, str):
                raise KeysUnavailable(f"The discovery document of {self._issuer} is not its own.")
            self._url = found
        return _get(self._url, self._timeout)

    def _read_file(self) -> None:
        if self._file is None:
            return
        try:
            kept = json.loads(self._file.read_bytes())
            if kept["issuer"] == self._issuer:
                self._take(_usable(kept["jwks"]))
        except FileNotFoundError:
            pass
        except (OSError, ValueError, TypeError, KeyError, KeysUnavailable):
            logger.warning("The file of the provider's keys cannot be read; they will be fetched.")

    def _write_file(self, document: Any) -> None:
        if self._file is None:
            return
        content = json.dumps({"issuer": self._issuer, "jwks": document})
        try:
            write_whole(self._file, content, "keeping the provider's keys", durable=False)
        except StorageFailure as error:
            logger.warning("%s", error.reason)


def _get(url: str, timeout: float) -> dict[str, Any]:
    """The JSON object at ``url``. PyJWT's client fetches: http(s) only, no redirects, a time limit.

    Raises:
        KeysUnavailable: It cannot be had.
    """
    try:
        document = jwt.PyJWKClient(url, cache_jwk_set=False, timeout=timeout).fetch_data()
    except (jwt.PyJWTError, OSError, ValueError) as error:
        kind = type(error.__cause__ or error).__name__
        raise KeysUnavailable(
            f"The keys of the OpenID provider cannot be fetched from {url} ({kind})."
        ) from None
    if not isinstance(document, dict):
        raise KeysUnavailable(f"There is no JSON object at {url}.")
    return document


def _usable(document: Any) -> dict[str, jwt.PyJWK]:
    """The signing keys with an id; others (for encryption, of unknown kinds, secret ones) are left out.

    Raises:
        KeysUnavailable: There is none.
    """
    listed = document.get("keys") if isinstance(document, dict) else None
    keys: dict[str, jwt.PyJWK] = {}
    for item in listed if isinstance(listed, list) else []:
        if not isinstance(item, dict) or item.get("use", "sig") != "sig" or item.get("kty") == "oct":
            continue
        kid = item.get("kid")
        if not isinstance(kid, str):
            continue
        try:
            keys[kid] = jwt.PyJWK.from_dict(item)
        except (jwt.PyJWTError, ValueError, TypeError, KeyError):
            logger.warning("A key of the OpenID provider cannot be used and is left out.")
    if not keys:
        raise KeysUnavailable("The OpenID provider has no signing key that can be used.")
    return keys


def _fingerprint(keys: Mapping[str, jwt.PyJWK]) -> dict[str, str]:
    return {kid: json.dumps(key._jwk_data, sort_keys=True) for kid, key in keys.items()}
