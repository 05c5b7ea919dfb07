"""What the monitors of a project remember, and how they write what they found exactly once.

Everything that was read up to ``after`` is in the detectors' state; what came of it waits in the
``outbox``. Both are one text that the store replaces at once. A monitor that is killed before that
reads the same rows again; one that is killed after it finds the outbox, and writes only those items
whose id is not in the store yet.
"""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any

import msgspec

from modelwright.monitor.standing import DriftView, StandingAlarm
from modelwright.monitor.watch import WatchState
from modelwright.store.codec import pack, unpack
from modelwright.store.ports import Store
from modelwright.store.records import WindowRecord

logger = logging.getLogger(__name__)

STATE = "monitors"
_LOOK = 200


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """An event to be written; its ``data`` holds an ``id``."""

    kind: str
    message: str
    data: dict[str, Any]


class Memory(msgspec.Struct, kw_only=True):
    """All that must survive a restart.

    Attributes:
        version, content_hash, made: Of the watched bundle, and the settings it is watched with.
        after: Time and id of the last prediction read.
        joined: Time and sequence of the last label read.
        rows, skipped: Predictions read, and left out because too many came.
        watch, errors: The detectors of features and answers, and of errors.
        baseline: From where on this version's first rows stand, with which later ones are compared.
        checked: Rows at the last comparison of all features together.
        late: Sequence of the newest event of a late delivery that was looked at.
        calm: Comparisons without a finding since the last one with.
        standing: Raised alarms that are not the detectors' own, by "topic name".
        drift: What the newest window showed.
        outbox_events, outbox_windows: Not written to their tables yet.
    """

    version: int = 0
    content_hash: str = ""
    made: str = ""
    after: tuple[datetime, str] | None = None
    joined: tuple[datetime, int] | None = None
    rows: int = 0
    skipped: int = 0
    watch: WatchState | None = None
    errors: WatchState | None = None
    baseline: tuple[datetime, str] | None = None
    checked: int = 0
    late: int = 0
    calm: int = 0
    standing: dict[str, StandingAlarm] = {}
    drift: DriftView | None = None
    outbox_events: list[Note] = []
    outbox_windows: list[WindowRecord] = []


def remembered(store: Store, project: str) -> Memory:
    """What was kept last; nothing if another release kept it in another form."""
    text = store.states.get(project, STATE)
    if text is None:
        return Memory()
    try:
        return msgspec.convert(unpack(text), Memory)
    except (msgspec.ValidationError, ValueError) as error:
        logger.warning("The monitors of %s begin anew: %s", project, error)
        return Memory()


def keep(store: Store, project: str, memory: Memory) -> None:
    """Keep all of it, then write what waits in the outbox and keep that it is written."""
    store.states.put(project, STATE, pack(memory))
    if send(store, project, memory, again=False):
        store.states.put(project, STATE, pack(memory))


def send(store: Store, project: str, memory: Memory, *, again: bool) -> bool:
    """Write what waits; whether anything did.

    Args:
        store: Where to.
        project: Whose.
        memory: Its outbox is empty afterwards.
        again: Whether some of it may have been written before.
    """
    if not memory.outbox_events and not memory.outbox_windows:
        return False
    for note in memory.outbox_events:
        if not (again and _told(store, project, note)):
            store.events.add(project, note.kind, note.message, note.data)
    for window in memory.outbox_windows:
        if not (again and _stored(store, window)):
            store.windows.add(window)
    memory.outbox_events, memory.outbox_windows = [], []
    return True


def _told(store: Store, project: str, note: Note) -> bool:
    events = store.events.list(project, kind=note.kind, limit=_LOOK)
    return any(event.data.get("id") == note.data["id"] for event in events)


def _stored(store: Store, window: WindowRecord) -> bool:
    found = store.windows.list(window.project, kind=window.kind, version=window.version, limit=_LOOK)
    place = (window.model, window.since, window.until, window.rows)
    return any((each.model, each.since, each.until, each.rows) == place for each in found)
