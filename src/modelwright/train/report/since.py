"""What became of a version after its training, from the store."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from modelwright.store.ports import Store

_EVENTS = 1_000
_SHOWN = 40


@dataclass(frozen=True)
class Reign:
    """A stretch of time in which the version answered.

    Attributes:
        start, end: UTC; no end where it still answers.
        reason: Why it was released.
        actor: By whom.
        successor: The version that came after it; ``None`` where it still answers.
    """

    start: datetime
    end: datetime | None
    reason: str
    actor: str
    successor: int | None


@dataclass(frozen=True)
class Since:
    """What became of a version.

    Attributes:
        asked: When this was looked up.
        reigns: When it was champion, oldest first.
        events: What the event log has on it: time and message, oldest first.
        predictions: How many rows it answered, as far as the log goes back.
    """

    asked: datetime
    reigns: tuple[Reign, ...]
    events: tuple[tuple[datetime, str], ...]
    predictions: int


def since(store: Store, project: str, version: int, *, now: datetime) -> Since:
    """Look it up."""
    releases = list(reversed(store.releases.list(project, limit=_EVENTS)))
    following = [*releases[1:], None]
    reigns = tuple(
        Reign(
            start=release.released,
            end=None if after is None else after.released,
            reason=release.reason,
            actor=release.actor,
            successor=None if after is None else after.version,
        )
        for release, after in zip(releases, following, strict=True)
        if release.version == version
    )
    about = [
        event for event in store.events.list(project, limit=_EVENTS) if event.data.get("version") == version
    ]
    return Since(
        asked=now,
        reigns=reigns,
        events=tuple((event.time, event.message) for event in reversed(about[:_SHOWN])),
        predictions=store.predictions.count(project, version=version),
    )
