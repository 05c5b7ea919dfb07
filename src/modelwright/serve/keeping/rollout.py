"""Drives one project's rollouts: does the next step when its time has come.

Of several hosts' keepers one, elected by a lease in the store, drives a project's. It needs neither the
project file nor the training parts: what is to be done stands in the releases.
"""

from __future__ import annotations

import logging
import os
import socket
import time
from pathlib import Path

from modelwright.monitor.releasing import Phase, Pilot, Stage, stage_of
from modelwright.serve.keeping.evidence import Evidence
from modelwright.serve.settings import Target
from modelwright.store.errors import IllegalMove, StoreUnavailable, Superseded
from modelwright.store.ports import Store

logger = logging.getLogger(__name__)

_LOOK = 0.5  # seconds between looks, at least
_LOOKS = 100  # at a step, in the time it takes at least
_SLOWEST = 30.0
_LEASE = 15.0  # a longer judgement is no harm: a release that came late is refused by the store


class Rollout:
    """Looks after the rollouts of one project.

    Args:
        target: The project.
        store: Where they stand.
    """

    def __init__(self, target: Target, store: Store) -> None:
        self._target = target
        self._store = store
        self._owner = f"{socket.gethostname()}-{os.getpid()}"
        evidence = Evidence(store, target.project, Path(target.work_dir))
        self._pilot = Pilot(store, target.project, see=evidence, sound=evidence.sound)
        self._next = 0.0

    def look(self) -> None:
        """Do what is to be done, if it is time and this keeper is the one."""
        if time.monotonic() < self._next:
            return
        try:
            if not self._store.leases.acquire(self._lease, self._owner, seconds=_LEASE):
                self._next = time.monotonic() + _LEASE / 8
                return
            self._pilot.turn()
            self._next = time.monotonic() + _pace(
                stage_of(self._store.releases.current(self._target.project))
            )
        except StoreUnavailable as error:
            logger.debug("Rollouts wait until the store answers: %s", error)
            self._next = time.monotonic() + _LOOK
        except (Superseded, IllegalMove) as error:
            logger.info("The rollout of %s is looked at again: %s", self._target.project, error)
        # A fault in judging one project must end neither the keeper nor the others' rollouts.
        except Exception:
            logger.exception("The rollout of %s could not be looked at", self._target.project)
            self._next = time.monotonic() + _SLOWEST

    def close(self) -> None:
        """Let another keeper go on."""
        try:
            self._store.leases.release(self._lease, self._owner)
        except StoreUnavailable:
            logger.debug("The lease on rollouts runs out by itself")

    @property
    def _lease(self) -> str:
        return f"rollouts of {self._target.project}"


def _pace(stage: Stage | None) -> float:
    """Seconds until the next look: a hundredth of what the stage takes at least."""
    if stage is None:
        return 2 * _LOOK
    plan = stage.plan
    whole = {
        Phase.SHADOW: plan.shadow.seconds,
        Phase.CANARY: plan.canary.seconds,
        Phase.WATCH: plan.watch.seconds if plan.watch is not None else 0.0,
    }[stage.phase]
    return min(_SLOWEST, max(_LOOK, whole / _LOOKS))
