"""Who gets in: authentication where it is on, and on loopback at least no stranger's web page."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from modelwright.serve.auth.local import refuse_foreign_page
from modelwright.serve.auth.principal import ANYONE, PREDICT, Principal
from modelwright.serve.errors import ServeError
from modelwright.serve.settings import ServeSettings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelwright.serve.auth.authenticator import Authenticator
    from modelwright.store.records import KeyRecord

logger = logging.getLogger(__name__)


class Gate:
    """Lets requests in, or not.

    Args:
        authenticator: Who tells people apart; ``None`` where nobody is asked.
        origins: Web pages that may send requests, as in CORS.
        guard_pages: Whether other pages are refused (nobody is asked who they are, on loopback).
    """

    def __init__(
        self,
        authenticator: Authenticator | None = None,
        *,
        origins: tuple[str, ...] = (),
        guard_pages: bool = False,
    ) -> None:
        self.authenticator = authenticator
        self._origins = origins
        self._guard_pages = guard_pages

    @property
    def on(self) -> bool:
        """Whether anybody is asked."""
        return self.authenticator is not None

    async def admit(self, headers: Mapping[str, str], scope: str) -> Principal:
        """Who asks for ``scope``.

        Raises:
            ServeError: They do not get in.
        """
        if self.authenticator is not None:
            return await self.authenticator.acheck(headers, scope)
        if self._guard_pages:
            refuse_foreign_page(headers.get("origin"), headers.get("host"), self._origins)
        return ANYONE

    def predicts(self, headers: Mapping[str, str]) -> Principal | None:
        """Who asks for a prediction, at once; ``None`` if the longer way must find out or word a refusal."""
        if self.authenticator is None:
            return ANYONE
        try:
            return self.authenticator.quick(headers, PREDICT)
        except ServeError:
            return None

    def close(self) -> None:
        """End what runs beside."""
        if self.authenticator is not None:
            self.authenticator.stop()


def open_gate(settings: ServeSettings, run_dir: Path) -> Gate:
    """The gate of a worker. May wait for the store and for an OpenID provider.

    Args:
        settings: How to serve.
        run_dir: What the workers of a server share.

    Raises:
        AuthMisconfigured: Authentication cannot be set up as it was asked for.
    """
    if not settings.auth_on:
        return Gate(origins=settings.origins, guard_pages=not settings.insecure)
    # Imported here: cryptography takes its time, and most servers on a person's machine need none.
    import os

    from modelwright.serve.auth.authenticator import Authenticator
    from modelwright.serve.auth.settings import auth_settings

    told = auth_settings(os.environ, auth=settings.auth)
    authenticator = Authenticator.from_settings(
        told,
        _KeyLoader(settings.store_url),
        work_dir=Path(settings.work_dir),
        counts=run_dir / "rates.bin",
    )
    try:
        authenticator.start()
    except ServeError as error:
        logger.warning("Keys cannot be read yet: %s", error)
    return Gate(authenticator, origins=settings.origins)


class _KeyLoader:
    """Reads all API keys, with a connection of its own."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._store: object = None

    def __call__(self) -> Sequence[KeyRecord]:
        from modelwright.store.engine import SqlStore, open_store

        if not isinstance(self._store, SqlStore):
            self._store = open_store(self._url)
        return self._store.keys.list()
