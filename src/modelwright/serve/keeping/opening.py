"""What the keeper does first: open the stores and say what is live, for which workers wait.

Apart from the rest of the keeper, which takes as long to load as this takes to do.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import NamedTuple, TypeVar

from modelwright.serve.keeping.releases import ReleaseWatch
from modelwright.serve.keeping.stores import Stores
from modelwright.serve.settings import Child
from modelwright.store.errors import StoreUnavailable

logger = logging.getLogger(__name__)
T = TypeVar("T")

PATIENCE = (0.1, 5.0)
"""Seconds: the shortest and the longest wait after the store was away."""


class Opened(NamedTuple):
    """What a keeper begins with.

    Attributes:
        stores: The stores, opened.
        releases: Has told what is live.
    """

    stores: Stores
    releases: ReleaseWatch


def first_look(child: Child, stopped: Callable[[float], bool]) -> Opened:
    """Publish what is live; with the store away and something live, wait for it.

    Args:
        child: What this process is told.
        stopped: Waits so many seconds; whether to stop.

    Raises:
        ModelwrightError: Nothing can be served; or the store was away until the server was stopped.
    """

    def look() -> Opened:
        stores = Stores(child.settings.store_url, child.settings.store_urls)
        releases = ReleaseWatch(child.settings.targets, stores, child.live)
        releases.first()
        return Opened(stores, releases)

    return patiently(look, child, stopped)


def patiently(make: Callable[[], T], child: Child, stopped: Callable[[float], bool]) -> T:
    """What ``make`` gives; where something is live already, it is asked until the store is there.

    Raises:
        StoreUnavailable: Nothing is live, or the server was stopped.
    """
    wait = PATIENCE[0]
    while True:
        try:
            return make()
        except StoreUnavailable as error:
            if not child.live.exists():
                raise
            logger.warning("The store is away: %s", error)
            if stopped(wait):
                raise
        wait = min(wait * 2, PATIENCE[1])
