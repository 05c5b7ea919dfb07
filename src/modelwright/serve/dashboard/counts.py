"""What was answered in a stretch of time, out of the store's summaries; the log itself is never read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from modelwright.store.ports import Store
from modelwright.store.records import SummaryRecord
from modelwright.store.summaries import HOUR, MINUTE, Counted, counted, quantile, start_of, together

CHAMPIONS = ("champion", "canary")
"""Roles whose answers went back to somebody; a shadow's did not."""


@dataclass(frozen=True, slots=True)
class Range:
    """A stretch of time up to now: its name in addresses, its words, its length and its steps in seconds."""

    name: str
    words: str
    length: int
    step: int

    @property
    def span(self) -> int:
        """Which summaries it is made of."""
        return MINUTE if self.step < HOUR else HOUR


RANGES = (
    Range("1h", "the last hour", 3600, 60),
    Range("24h", "the last 24 hours", 86400, 900),
    Range("7d", "the last 7 days", 7 * 86400, 3 * 3600),
    Range("90d", "the last 90 days", 90 * 86400, 86400),
)


def range_called(name: str) -> Range:
    """The range called ``name``, else the first."""
    return next((each for each in RANGES if each.name == name), RANGES[0])


@dataclass(frozen=True, slots=True)
class Stretch:
    """Counts over a range.

    Attributes:
        starts: When each step begins, epoch seconds.
        steps: What was counted in each.
        whole: All of them together.
    """

    starts: tuple[int, ...]
    steps: tuple[Counted, ...]
    whole: Counted


def stretch(
    store: Store, project: str, wanted: Range, now: datetime, *, version: int | None = None
) -> Stretch:
    """The counts of ``wanted``, up to and with the present moment."""
    last = start_of(now, wanted.step)
    number = wanted.length // wanted.step
    starts = tuple(last - (number - 1 - place) * wanted.step for place in range(number))
    records = store.summaries.list(project, span=wanted.span, since=datetime.fromtimestamp(starts[0], UTC))
    steps = [Counted() for _ in starts]
    for record in _returned(records):
        place = (int(record.start.timestamp()) - starts[0]) // wanted.step
        if 0 <= place < number and version in {None, record.version}:
            steps[place].add(counted(record))
    whole = Counted()
    for step in steps:
        whole.add(step)
    return Stretch(starts, tuple(steps), whole)


@dataclass(frozen=True, slots=True)
class Now:
    """How busy it is.

    Attributes:
        rate: Rows answered or refused a second, since the minute before this one began.
        since: Since when that is.
        rows: How many that were.
    """

    rate: float
    since: datetime
    rows: int


def busy(store: Store, project: str, now: datetime) -> Now:
    """The present rate, over one to two minutes: as exact as the minutes are."""
    since = datetime.fromtimestamp(start_of(now, MINUTE) - MINUTE, UTC)
    recent = together(_returned(store.summaries.list(project, span=MINUTE, since=since)))
    rows = recent.answered + recent.refused
    return Now(rows / max(1.0, (now - since).total_seconds()), since, rows)


def latency(of: Counted) -> dict[str, float | None]:
    """Mean and quantiles of the latency, seconds; a quantile is the bound that so many kept."""
    mean = of.seconds / of.answered if of.answered else None
    return {"mean": mean, **{f"p{round(100 * q)}": quantile(of.latency, q) for q in (0.5, 0.95, 0.99)}}


def totals(store: Store, project: str) -> dict[int, Counted]:
    """Everything ever answered to somebody, by version."""
    found: dict[int, Counted] = {}
    for record in _returned(store.summaries.totals(project)):
        found.setdefault(record.version, Counted()).add(counted(record))
    return found


def known_answers(store: Store, project: str, now: datetime, *, most: int = 40) -> list[str]:
    """Classes that the first model answered in the last 30 days, the most frequent first."""
    since = now - timedelta(days=30)
    seen: dict[str, int] = {}
    for record in store.summaries.list(project, span=HOUR, since=since):
        for spread in list(record.answers.values())[:1]:
            for name, number in spread.classes.items():
                seen[name] = seen.get(name, 0) + number
    return sorted(seen, key=lambda name: -seen[name])[:most]


def _returned(records: Sequence[SummaryRecord]) -> list[SummaryRecord]:
    return [record for record in records if record.role in CHAMPIONS]
