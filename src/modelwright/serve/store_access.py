"""The store as a worker reaches it: opened on first use, in threads, never in the way of a prediction."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import TYPE_CHECKING, TypeVar

from modelwright.serve.errors import StoreAway

if TYPE_CHECKING:
    from modelwright.store.ports import Store

T = TypeVar("T")


class StoreAccess:
    """Runs functions of a store in a few threads.

    Args:
        url: The store's.
        urls: Of the projects that have another one.
        threads: How many at once.
    """

    def __init__(self, url: str, urls: Mapping[str, str] | None = None, *, threads: int = 4) -> None:
        self._url = url
        self._urls = dict(urls or {})
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="store")
        self._lock = Lock()
        self._stores: dict[str, Store] = {}

    async def call(self, project: str, function: Callable[[Store], T]) -> T:
        """``function(store of the project)``, in a thread.

        Raises:
            StoreAway: The database cannot be used now.
        """
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._run, project, function)

    def opened(self, project: str) -> bool:
        """Whether the project's store was used before: the first time takes longer, with all its imports."""
        return self._urls.get(project, self._url) in self._stores

    def close(self) -> None:
        """Give everything back."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        for store in list(self._stores.values()):  # a thread may be opening another one
            store.close()

    def _run(self, project: str, function: Callable[[Store], T]) -> T:
        # Imported here: SQLAlchemy takes longer to import than all of a worker, which may never need it.
        from modelwright.store.errors import StoreUnavailable

        try:
            return function(self._opened(self._urls.get(project, self._url)))
        except StoreUnavailable as error:
            raise StoreAway() from error

    def _opened(self, url: str) -> Store:
        with self._lock:
            if url not in self._stores:
                from modelwright.store.engine import open_store

                self._stores[url] = open_store(url)
            return self._stores[url]
