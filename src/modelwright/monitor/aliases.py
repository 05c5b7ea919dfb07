"""Whether MLflow's aliases name what is live, and who sees to it that they do.

The store's newest release is what counts. Beside it stands up to which release MLflow was told, so
anybody who looks can tell that the aliases lag: a server where MLflow is not installed, a worker, a
verb, a person. Where MLflow is installed a process of its own (``modelwright.retrain.mirror``) goes
on from there, under a lease, as often as it takes.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import subprocess
import sys
import time
from datetime import datetime, timedelta

import msgspec

from modelwright.store import clock
from modelwright.store.ports import Store
from modelwright.store.records import ReleaseRecord

EVENT = "alias"
"""Event that says why the aliases lag, once a release and reason; with ``_over``: they follow again."""
_STATE = "aliases"
_LOOK = 2.0  # seconds between looks
_PATIENCE = 60.0  # a lag is told where MLflow is not installed: another host may be at it
_RETRY = (10.0, 3_600.0)  # after a failure: the first wait, then four times as long each, up to the last
_END, _FINISH = 30.0, 300.0
NOT_INSTALLED = "MLflow is not installed where it is served"


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What MLflow knows, as far as anybody here could tell it.

    Attributes:
        release: Sequence of the release that the aliases follow; 0 before the first.
        champion: The version that ``champion`` names; 0 where it names none that is known.
        challenger: The version that ``challenger`` names.
        tried: Sequence of the release that could not be followed; 0 where nothing failed since.
        attempts: How often that was tried.
        again: When it is worth another try.
        reason: Why it failed.
    """

    release: int = 0
    champion: int = 0
    challenger: int | None = None
    tried: int = 0
    attempts: int = 0
    again: datetime | None = None
    reason: str = ""


class Lag(msgspec.Struct, frozen=True):
    """That the aliases do not name what is live.

    Attributes:
        live: What is.
        told: What they name.
    """

    live: ReleaseRecord
    told: Told

    @property
    def sentence(self) -> str:
        """What lags, since when and why."""
        since = f"since {self.live.released:%Y-%m-%d %H:%M} UTC"
        why = f": {self.told.reason}" if self.told.tried == self.live.sequence else ""
        if self.told.champion == self.live.version:
            named, is_so = _version(self.told.challenger), _version(coming(self.live))
            return f"MLflow's alias 'challenger' names {named}; {is_so} is brought in {since}{why}."
        named = _version(self.told.champion)
        return f"MLflow's alias 'champion' names {named}; version {self.live.version} answers {since}{why}."


def told(store: Store, project: str) -> Told:
    """What MLflow was told last."""
    text = store.states.get(project, _STATE)
    try:
        return Told() if text is None else msgspec.json.decode(text, type=Told)
    except (msgspec.DecodeError, msgspec.ValidationError):  # written by another release of the product
        return Told()


def lag(store: Store, project: str) -> Lag | None:
    """That the aliases lag, or ``None``: they do not, or MLflow never heard of what is live."""
    live = store.releases.current(project)
    if live is None:
        return None
    known = told(store, project)
    if known.release:
        return (
            None if (known.champion, known.challenger) == (live.version, coming(live)) else Lag(live, known)
        )
    version = store.versions.get(project, live.version)
    return Lag(live, known) if version is not None and version.run_id else None


def coming(live: ReleaseRecord) -> int | None:
    """The version that is brought in beside the champion: on the side, or for a share of the clients."""
    for way in ("canary", "shadow"):
        number = live.settings.get(way, {}).get("version")
        if isinstance(number, int):
            return number
    return None


def followed(store: Store, live: ReleaseRecord) -> None:
    """Note that the aliases name what ``live`` says; that they lagged before is over."""
    known = told(store, live.project)
    now = Told(release=live.sequence, champion=live.version, challenger=coming(live))
    _put(store, live.project, now)
    if known.release and known.tried:
        store.events.add(
            live.project,
            f"{EVENT}_over",
            f"MLflow's alias 'champion' names version {live.version} again, which answers.",
            {"version": live.version, "release": live.sequence},
        )


def failed(store: Store, live: ReleaseRecord, reason: str) -> None:
    """Note that the aliases could not follow ``live``, and when it is worth another try."""
    known = told(store, live.project)
    same = known.tried == live.sequence
    attempts = known.attempts + 1 if same else 1
    wait = min(_RETRY[1], _RETRY[0] * 4 ** (attempts - 1))
    now = msgspec.structs.replace(
        known,
        tried=live.sequence,
        attempts=attempts,
        again=clock.now() + timedelta(seconds=wait),
        reason=reason,
    )
    _put(store, live.project, now)
    if known.release and not (same and known.reason == reason):  # who never had MLflow does not miss it
        store.events.add(
            live.project,
            EVENT,
            f"MLflow's aliases do not follow to version {live.version}, which answers: {reason}. It is "
            "tried again.",
            {"version": live.version, "release": live.sequence, "reason": reason},
        )


def can_follow() -> bool:
    """Whether MLflow is installed here; nothing is imported."""
    return importlib.util.find_spec("mlflow") is not None


def start(project_file: str, *, work_dir: str, store_url: str) -> subprocess.Popen[bytes]:
    """Have the aliases follow, in a process of its own: MLflow takes seconds to load."""
    return subprocess.Popen(
        [sys.executable, "-m", "modelwright.retrain.mirror", project_file],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
            "MODELWRIGHT_WORK_DIR": work_dir,
            "MODELWRIGHT_STORE_URL": store_url,
        },
    )


class Follower:
    """Lets one project's aliases follow whatever released, for as long as it is asked to look.

    Args:
        store: Where the releases are.
        project: Whose.
        project_file: Where its file is.
        work_dir, store_url: Of the process that follows.
    """

    def __init__(
        self, store: Store, project: str, *, project_file: str, work_dir: str, store_url: str
    ) -> None:
        self._store = store
        self._project = project
        self._file = project_file
        self._places = {"work_dir": work_dir, "store_url": store_url}
        self._able = can_follow()
        self._process: subprocess.Popen[bytes] | None = None
        self._next = 0.0

    def look(self) -> None:
        """Start the process that follows, if the aliases lag and it is worth a try.

        Raises:
            StoreUnavailable: The store cannot be asked.
        """
        now = time.monotonic()
        if now < self._next or (self._process is not None and self._process.poll() is None):
            return
        self._next, self._process = now + _LOOK, None
        found = lag(self._store, self._project)
        if found is None:
            return
        if not self._able:
            self._tell(found)
        elif found.told.tried != found.live.sequence or _worth(found.told):
            self._process = start(self._file, **self._places)

    def close(self, seconds: float = _END) -> None:
        """Wait for the process, if there is one; it goes on by itself where it needs longer."""
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(seconds)

    def finish(self) -> None:
        """Let the aliases follow now, and wait for it.

        Raises:
            StoreUnavailable: The store cannot be asked.
        """
        self.look()
        self.close(_FINISH)

    def _tell(self, found: Lag) -> None:
        """Say once that nobody here can follow; not where nobody ever did, who has no use for MLflow."""
        old = clock.now() - found.live.released > timedelta(seconds=_PATIENCE)
        if found.told.release and old and found.told.tried != found.live.sequence:
            failed(self._store, found.live, NOT_INSTALLED)


def _version(number: int | None) -> str:
    return f"version {number}" if number else "no version"


def _worth(known: Told) -> bool:
    return known.again is None or clock.now() >= known.again or known.reason == NOT_INSTALLED


def _put(store: Store, project: str, now: Told) -> None:
    store.states.put(project, _STATE, msgspec.json.encode(now).decode())


def lease_of(project: str) -> str:
    """Name of the lease under which one process moves the aliases."""
    return f"aliases of {project}"
