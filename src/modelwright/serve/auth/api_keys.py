"""API keys: ``mw_<id>_<secret>``, of which the store keeps the id and a hash of the secret.

The secret is 43 characters of 62, drawn by the system: 256 bits. Nobody can guess that from its hash,
however fast the hash, so plain SHA-256 does; the slow hashes made for passwords, which people choose,
would cost each request milliseconds and gain nothing.
"""

from __future__ import annotations

import hmac
import logging
import re
import secrets
import string
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from threading import Lock
from time import monotonic, time

import msgspec

from modelwright.errors import ModelwrightError
from modelwright.serve.auth.errors import Unauthorized
from modelwright.serve.auth.principal import Principal
from modelwright.serve.errors import NotReady
from modelwright.store.errors import Duplicate
from modelwright.store.ports import Keys
from modelwright.store.records import KeyRecord

logger = logging.getLogger(__name__)

PREFIX = "mw_"
_SHAPE = re.compile(r"mw_([0-9a-z]{8})_([0-9A-Za-z]{43})")
_ID_ALPHABET = string.digits + string.ascii_lowercase
_SECRET_ALPHABET = string.digits + string.ascii_letters
_METHOD = "sha256$"
_INVALID = "The API key is not valid."


def create_key(
    keys: Keys,
    name: str,
    scopes: Iterable[str],
    *,
    expires: datetime | None = None,
    now: datetime | None = None,
) -> tuple[str, KeyRecord]:
    """Make a key and store what is to be kept of it; the key itself is only ever in what this returns.

    Raises:
        StoreUnavailable: It could not be stored.
    """
    while True:
        key, record = _new_key(name, scopes, expires, now or datetime.now(UTC))
        try:
            keys.add(record)
        except Duplicate:  # one in millions of millions
            continue
        return key, record


def _new_key(
    name: str, scopes: Iterable[str], expires: datetime | None, created: datetime
) -> tuple[str, KeyRecord]:
    id = "".join(secrets.choice(_ID_ALPHABET) for _ in range(8))
    secret = "".join(secrets.choice(_SECRET_ALPHABET) for _ in range(43))
    record = KeyRecord(
        id=id,
        name=name,
        hash=_METHOD + sha256(secret.encode()).hexdigest(),
        scopes=tuple(scopes),
        created=created,
        expires=expires,
    )
    return f"{PREFIX}{id}_{secret}", record


class _Entry(msgspec.Struct, frozen=True):
    principal: Principal
    digest: bytes
    expires: float | None
    revoked: bool


class KeyRing:
    """A copy of the store's keys, so that no request waits for the database.

    Without the database the last copy goes on to hold: a key revoked meanwhile is refused once the
    database is back. ``refresh`` is to be called every few seconds, from a thread.

    Attributes:
        loaded: Whether there is a copy yet.
    """

    def __init__(
        self,
        load: Callable[[], Sequence[KeyRecord]],
        *,
        pause: float = 1.0,
        clock: Callable[[], float] = time,
        ticks: Callable[[], float] = monotonic,
    ) -> None:
        self._load = load
        self._pause = pause
        self._clock = clock
        self._ticks = ticks
        self._entries: Mapping[str, _Entry] = {}
        self._lock = Lock()
        self._tried = -pause
        self.loaded = False

    def __repr__(self) -> str:
        return f"KeyRing({len(self._entries)} keys)"

    def refresh(self) -> None:
        """Take a new copy, in one step; keep the old one if the store cannot be read."""
        with self._lock:
            self._tried = self._ticks()
            try:
                records = self._load()
            except ModelwrightError as error:
                logger.warning("The API keys could not be read; the last known ones hold. %s", error.reason)
                return
            self._entries = {entry.principal.id: entry for entry in map(_entry, records) if entry is not None}
            self.loaded = True

    def stale_for(self, key: str) -> bool:
        """Whether ``key`` may be newer than the copy, which then is to be refreshed; once a pause at most."""
        match = _SHAPE.fullmatch(key)
        unknown = match is not None and match[1] not in self._entries
        return unknown and self._ticks() - self._tried >= self._pause

    def check(self, key: str) -> Principal:
        """Whose key it is.

        Raises:
            Unauthorized: It is no key, or of an unknown id, wrong, revoked or expired.
            NotReady: There is no copy of the keys yet.
        """
        match = _SHAPE.fullmatch(key)
        if match is None:
            raise Unauthorized(_INVALID)
        entry = self._entries.get(match[1])
        if entry is None:
            if not self.loaded:
                raise NotReady("The API keys cannot be read now.", "Try again in a moment.")
            raise Unauthorized(_INVALID)
        if not hmac.compare_digest(entry.digest, sha256(match[2].encode()).digest()):
            raise Unauthorized(_INVALID)
        if entry.revoked:
            raise Unauthorized("The API key was revoked.")
        if entry.expires is not None and self._clock() >= entry.expires:
            raise Unauthorized("The API key has expired.")
        return entry.principal

    def holder(self, id: str) -> Principal | None:
        """Whose key has this id, without its secret: for a session that began with it and is signed by us."""
        entry = self._entries.get(id)
        if entry is None or entry.revoked or (entry.expires is not None and self._clock() >= entry.expires):
            return None
        return entry.principal


def _entry(record: KeyRecord) -> _Entry | None:
    """What a request's check needs of a key; ``None`` for one hashed as this release does not know."""
    try:
        digest = bytes.fromhex(record.hash.removeprefix(_METHOD))
    except ValueError:
        digest = b""
    if not record.hash.startswith(_METHOD) or len(digest) != sha256().digest_size:
        logger.warning(
            "The API key %s is kept in a way this release does not know; it is refused.", record.id
        )
        return None
    principal = Principal(record.name, "key", frozenset(record.scopes), record.id)
    expires = record.expires.timestamp() if record.expires is not None else None
    return _Entry(principal, digest, expires, record.revoked is not None)
