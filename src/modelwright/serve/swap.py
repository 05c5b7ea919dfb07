"""Taking another bundle into service without a seam.

The new bundle is verified, loaded and warmed in a thread; then one reference is replaced, between two
turns of the loop. What was under way finished on the old one, what comes next meets the new one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

from modelwright.errors import ModelwrightError
from modelwright.serve.deployment import Deployment
from modelwright.serve.engine import Engine
from modelwright.serve.journal.entries import Context, Note
from modelwright.serve.journal.writer import JournalFailure, JournalWriter
from modelwright.serve.live import Assigned, Challenger

logger = logging.getLogger(__name__)


_UNDER_WAY = 300.0  # seconds after which nothing that began on an old bundle is left


def _contexts(deployment: Deployment) -> list[Context]:
    beside = (deployment.shadow, deployment.canary)
    return [each.context for each in (deployment, *beside) if each is not None]


class Swapper:
    """Keeps an engine's deployments as assigned.

    Args:
        engine: Whose deployments.
        journal: Where contexts are declared, and refusals noted.
        on_change: Called after every change.
    """

    def __init__(self, engine: Engine, journal: JournalWriter, *, on_change: Callable[[], object]) -> None:
        self._engine = engine
        self._journal = journal
        self._on_change = on_change
        self._refused: dict[str, Assigned] = {}
        self._contexts = 0

    async def take_first(self, assigned: Sequence[Assigned]) -> None:
        """Load what the server starts with.

        Raises:
            ModelwrightError: One of them does not verify or does not run.
        """
        for each in assigned:
            self._put(each, await self._open(each))

    async def take(self, assigned: Sequence[Assigned]) -> None:
        """Load what is new; what cannot be loaded leaves the present one where it is."""
        for each in assigned:
            present = self._engine.deployments.get(each.name)
            if present is not None and each in (present.assigned, self._refused.get(each.name)):
                continue
            try:
                deployment = await self._open(each)
                self._put(each, deployment)
            except ModelwrightError as error:
                self._refuse(each, present, error)

    def forgive(self) -> None:
        """Try again what was refused."""
        self._refused.clear()

    async def _open(self, assigned: Assigned) -> Deployment:
        deployment = await self._load(assigned, "champion")
        if assigned.shadow is not None:
            deployment.shadow = await self._beside(assigned, assigned.shadow, "challenger")
        if assigned.canary is not None:
            deployment.canary = await self._beside(assigned, assigned.canary, "canary")
        return deployment

    async def _load(self, assigned: Assigned, role: str) -> Deployment:
        self._contexts += 1
        return await asyncio.to_thread(Deployment.open, assigned, self._contexts, role=role)

    async def _beside(self, assigned: Assigned, challenger: Challenger, role: str) -> Deployment | None:
        """A challenger; one that cannot be loaded does not keep the champion from answering."""
        its = Assigned(
            name=assigned.name,
            project=assigned.project,
            version=challenger.version,
            bundle=challenger.bundle,
            sequence=assigned.sequence,
        )
        try:
            return await self._load(its, role)
        except ModelwrightError as error:
            self._refuse(its, None, error)
            return None

    def _put(self, assigned: Assigned, deployment: Deployment) -> None:
        for context in _contexts(deployment):
            self._journal.declare(context)
        old = self._engine.deployments.get(assigned.name)
        self._engine.deployments[assigned.name] = deployment
        if old is not None:
            self._retire(old)
            logger.info("%s: version %d takes over from %d", assigned.name, deployment.version, old.version)
        self._on_change()

    def _retire(self, old: Deployment) -> None:
        """Stop repeating contexts, once what is under way on the old deployment has been logged."""
        numbers = [context.number for context in _contexts(old)]
        asyncio.get_running_loop().call_later(_UNDER_WAY, self._journal.forget, numbers)

    def _refuse(self, assigned: Assigned, present: Deployment | None, error: ModelwrightError) -> None:
        self._refused[assigned.name] = assigned
        stays = f" Version {present.version} stays live." if present is not None else ""
        logger.error("Version %d of %s is not taken: %s%s", assigned.version, assigned.name, error, stays)
        note = Note(
            assigned.project,
            "release_refused",
            f"Version {assigned.version} was released and is not served here: {error.reason}{stays}",
            {"sequence": assigned.sequence, "version": assigned.version},
        )
        try:
            self._journal.append([note])
        except JournalFailure as failure:
            logger.error("%s", failure)
