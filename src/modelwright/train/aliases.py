"""Lets MLflow's aliases follow the store's releases: ``champion`` what answers, ``challenger`` what comes."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

from modelwright.errors import StorageFailure
from modelwright.monitor import aliases
from modelwright.schema.urls import mask_url
from modelwright.store.ports import Store
from modelwright.store.records import ReleaseRecord
from modelwright.train.errors import TrackingUnavailable
from modelwright.train.track import VERSION_TAG, Tracker, check_reachable, tracking

CHAMPION = "champion"
CHALLENGER = "challenger"
_LEASE = 120.0
_TRIES, _WAIT = 8, 0.25
_ROUNDS = 5  # releases that come while the aliases are moved; whoever looks next goes on


def follow(store: Store, project: str, *, uri: str, working: Path, tracker: Tracker | None = None) -> str:
    """Let the aliases name what is live, as far as MLflow is there; done already, it does nothing.

    The store's release is what counts; so what goes wrong here is noted, told, and stops nothing.

    Args:
        store: Where the releases are.
        project: Its name, which is the registered model's too.
        uri: Tracking address.
        working: The working folder.
        tracker: One that is open; by default one is opened where there is something to do.

    Returns:
        What to tell a person; empty where the aliases follow.

    Raises:
        StoreUnavailable: The store cannot be asked.
    """
    owner = f"{socket.gethostname()}-{os.getpid()}"
    if not _acquired(store, project, owner):
        return ""  # another process is at it, and goes on until nothing lags
    try:
        for _ in range(_ROUNDS):
            found = aliases.lag(store, project)
            if found is None:
                return ""
            trouble = _moved(found.live, uri, working, tracker)
            if trouble:
                aliases.failed(store, found.live, trouble)
                return f"MLflow's aliases were not moved: {trouble}. The server or a worker tries again."
            aliases.followed(store, found.live)
        return ""
    finally:
        store.leases.release(aliases.lease_of(project), owner)


def _acquired(store: Store, project: str, owner: str) -> bool:
    for _ in range(_TRIES):
        if store.leases.acquire(aliases.lease_of(project), owner, seconds=_LEASE):
            return True
        time.sleep(_WAIT)
    return False


def _moved(live: ReleaseRecord, uri: str, working: Path, tracker: Tracker | None) -> str:
    """Move both; why that was not possible, without a full stop."""
    if not aliases.can_follow():
        return "MLflow is not installed here"
    if uri.startswith("sqlite:///") and not Path(uri.removeprefix("sqlite:///")).exists():
        return f"there is no tracking database at {mask_url(uri)}"
    try:
        with _open(tracker, uri, live.project, working) as opened:
            number = _number(opened, live.project, live.version)
            if not number:
                return f"MLflow has no model of version {live.version}"
            opened.call("alias", registered=live.project, version=number, alias=CHAMPION)
            beside = aliases.coming(live)
            other = "" if beside is None else _number(opened, live.project, beside)
            opened.call("alias", registered=live.project, version=other, alias=CHALLENGER)
    except (TrackingUnavailable, StorageFailure) as error:
        return error.reason.rstrip(".")
    return ""


@contextlib.contextmanager
def _open(tracker: Tracker | None, uri: str, project: str, working: Path) -> Iterator[Tracker]:
    if tracker is not None:
        yield tracker
        return
    check_reachable(uri)
    with tracking(uri, experiment=project, working=working) as opened:
        yield opened


def _number(tracker: Tracker, project: str, version: int) -> str:
    """MLflow's number of a version of ours, found by its tag; empty where it has none."""
    return str(tracker.call("find", registered=project, tag=VERSION_TAG, value=str(version))["version"])
