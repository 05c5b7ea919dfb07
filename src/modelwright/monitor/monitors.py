"""The monitors of one project: follow the log, judge, write down what was found.

Whoever runs ``look`` must be alone with the project (a lease in the store sees to it). A look reads
what came since the last one, so its cost is that of the new rows.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from modelwright.bundle.read import Description, describe
from modelwright.errors import ModelwrightError
from modelwright.monitor.alarms import Alarm
from modelwright.monitor.drift import read_profile
from modelwright.monitor.following import DRIFT, KINDS, Following
from modelwright.monitor.judging import Judging
from modelwright.monitor.late import compared, late_since, note_of, rows_of
from modelwright.monitor.memory import Memory, Note, keep, remembered, send
from modelwright.monitor.standing import LIVE, LiveView, StandingAlarm
from modelwright.monitor.thresholds import Effective
from modelwright.store import clock
from modelwright.store.codec import pack
from modelwright.store.ports import Store
from modelwright.store.records import PredictionRecord

logger = logging.getLogger(__name__)

_LATE = timedelta(seconds=5)  # between looks for predictions that came late
_KEEP = timedelta(seconds=5)  # state is kept this often, and at once where something was found
BASELINE = 1_000
"""First rows of a version that later ones are compared with, all features together."""


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """How much is read at once.

    Attributes:
        settled: Younger predictions are left for the next look: others may still be on their way.
        batch: Predictions read at once.
        batches: Batches of one look.
        most_behind: Where more wait than these, they are sampled.
        judge: Least time between two judgements of quality.
    """

    settled: timedelta = timedelta(seconds=0.5)
    batch: int = 2_000
    batches: int = 25
    most_behind: int = 500_000
    judge: timedelta = timedelta(seconds=2)


class Watched(msgspec.Struct, frozen=True, kw_only=True):
    """The version to watch, and those that answer beside it.

    Attributes:
        version, bundle: The champion, and where its bundle lies.
        since: From when on its predictions count, at first.
        beside: Bundles of a canary or a shadow, whose quality is measured too.
    """

    version: int
    bundle: Path
    since: datetime
    beside: tuple[Path, ...] = ()


class Monitors:
    """Monitors of one project.

    Args:
        store, project: Whose.
        pictures: Folder for pictures of alarms.
        pace: How much is read at once.
        now: The present time.
    """

    def __init__(
        self,
        store: Store,
        project: str,
        *,
        pictures: Path,
        pace: Pace | None = None,
        now: Callable[[], datetime] = clock.now,
    ) -> None:
        self._store = store
        self._project = project
        self._pictures = pictures
        self._pace = pace or Pace()
        self._now = now
        self._memory: Memory | None = None
        self._following: Following | None = None
        self._judging: Judging | None = None
        self._look_late = datetime.min.replace(tzinfo=UTC)
        self._kept = datetime.min.replace(tzinfo=UTC)
        self._view: LiveView | None = None
        self._described: dict[Path, Description] = {}

    def forget(self) -> None:
        """Somebody else may have watched meanwhile: remember anew at the next look."""
        self._memory = self._following = self._judging = self._view = None

    def look(self, watched: Watched, effective: Effective) -> int:
        """Read and judge what came; how many predictions were read.

        Raises:
            StoreUnavailable: Nothing is lost; look again later.
            ModelwrightError: The version's bundle cannot be read.
        """
        if self._memory is None:
            self._memory = remembered(self._store, self._project)
            send(self._store, self._project, self._memory, again=True)
        memory = self._memory
        following, judging = self._prepared(watched, effective, memory)
        read = self._read(following, memory)
        judging.predicted(read, effective)
        judging.labels(following, memory)
        judging.judge(following, memory, effective)
        self._compare(following, memory, effective)
        self._late(following, memory)
        self._write(following, judging, memory)
        return read

    def _prepared(self, watched: Watched, effective: Effective, memory: Memory) -> tuple[Following, Judging]:
        """The detectors of the watched version, new ones where it or how it is watched changed."""
        description = self._describe(watched.bundle)
        made = f"{effective.monitor.window} {','.join(effective.monitor.drift.detectors)}"
        same = (description.manifest.version, description.manifest.content_hash, made)
        if (memory.version, memory.content_hash, memory.made) != same:
            self._begin(memory, watched, same)
            self._following = None
        if self._following is None or self._judging is None:
            profile = read_profile(description.reference)
            self._following = Following(
                self._project, description, profile, effective, memory, pictures=self._pictures
            )
            self._judging = Judging(self._store, self._project, pace=self._pace.judge, now=self._now)
        self._following.tune(effective)
        self._judging.beside = [each for path in watched.beside if (each := self._try(path)) is not None]
        return self._following, self._judging

    def _begin(self, memory: Memory, watched: Watched, same: tuple[int, str, str]) -> None:
        """Forget the former version; the place in the log stays."""
        for kind, alarm in _standing(memory):
            data = {"topic": alarm.topic, "name": alarm.name, "version": memory.version, "cleared": True}
            data["id"] = f"v{memory.version} {alarm.topic} {alarm.name} replaced by {watched.version}"
            message = f"Over, as version {watched.version} answers now: {alarm.message}"
            memory.outbox_events.append(Note(kind=f"{kind}_over", message=message, data=data))
        memory.standing = {}
        memory.version, memory.content_hash, memory.made = same
        memory.watch = memory.errors = memory.drift = memory.baseline = None
        memory.checked = memory.calm = 0
        if memory.after is None:
            memory.after = (watched.since - timedelta(microseconds=1), "")
        if memory.joined is None:
            memory.joined = (watched.since - timedelta(microseconds=1), 0)

    def _describe(self, path: Path) -> Description:
        if path not in self._described:
            if len(self._described) > 8:
                self._described.clear()
            self._described[path] = describe(path)
        return self._described[path]

    def _try(self, path: Path) -> Description | None:
        try:
            return self._describe(path)
        except ModelwrightError as error:
            logger.warning("The quality of a challenger is not measured: %s", error)
            return None

    def _read(self, following: Following, memory: Memory) -> int:
        until = self._now() - self._pace.settled
        self._skip(memory, until)
        total = 0
        for _ in range(self._pace.batches):
            records = self._store.predictions.following(
                self._project, after=memory.after, until=until, limit=self._pace.batch
            )
            if not records:
                break
            self._take(records, following, memory)
            total += len(records)
            if len(records) < self._pace.batch:
                break
        return total

    def _take(self, records: Sequence[PredictionRecord], following: Following, memory: Memory) -> None:
        if memory.baseline is None:
            memory.baseline = memory.after
        following.take(records)
        memory.after = (records[-1].time, records[-1].id)
        memory.rows += len(records)

    def _skip(self, memory: Memory, until: datetime) -> None:
        """Where too many wait, go on from the newest of them, and say so."""
        assert memory.after is not None  # noqa: S101 - set when a version begins
        since = memory.after[0]
        if until - since < timedelta(seconds=10):
            return
        waiting = self._store.predictions.count(self._project, since=since)
        if waiting <= self._pace.most_behind:
            return
        share = self._pace.most_behind / (2 * waiting)
        start = until - (until - since) * share
        left = self._store.predictions.count(self._project, since=start)
        skipped = waiting - left
        memory.after = (start, "")
        memory.skipped += skipped
        message = (
            f"{waiting:,} predictions waited to be looked at, more than are taken: {skipped:,} of them, "
            f"answered before {start:%Y-%m-%d %H:%M:%S} UTC, are in no window of drift."
        )
        logger.warning("%s: %s", self._project, message)
        data = {"id": f"skipped {start.isoformat()}", "skipped": skipped, "until": start.isoformat()}
        memory.outbox_events.append(Note(kind="monitor_skipped", message=message, data=data))

    def _compare(self, following: Following, memory: Memory, effective: Effective) -> None:
        """All features together, once a window, with this version's first rows."""
        window = together_window(effective)
        watched = following.watch.rows
        if watched - memory.checked < window or watched < BASELINE + window or memory.baseline is None:
            return
        memory.checked = watched
        earlier = self._store.predictions.following(self._project, after=memory.baseline, limit=BASELINE)
        newer = self._store.predictions.history(self._project, version=memory.version, limit=window)
        following.compare_together(earlier, newer)

    def _late(self, following: Following, memory: Memory) -> None:
        """Rows that came behind the place that was read to, as windows of their own."""
        if self._now() < self._look_late:
            return
        self._look_late = self._now() + _LATE
        for event in late_since(self._store, self._project, memory.late):
            memory.late = event.sequence
            rows = rows_of(self._store, event)
            settings = following.watch.settings.drift
            found = compared(rows, following.description, following.profile, settings)
            note = None if found is None else note_of(event, found, memory.version)
            if note is not None:
                memory.outbox_events.append(note)

    def _write(self, following: Following, judging: Judging, memory: Memory) -> None:
        now = self._now()
        if memory.outbox_events or memory.outbox_windows or now - self._kept >= _KEEP:
            keep(self._store, self._project, memory)
            self._kept = now
        view = LiveView(
            updated=now,
            version=memory.version,
            read=None if memory.after is None else memory.after[0],
            rows=memory.rows,
            skipped=memory.skipped,
            drift=memory.drift,
            quality=judging.views,
            alarms=tuple(following.standing()),
        )
        if self._view is None or msgspec.structs.replace(view, updated=self._view.updated) != self._view:
            self._store.states.put(self._project, LIVE, pack(view))
            self._view = view


def together_window(effective: Effective) -> int:
    """Newest rows that are compared with the first ones, as often as so many came."""
    return max(effective.monitor.window, 200)


def _standing(memory: Memory) -> Iterator[tuple[str, Alarm | StandingAlarm]]:
    """All alarms that are raised, with the kind of their event."""
    for alarm in memory.standing.values():
        yield alarm.kind, alarm
    for state in (memory.watch, memory.errors):
        for held in state.book.standing.values() if state is not None else ():
            yield KINDS.get(held.alarm.topic, DRIFT), held.alarm
