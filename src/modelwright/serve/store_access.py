"""The store as a worker reaches it: opened on first use, in threads, never in the way of a prediction."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import TYPE_CHECKING, TypeVar

from modelwright.serve.errors import StoreAway

if TYPE_CHECKING:
    from modelwright.store.ports import Store

T = TypeVar("T")


class StoreAccess:
    """Runs functions of the store in a few threads.

    Args:
        url: The store's.
        threads: How many at once.
    """

    def __init__(self, url: str, *, threads: int = 4) -> None:
        self._url = url
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="store")
        self._lock = Lock()
        self._store: Store | None = None

    async def call(self, function: Callable[[Store], T]) -> T:
        """``function(store)``, in a thread.

        Raises:
            StoreAway: The database cannot be used now.
        """
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._run, function)

    def close(self) -> None:
        """Give everything back."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        if self._store is not None:
            self._store.close()

    def _run(self, function: Callable[[Store], T]) -> T:
        # Imported here: SQLAlchemy takes longer to import than all of a worker, which may never need it.
        from modelwright.store.errors import StoreUnavailable

        try:
            return function(self._opened())
        except StoreUnavailable as error:
            raise StoreAway() from error

    def _opened(self) -> Store:
        with self._lock:
            if self._store is None:
                from modelwright.store.engine import open_store

                self._store = open_store(self._url)
            return self._store
