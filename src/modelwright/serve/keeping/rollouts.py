"""Looks after rollouts, in a thread of its own: judging a version must not keep the journals waiting.

What judges loads NumPy and ONNX Runtime, which a keeper does without while no version is brought in.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

from modelwright.monitor.due import being_brought_in
from modelwright.serve.keeping.stores import Stores
from modelwright.serve.settings import Target
from modelwright.store.errors import StoreUnavailable
from modelwright.store.ports import Store

if TYPE_CHECKING:
    from modelwright.serve.keeping.rollout import Rollout

logger = logging.getLogger(__name__)

_LOOK = 0.5  # seconds between looks for something to do
_END = 5.0
_STEPS = ("rollout:", "watch:")


class Rollouts:
    """Looks after the rollouts of what is served.

    Args:
        targets: What.
        stores: Where they stand.
    """

    def __init__(self, targets: Sequence[Target], stores: Stores) -> None:
        self._targets = [target for target in targets if not target.bundle]
        self._stores = stores
        self._driven: dict[str, Rollout] = {}
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="rollouts", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop, and let another keeper go on."""
        self._stopped.set()
        self._thread.join(_END)

    def _run(self) -> None:
        while not self._stopped.wait(_LOOK):
            for target in self._targets:
                self._look(target)
        for each in self._driven.values():
            each.close()

    def _look(self, target: Target) -> None:
        driven = self._driven.get(target.project)
        if driven is None and self._is_one(target):
            from modelwright.serve.keeping.rollout import Rollout  # see above

            driven = self._driven[target.project] = Rollout(target, self._stores.of(target.project))
        if driven is not None:
            driven.look()

    def _is_one(self, target: Target) -> bool:
        try:
            return under_way(self._stores.of(target.project), target.project)
        except StoreUnavailable as error:
            logger.debug("Rollouts wait until the store answers: %s", error)
            return False


def under_way(store: Store, project: str) -> bool:
    """Whether a version is being brought in or watched, or was by the newest release."""
    live = store.releases.current(project)
    if live is None:
        return False
    return "rollout" in live.settings or live.actor.startswith(_STEPS) or being_brought_in(store, project)
