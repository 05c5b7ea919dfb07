"""Alarms go somewhere: events of the store to the configured ways out, each told once.

What was told, when and whether it worked is an event too (kind "notification"), so that a restart
tells nothing again and forgets nothing. An event on its way::

    event of a told kind -> silenced?            -> noted as "silenced"
                         -> told within repeat?  -> noted as "repeated", counted in the next one
                         -> sent                 -> noted as "sent"
                         -> not delivered        -> tried again, later and later, at last "failed"

A crash between sending and noting tells it twice, with the same id.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from modelwright.monitor.channels import Channel, Undelivered
from modelwright.monitor.notices import Notice, notice_of
from modelwright.monitor.notify_settings import NotifySettings
from modelwright.store import clock
from modelwright.store.ports import Store
from modelwright.store.records import EventRecord

logger = logging.getLogger(__name__)

NOTIFICATION = "notification"
SILENCE = "silence"

_BACK_OFF = (1.0, 5.0, 30.0, 120.0, 600.0, 1800.0, 3600.0, 3600.0)
_OLDEST = timedelta(days=1)
_LOOK = 1_000


@dataclass
class _Pending:
    """A notice that did not get through yet."""

    attempts: int
    due: float


class Notifier:
    """Tells a project's alarms.

    Args:
        store: Where the events are.
        project: Whose.
        settings: Where they go.
        ticks: Seconds of a clock that only goes forward.
        now: The present time.
    """

    def __init__(
        self,
        store: Store,
        project: str,
        settings: NotifySettings,
        *,
        ticks: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = clock.now,
    ) -> None:
        self._store = store
        self._project = project
        self._settings = settings
        self._ticks = ticks
        self._now = now
        self._pending: dict[tuple[int, str], _Pending] = {}

    def run_once(self) -> int:
        """Tell what is due; how many notices were sent.

        Raises:
            StoreUnavailable: Nothing is lost; try again later.
        """
        since = self._now() - _OLDEST
        events = [event for event in self._events() if event.time >= since]
        if not events:
            return 0
        notes = self._store.events.list(self._project, kind=NOTIFICATION, limit=_LOOK)
        settled = {(int(note.data["event"]), str(note.data["channel"])) for note in notes}
        silences = self._silences()
        sent = 0
        for event in events:
            for channel in self._settings.channels:
                place = (event.sequence, channel.name)
                if place not in settled and self._is_due(place):
                    sent += self._tell(event, channel, notes, silences)
                    notes = self._store.events.list(self._project, kind=NOTIFICATION, limit=_LOOK)
        return sent

    def _events(self) -> list[EventRecord]:
        """Those of the told kinds, oldest first."""
        found = [
            event
            for kind in self._settings.kinds
            for event in self._store.events.list(self._project, kind=kind, limit=_LOOK // 10)
        ]
        return sorted(found, key=lambda event: event.sequence)

    def _is_due(self, place: tuple[int, str]) -> bool:
        waiting = self._pending.get(place)
        return waiting is None or waiting.due <= self._ticks()

    def _tell(
        self,
        event: EventRecord,
        channel: Channel,
        notes: Sequence[EventRecord],
        silences: Sequence[EventRecord],
    ) -> bool:
        told, repeats = self._told_before(notice_of(event), channel, notes)
        notice = notice_of(event, repeats=0 if told else repeats)
        if _silenced(notice, silences):
            self._note(notice, channel, "silenced")
            return False
        if told:
            self._note(notice, channel, "repeated")
            return False
        place = (event.sequence, channel.name)
        try:
            channel.send(notice)
        except Undelivered as error:
            self._put_off(place, notice, channel, error)
            return False
        self._pending.pop(place, None)
        self._note(notice, channel, "sent")
        return True

    def _told_before(
        self, notice: Notice, channel: Channel, notes: Sequence[EventRecord]
    ) -> tuple[bool, int]:
        """Whether the same was told lately, and how often it was noted and not told since it was told."""
        repeats = 0
        for note in notes:  # newest first
            if note.data.get("key") != notice.key or note.data.get("channel") != channel.name:
                continue
            if note.data.get("state") == "sent":
                return self._now() - note.time < timedelta(seconds=self._settings.repeat), repeats
            repeats += note.data.get("state") == "repeated"
        return False, repeats

    def _put_off(self, place: tuple[int, str], notice: Notice, channel: Channel, error: Undelivered) -> None:
        attempts = self._pending[place].attempts + 1 if place in self._pending else 1
        if not error.again or attempts > len(_BACK_OFF):
            self._pending.pop(place, None)
            logger.error("Alarm %s was not told by %s: %s", notice.id, channel.name, error.why)
            self._note(notice, channel, "failed", why=error.why, attempts=attempts)
            return
        logger.warning("Alarm %s is not told by %s yet: %s", notice.id, channel.name, error.why)
        self._pending[place] = _Pending(attempts, self._ticks() + _BACK_OFF[attempts - 1])

    def _note(self, notice: Notice, channel: Channel, state: str, **more: Any) -> None:
        words = {
            "sent": "was told",
            "failed": "could not be told",
            "silenced": "was silenced",
            "repeated": "was told before",
        }
        why = f": {more['why']}" if "why" in more else ""
        self._store.events.add(
            self._project,
            NOTIFICATION,
            f"{notice.kind} of event {notice.sequence} {words[state]} by {channel.name}{why}.",
            {
                "event": notice.sequence,
                "channel": channel.name,
                "state": state,
                "key": notice.key,
                **more,
            },
        )

    def _silences(self) -> list[EventRecord]:
        """Those that hold now; an end puts off all before it."""
        held = []
        for event in self._store.events.list(self._project, kind=SILENCE, limit=100):
            if event.data.get("over"):
                break
            if datetime.fromisoformat(str(event.data["until"])) > self._now():
                held.append(event)
        return held


def silence(store: Store, project: str, *, seconds: float, kinds: Sequence[str], reason: str) -> datetime:
    """Tell no alarm of these kinds (of any, if none is named) for so long; until when."""
    until = clock.now() + timedelta(seconds=seconds)
    what = ", ".join(kinds) or "all"
    store.events.add(
        project,
        SILENCE,
        f"Alarms ({what}) are silent until {until:%Y-%m-%d %H:%M} UTC" + (f": {reason}" if reason else "."),
        {"until": until.isoformat(), "kinds": list(kinds), "reason": reason},
    )
    return until


def end_silence(store: Store, project: str) -> None:
    """Tell alarms again."""
    store.events.add(project, SILENCE, "Alarms are told again.", {"over": True})


def _silenced(notice: Notice, silences: Sequence[EventRecord]) -> bool:
    return any(not held.data["kinds"] or notice.kind in held.data["kinds"] for held in silences)
