"""A year in minutes: traffic and labels over HTTP, season after season, and what the service made of them.

Nobody helps the service: what it noticed, trained, judged and released is read from its own event log.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from modelwright.cli.demo_worlds import Season, World
from modelwright.client.sync import Client
from modelwright.store import clock
from modelwright.store.ports import Store
from modelwright.store.records import EventRecord, JobRecord, JobState

NOTICED = ("drift", "quality", "alarm")
_TOLD = {
    *NOTICED, "retrain_asked", "retrain_failed", "retrain_refused", "version", "promoted", "rollout",
    "rolled_back",
}  # fmt: skip
_ENDED = frozenset({JobState.PROMOTED, JobState.REJECTED, JobState.FAILED, JobState.CANCELLED})
_BATCH = 50
_REST = 0.25  # seconds between two batches: not quite two hundred rows a second


@dataclass
class Account:
    """What became of a season.

    Attributes:
        season: Which.
        rows: How many came, each with its truth.
        alarms: What was noticed.
        jobs: Retrainings that began.
        events: All events of it.
        standing: What was noticed before and is not over: it is not told again.
        missing: What should have happened and did not, or the other way round.
    """

    season: Season
    began: datetime
    rows: int = 0
    alarms: list[EventRecord] = field(default_factory=list)
    jobs: list[JobRecord] = field(default_factory=list)
    events: list[EventRecord] = field(default_factory=list)
    standing: set[str] = field(default_factory=set)
    missing: list[str] = field(default_factory=list)

    @property
    def named(self) -> set[str]:
        """What the service says is not as it was."""
        return {str(alarm.data.get("name", "")) for alarm in self.alarms} | self.standing

    @property
    def ended(self) -> list[JobRecord]:
        """Retrainings that came to their end."""
        return [job for job in self.jobs if job.state in _ENDED]


class Year:
    """Lives through a year.

    Args:
        world: What happens in it.
        client: Of the running server.
        store: The server's, to read from.
        calm_rows: How many rows of a calm season are sent.
        patience: Seconds a season is given to be noticed and answered.
        tell: Told what happens, line by line.
    """

    def __init__(
        self,
        world: World,
        client: Client,
        store: Store,
        *,
        calm_rows: int,
        patience: float,
        tell: Callable[[str], None],
    ) -> None:
        self._world = world
        self._client = client
        self._store = store
        self._calm_rows = calm_rows
        self._patience = patience
        self._tell = tell

    def live(self) -> Iterator[Account]:
        """Season after season."""
        for season in self._world.seasons:
            account = Account(season, clock.now())
            self._tell(f"{season.name}: {season.tale}")
            told: set[int] = set()
            end = time.monotonic() + self._patience
            while not self._over(account) and time.monotonic() < end:
                self._send(account)
                self._read(account)
                for event in account.events:
                    if event.kind in _TOLD and event.sequence not in told:
                        told.add(event.sequence)
                        self._tell(f"  {event.time.astimezone():%H:%M:%S} {event.kind}: {event.message}")
                time.sleep(_REST)
            account.missing = _missing(account)
            yield account

    def _send(self, account: Account) -> None:
        """Some rows, and the truth of each."""
        drawn = self._world.draw(account.season, _BATCH)
        rows = [dict(zip(drawn.names, row, strict=True)) for row in drawn.rows.tolist()]
        answers = self._client.predict(rows)
        self._client.feedback_many({
            answer.prediction_id: truth for answer, truth in zip(answers, drawn.truths.tolist(), strict=True)
        })  # fmt: skip
        account.rows += len(rows)

    def _read(self, account: Account) -> None:
        project = self._world.name
        events = self._store.events.list(project, limit=500)
        account.events = [event for event in events[::-1] if event.time >= account.began]
        account.standing = _standing(event for event in events[::-1] if event.time < account.began)
        account.alarms = [event for event in account.events if event.kind in NOTICED]
        account.jobs = [job for job in self._store.jobs.list(project) if job.created >= account.began]

    def _over(self, account: Account) -> bool:
        if account.season.calm:
            return account.rows >= self._calm_rows
        busy = any(job.state not in _ENDED for job in account.jobs)
        return not busy and not _missing(account)


def _standing(events: Iterable[EventRecord]) -> set[str]:
    """What alarms stand after these events, the oldest first."""
    found: set[str] = set()
    for event in events:
        name = str(event.data.get("name", ""))
        if event.kind in NOTICED:
            found.add(name)
        elif event.kind.removesuffix("_over") in NOTICED:
            found.discard(name)
    return found


def _missing(account: Account) -> list[str]:
    """What is not as it should be."""
    season = account.season
    if season.calm:
        wrong = [f"A false alarm: {alarm.message}" for alarm in account.alarms]
        return wrong + [f"A retraining without need: {job.reason}" for job in account.jobs]
    found = []
    if not account.named:
        found.append("Nothing was noticed.")
    lacking = [name for name in season.features if name not in account.named]
    if season.features and lacking:
        found.append(f"Drift was not told of {', '.join(lacking)}.")
    if season.quality and not any(alarm.kind == "quality" for alarm in account.alarms):
        found.append("It was not told that answers became wrong.")
    if not account.jobs:
        found.append("Nothing was retrained.")
    elif not account.ended:
        found.append("No retraining came to its end.")
    elif season.learnable and not any(job.state is JobState.PROMOTED for job in account.ended):
        found.append("No version that learned the new world was promoted.")
    found += [f"A retraining failed: {job.error}" for job in account.ended if job.state is JobState.FAILED]
    return found


def summary(accounts: Sequence[Account]) -> list[tuple[str, str, str, str, str, str]]:
    """A line a season: name, rows, what was noticed, why it was retrained, what came of it, as expected?"""
    return [
        (
            account.season.name,
            f"{account.rows:,}",
            _noticed(account),
            "; ".join(dict.fromkeys(job.trigger for job in account.jobs[::-1])) or "-",
            _outcomes(account),
            "no: " + " ".join(account.missing) if account.missing else "yes",
        )
        for account in accounts
    ]


def _noticed(account: Account) -> str:
    by_kind: dict[str, list[str]] = {}
    for alarm in account.alarms:
        by_kind.setdefault(alarm.kind, []).append(str(alarm.data.get("name", "")))
    told = [f"{kind}: {_some(dict.fromkeys(names))}" for kind, names in by_kind.items()]
    return "; ".join(told) or "nothing"


def _some(names: Any, most: int = 4) -> str:
    listed = list(names)
    more = f" and {len(listed) - most} more" if len(listed) > most else ""
    return ", ".join(listed[:most]) + more


def _outcomes(account: Account) -> str:
    told = [
        f"version {job.version} {job.state.value}" if job.version else job.state.value
        for job in account.jobs[::-1]
    ]
    back = [event for event in account.events if event.kind == "rolled_back"]
    return "; ".join([*told, *(f"back to version {event.data.get('version')}" for event in back)]) or "-"
