"""Tells alarms, in a thread of its own: a receiver that is slow must not keep the journals waiting.

Of several hosts' keepers one, elected by a lease in the store, tells a project's alarms.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Iterable, Mapping

from modelwright.errors import ModelwrightError
from modelwright.monitor.notify import Notifier
from modelwright.monitor.notify_settings import NotifySettings, notify_settings
from modelwright.serve.keeping.stores import Stores
from modelwright.store.errors import StoreUnavailable

logger = logging.getLogger(__name__)

_LOOK = 1.0  # seconds between looks
_LEASE = 120.0  # longer than all ways out together may take
_END = 2.0


class Alarms:
    """Looks after the alarms of what is served; does nothing where no way out is configured.

    Args:
        projects: Whose.
        stores: Where their events are.
        environ: Where the settings are.
    """

    def __init__(self, projects: Iterable[str], stores: Stores, environ: Mapping[str, str]) -> None:
        self._projects = sorted(set(projects))
        self._stores = stores
        self._owner = f"{socket.gethostname()}-{os.getpid()}"
        self._stopped = threading.Event()
        self._settings = _settings(environ)
        self._thread = threading.Thread(target=self._run, name="alarms", daemon=True)
        if self._settings is not None:
            self._thread.start()

    def close(self) -> None:
        """Stop telling, and let another keeper tell."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join(_END)

    def _run(self) -> None:
        assert self._settings is not None  # noqa: S101 - it is not started without
        notifiers = {
            project: Notifier(self._stores.of(project), project, self._settings) for project in self._projects
        }
        while not self._stopped.wait(_LOOK):
            for project, notifier in notifiers.items():
                self._look(project, notifier)
        for project in notifiers:
            try:
                self._stores.of(project).leases.release(_lease(project), self._owner)
            except StoreUnavailable:
                logger.debug("The lease on alarms runs out by itself")

    def _look(self, project: str, notifier: Notifier) -> None:
        try:
            if self._stores.of(project).leases.acquire(_lease(project), self._owner, seconds=_LEASE):
                notifier.run_once()
        except StoreUnavailable as error:
            logger.debug("Alarms wait until the store answers: %s", error)
        # A fault in telling must end neither the keeper nor the telling of what comes next.
        except Exception:
            logger.exception("Alarms of %s could not be looked at", project)


def _settings(environ: Mapping[str, str]) -> NotifySettings | None:
    """The settings if there is a way out; wrong ones are told, and do not stop the serving."""
    try:
        found = notify_settings(environ)
    except ModelwrightError as error:
        logger.error("No alarm is told: %s %s", error, " ".join(error.details))
        return None
    return found if found.channels else None


def _lease(project: str) -> str:
    return f"alarms of {project}"
