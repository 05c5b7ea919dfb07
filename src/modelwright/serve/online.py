"""What is looked up for rows, kept in memory: a worker's copy of the live generations of the store.

A prediction never waits for the database. The generation is looked at every ``LOOK`` seconds by a task
beside the requests; a new one is read in a thread and replaces the old one by one assignment. With the
store away the last known one goes on answering.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from time import monotonic

from modelwright.bundle.lookup import Known
from modelwright.serve.deployment import Deployment
from modelwright.serve.errors import StoreAway
from modelwright.serve.store_access import StoreAccess
from modelwright.store.ports import Store

logger = logging.getLogger(__name__)
LOOK = 1.0


class Online:
    """Keeps the deployments of a worker supplied with what is known.

    Args:
        store: Where it is read.
    """

    def __init__(self, store: StoreAccess) -> None:
        self._store = store
        self._known: dict[str, Known] = {}
        self._looked: dict[str, float] = {}

    def supply(self, deployments: Iterable[Deployment]) -> None:
        """Give deployments what is in memory already: called whenever one was put in place."""
        for deployment in _with_lookup(deployments):
            joiner = deployment.bundle.rows.joiner
            assert joiner is not None  # noqa: S101 - only those were picked
            joiner.known = self._known.get(deployment.context.project)

    async def refresh(self, deployments: Iterable[Deployment], *, at_most_every: float = 0.0) -> None:
        """Take the store's live generations, where they are other ones than those in memory.

        Args:
            deployments: Whose projects; nothing is asked where none of them looks anything up.
            at_most_every: Seconds within which a project is not asked about again.
        """
        wanted = list(_with_lookup(deployments))
        for project in dict.fromkeys(deployment.context.project for deployment in wanted):
            if monotonic() - self._looked.get(project, float("-inf")) < at_most_every:
                continue
            self._looked[project] = monotonic()
            try:
                found = await self._store.call(project, lambda store, name=project: self._read(store, name))  # type: ignore[misc]
            except StoreAway:
                logger.warning("The online features of %s cannot be read; those in memory stay.", project)
                continue
            if found is not None:
                self._known[project] = found
                logger.info(
                    "%s: features of %d keys (generation %d)", project, len(found.places), found.number
                )
        self.supply(wanted)

    async def keep_fresh(self, deployments: dict[str, Deployment]) -> None:
        """Refresh for ever."""
        while True:
            await asyncio.sleep(LOOK)
            await self.refresh(list(deployments.values()))

    def _read(self, store: Store, project: str) -> Known | None:
        """The live generation; ``None`` if it is the one in memory, or there is none."""
        current = store.online.current(project)
        mine = self._known.get(project)
        if current is None or (mine is not None and mine.number == current.sequence):
            return None
        return read_known(store, project)


def read_known(store: Store, project: str) -> Known | None:
    """What the store knows, made ready to be looked up."""
    found = store.online.all(project)
    if found is None:
        return None
    record, values = found
    return Known.of(list(values.items()), record.names, number=record.sequence, as_of=record.as_of)


def _with_lookup(deployments: Iterable[Deployment]) -> Iterable[Deployment]:
    for deployment in deployments:
        for each in (deployment, deployment.shadow, deployment.canary):
            if each is not None and each.bundle.rows.joiner is not None:
                yield each
