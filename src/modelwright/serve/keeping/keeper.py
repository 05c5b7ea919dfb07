"""The keeper's loop: deliver journals, watch releases, have due retrainings done, apply retention.

It also sees to it that MLflow's aliases follow what was released, by whomever.
"""

from __future__ import annotations

import gc
import logging
import os
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from modelwright.errors import ModelwrightError
from modelwright.monitor.aliases import Follower
from modelwright.serve.keeping.alarms import Alarms
from modelwright.serve.keeping.delivery import Delivery
from modelwright.serve.keeping.opening import PATIENCE, Opened, patiently
from modelwright.serve.keeping.retraining import Retraining
from modelwright.serve.keeping.rollouts import Rollouts
from modelwright.serve.priority import leave_cores_to
from modelwright.serve.processes import announce
from modelwright.serve.settings import Child, Target, Word
from modelwright.store.errors import StoreUnavailable

logger = logging.getLogger(__name__)

_TURN = 0.05  # seconds between looks at the journals
_MUCH = 2_000  # delivered at once: more waits, and each row's share of a commit is small
_RELEASES = 0.25  # seconds between looks at the releases
_RETENTION = 60.0
# A batch of values is freed by counting; looking for cycles among them took a quarter of the time.
_GARBAGE = 50_000
_MINUTES_KEPT = timedelta(days=8)  # counts by minute; those by hour stay
_WINDOWS = 10_000  # of each kind
_ORPHANS = 100_000
_ORPHANS_WAIT = timedelta(days=30)


def rest_after(delivered: int, took: float) -> float:
    """Seconds to wait after a turn that delivered so much and took so long.

    What comes meanwhile is stored together: a commit costs the disk, for which workers wait as well.
    """
    return 0.0 if delivered >= _MUCH else max(0.0, _TURN - took)


class Keeper:
    """What the keeper does in turn.

    Args:
        child: What this process is told.
        opened: The stores, and what has told what is live.
    """

    def __init__(self, child: Child, opened: Opened) -> None:
        stores = opened.stores
        self._settings = child.settings
        self._stores = stores
        self.delivery = Delivery(child.settings.journals, stores, child.settings.request_logs)
        self.releases = opened.releases
        self.retraining = [
            Retraining(target, stores.of(target.project), target.store_url or child.settings.store_url)
            for target in child.settings.targets
            if target.project_file and target.retrain
        ]
        self.aliases = [
            Follower(
                stores.of(target.project),
                target.project,
                project_file=target.project_file,
                work_dir=target.work_dir,
                store_url=target.store_url or child.settings.store_url,
            )
            for target in child.settings.targets
            if target.project_file and not target.bundle
        ]
        self.alarms = Alarms((target.project for target in child.settings.targets), stores, os.environ)
        self.rollouts = Rollouts(child.settings.targets, stores)
        self._next_releases = 0.0
        self._next_retention = time.monotonic() + _RETENTION
        self._away = 0.0

    def turn(self) -> float:
        """Do what is due; seconds until the next turn."""
        begun = time.monotonic()
        try:
            delivered = self.delivery.run_once() if self.delivery.holds_lock() else 0
            now = time.monotonic()
            if now >= self._next_releases:
                self._next_releases = now + _RELEASES
                self.releases.look()
            for each in self.retraining:
                each.look()
            for follower in self.aliases:
                follower.look()
            if now >= self._next_retention:
                self._next_retention = now + _RETENTION
                self._prune()
        except StoreUnavailable as error:
            return self._wait(error)
        if self._away:
            logger.warning("The store answers again")
            self._away = 0.0
        return rest_after(delivered, time.monotonic() - begun)

    def drain(self, seconds: float) -> None:
        """End what trains, and deliver what is left, for a while."""
        self.alarms.close()
        self.rollouts.close()
        for each in self.retraining:
            each.close()
        end = time.monotonic() + seconds
        try:
            while self.delivery.holds_lock() and self.delivery.run_once() and time.monotonic() < end:
                pass
        except StoreUnavailable as error:
            logger.warning("Some of the log stays in the journals until the next start: %s", error)
        self.delivery.close()
        for follower in self.aliases:
            follower.close()

    def look_again(self) -> None:
        """Look at the releases in the next turn, refused ones too."""
        self._next_releases = 0.0

    def _wait(self, error: StoreUnavailable) -> float:
        least, most = PATIENCE
        if not self._away:
            logger.warning("The store is away; predictions go on and wait in the journals: %s", error)
        self._away = min(most, max(least, self._away * 2))
        return self._away

    def _prune(self) -> None:
        now = datetime.now(UTC)
        _expire_images(self._settings.targets)
        days, rows = self._settings.keep_days, self._settings.keep_rows
        oldest = None if days is None else now - timedelta(days=days)
        for project in {target.project for target in self._settings.targets}:
            store = self._stores.of(project)
            if days is not None or rows is not None:
                gone = store.predictions.prune(project, older_than=oldest, keep=rows)
                if gone:
                    logger.info("Removed %d old predictions of %s", gone, project)
            store.summaries.prune(project, older_than=now - _MINUTES_KEPT)
            store.windows.prune(project, older_than=oldest, keep=_WINDOWS)
            waited = store.labels.prune_orphans(project, older_than=now - _ORPHANS_WAIT, keep=_ORPHANS)
            if waited:
                logger.warning("Gave up %d labels of %s whose prediction never came", waited, project)


def _expire_images(targets: Sequence[Target]) -> None:
    for target in targets:
        if target.images:
            # Imported here: it takes NumPy, which a keeper without images to look after needs not load.
            from modelwright.bundle.kept import KeptPictures

            gone = KeptPictures(Path(target.images)).expire(target.images_seconds)
            if gone:
                logger.info("Removed %d old images that clients of %s sent", gone, target.project)


def run_keeper(
    child: Child,
    opened: Opened,
    tell: Callable[[Word], None],
    stopped: Callable[[float], bool],
    again: Callable[[], bool],
) -> None:
    """Be the keeper until told to stop.

    Args:
        child: What this process is told.
        opened: What it begins with.
        tell: Says a word to the supervisor.
        stopped: Waits so many seconds; whether to stop.
        again: Whether somebody asked to look at the releases now.
    """
    try:
        keeper = patiently(lambda: Keeper(child, opened), child, stopped)
    except ModelwrightError as error:
        tell(Word.failed(error))
        return
    leave_cores_to(child.settings.workers)
    announce(Path(child.run_dir), "keeper", 0)
    tell(Word(state="ready"))
    gc.collect()
    gc.freeze()
    gc.set_threshold(_GARBAGE, 10, 10)
    wait = 0.0
    while not stopped(wait):
        if again():
            keeper.look_again()
        wait = keeper.turn()
    keeper.drain(child.settings.drain_seconds)
