"""How far what is asked today is from what the model learned from: ranked, then against now, since when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from modelwright.errors import ModelwrightError
from modelwright.monitor.drift import Finding, Topic
from modelwright.monitor.standing import StandingAlarm, live_view
from modelwright.monitor.thresholds import effective_of
from modelwright.monitor.wording import sentence
from modelwright.serve.dashboard.pages import Look
from modelwright.serve.dashboard.trends import Measured, Trend, trend
from modelwright.store.records import EventRecord, WindowRecord

_DRIFT = "drift"
_MOST = 300
_LINES = 6


@dataclass(frozen=True, slots=True)
class Pair:
    """A bin or category: its share in training and now, and how long the bars are, per cent."""

    name: str
    before: float
    now: float
    before_width: float
    now_width: float


@dataclass(frozen=True, slots=True)
class Ranked:
    """A feature, or a model's answers.

    Attributes:
        finding: The newest check of its values (or its worst one).
        words: What changed, in a sentence.
        width: Of its bar, per cent.
        mark: Where on the bar it begins to matter, per cent.
        alarm: The alarm that stands about it.
        pairs: Its distribution, where an alarm kept it.
    """

    finding: Finding
    words: str
    width: float
    mark: float
    alarm: StandingAlarm | None
    pairs: tuple[Pair, ...]


def view(look: Look) -> dict[str, Any]:
    """The newest window's findings, and how they came to be."""
    store, project = look.store, look.room.project
    windows = list(store.windows.list(project, kind=_DRIFT, limit=_MOST))
    live = live_view(store, project)
    newest = windows[0] if windows else None
    events = [
        event for kind in ("drift", "alarm") for event in store.events.list(project, kind=kind, limit=100)
    ]
    alarms = list(live.alarms) if live else []
    found = findings(newest)
    return {
        "newest": newest,
        "live": live,
        "alarms": alarms,
        "ranked": ranked(found, alarms, events),
        "others": [sentence(each) for each in found if each.topic is not Topic.VALUES and each.drifted],
        "untested": newest.data.get("untested", []) if newest else [],
        "over_time": over_time(windows, _threshold(look)),
        "events": sorted(events, key=lambda event: -event.sequence)[:12],
    }


def findings(window: WindowRecord | None) -> list[Finding]:
    """A window's findings, typed; none where another release kept them in another form."""
    try:
        return [] if window is None else msgspec.convert(window.data.get("findings", []), list[Finding])
    except msgspec.ValidationError:
        return []


def ranked(found: list[Finding], alarms: list[StandingAlarm], events: list[EventRecord]) -> list[Ranked]:
    """Features by how far their values moved, the furthest first."""
    values = sorted((each for each in found if each.topic is Topic.VALUES), key=lambda each: -each.size)
    most = max([each.size for each in values] + [1.25 * each.threshold for each in values] or [1.0])
    shares = {
        event.data.get("name"): event.data["shares"] for event in reversed(events) if event.data.get("shares")
    }
    standing = {alarm.name: alarm for alarm in alarms}
    return [
        Ranked(
            each,
            sentence(each),
            100 * max(0.0, each.size) / most,
            100 * each.threshold / most,
            standing.get(each.name),
            _pairs(shares.get(each.name)),
        )
        for each in values
    ]


def over_time(windows: list[WindowRecord], threshold: float | None) -> Trend:
    """How far the features that moved furthest were, window by window."""
    history: dict[str, list[tuple[datetime, float]]] = {}
    for window in windows:
        for each in findings(window):
            if each.topic is Topic.VALUES:
                history.setdefault(each.name, []).append((window.until, max(0.0, each.size)))
    furthest = sorted(history, key=lambda name: -max(size for _, size in history[name]))[:_LINES]
    found = [Measured(time, size, size, size, name) for name in furthest for time, size in history[name]]
    return trend(found, floor=threshold)


def _pairs(told: Any) -> tuple[Pair, ...]:
    if not isinstance(told, dict):
        return ()
    before, now = told.get("before", []), told.get("now", [])
    most = max([*before, *now, 1e-9])
    return tuple(
        Pair(str(name), was, is_now, 100 * was / most, 100 * is_now / most)
        for name, was, is_now in zip(told.get("names", []), before, now, strict=False)
    )


def _threshold(look: Look) -> float | None:
    try:
        return effective_of(look.store, look.room.project, look.room.file).monitor.drift.psi
    except ModelwrightError:  # the settings page says what is wrong with the file
        return None
