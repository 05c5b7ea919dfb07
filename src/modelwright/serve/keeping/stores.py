"""The stores of what is served: one, or one a project."""

from __future__ import annotations

from collections.abc import Mapping

from modelwright.store.engine import open_store
from modelwright.store.ports import Store


class Stores:
    """Opened stores by project.

    Args:
        url: Of every project that has none of its own.
        urls: By project.

    Raises:
        StoreUnavailable: One of them cannot be used now.
    """

    def __init__(self, url: str, urls: Mapping[str, str] | None = None) -> None:
        self._url = url
        self._urls = dict(urls or {})
        self._opened: dict[str, Store] = {each: open_store(each) for each in {url, *self._urls.values()}}

    def of(self, project: str) -> Store:
        """The store of ``project``."""
        return self._opened[self._urls.get(project, self._url)]

    def close(self) -> None:
        """Give all of them back."""
        for store in self._opened.values():
            store.close()
