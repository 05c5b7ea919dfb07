"""Watches a stream of answered rows: windows against the profile, ADWIN and Page-Hinkley between them.

Everything it remembers is ``WatchState``, which ``msgspec`` encodes: a restart goes on where it was.
No row is kept, only counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec
import numpy as np

from modelwright.monitor import wording
from modelwright.monitor.adwin import Adwin, AdwinSettings, AdwinState
from modelwright.monitor.alarms import Alarm, AlarmBook
from modelwright.monitor.counts import ColumnArrays, ColumnCounts, add, count, seen_categories
from modelwright.monitor.drift import DriftSettings, Finding, Topic, WindowDrift, compare
from modelwright.monitor.examples import example_rows
from modelwright.monitor.page_hinkley import Change, PageHinkley, PageHinkleyState, settings_for
from modelwright.monitor.ranks import Ranker, ranker
from modelwright.schema.columns import TableSchema
from modelwright.schema.profile import ColumnProfile, Profile

_BLOCKS = 5  # a window slides by a fifth of itself
_MARKS = 1000
_RATE = 1e-6  # false Page-Hinkley alarms a row, all streams together
_TOLERANCE = 0.17  # drift of a mean, in its standard deviations, that is no change
_UNKNOWN_DEVIATION = 0.5  # the most that values between 0 and 1 can have


class WatchSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How closely to watch.

    Attributes:
        window: Rows that are judged together.
        drift: What counts as drift of a window.
        detectors: Stream detectors to run: "adwin", "page_hinkley".
        delta: ADWIN's; see ``AdwinSettings``.
        calm: Windows without a signal after which an alarm is cleared.
        limit: Most rows of one call of ``observe`` that are looked at; the others are skipped
            evenly, and counted. ``None`` for all.
    """

    window: int = 500
    drift: DriftSettings = DriftSettings()
    detectors: tuple[str, ...] = ("adwin", "page_hinkley")
    delta: float = 1e-6
    calm: int = 5
    limit: int | None = None


class Block(msgspec.Struct):
    """Counts of a few rows, the first being row ``first``."""

    first: int
    rows: int = 0
    columns: dict[str, ColumnCounts] = {}
    predictions: dict[str, ColumnCounts] = {}


class WatchState(msgspec.Struct):
    """All that a ``Watch`` remembers."""

    rows: int
    skipped: int
    blocks: list[Block]
    book: AlarmBook
    marks: list[tuple[int, datetime]]
    adwin: AdwinState | None
    page_hinkley: PageHinkleyState | None


class Channel(msgspec.Struct, frozen=True):
    """One stream of numbers between 0 and 1: its topic, and the feature or model it is of."""

    topic: str
    name: str


class _Moment(NamedTuple):
    """What was noticed, by whom, and when."""

    topic: str
    name: str
    detector: str
    row: int
    since: int


class Watch:
    """Watches one version of a model.

    Attributes:
        rows: Rows seen, skipped ones included.
        skipped: Rows not looked at, because more came than ``limit``.
        last: What the latest window showed; ``None`` before the first.
    """

    def __init__(
        self,
        profile: Profile,
        schema: TableSchema | None = None,
        settings: WatchSettings | None = None,
        *,
        models: Sequence[str] = (),
    ) -> None:
        """Begin to watch.

        Args:
            profile: Of the version's training data.
            schema: Its features; tells rare categories from new ones.
            settings: How closely.
            models: Names of the models whose confidence and errors will be told.
        """
        self.settings = settings or WatchSettings()
        self.rows = self.skipped = 0
        self.last: WindowDrift | None = None
        self._profile = profile
        self._columns = {column.name: column for column in profile.columns}
        self._categories = seen_categories(schema)
        self._rankers = _rankers(profile)
        self._channels = [
            *self._rankers,
            *(Channel(topic, name) for name in models for topic in ("confidence", "errors")),
        ]
        self._step = max(1, self.settings.window // _BLOCKS)
        self._blocks = [Block(first=0)]
        self._book = AlarmBook(calm=self.settings.calm * self.settings.window)
        self._marks: list[tuple[int, datetime]] = []
        detectors = self.settings.detectors
        self._adwin = (
            Adwin(AdwinSettings(delta=self.settings.delta), len(self._channels))
            if "adwin" in detectors
            else None
        )
        self._page_hinkley = self._new_page_hinkley() if "page_hinkley" in detectors else None

    def _new_page_hinkley(self) -> PageHinkley:
        rate = _RATE / max(1, 2 * len(self._channels))
        settings, means = [], []
        for channel in self._channels:
            found = self._rankers.get(channel)
            deviation = _UNKNOWN_DEVIATION if found is None else found.deviation
            settings.append(settings_for(rate, deviation, _TOLERANCE * deviation, self._profile.rows))
            means.append(np.nan if found is None else found.mean)
        return PageHinkley(settings, np.array(means))

    def observe(
        self,
        columns: ColumnArrays,
        *,
        predictions: Mapping[str, np.ndarray] | None = None,
        confidence: Mapping[str, np.ndarray] | None = None,
        errors: Mapping[str, np.ndarray] | None = None,
        time: datetime | None = None,
        ids: Sequence[str] | None = None,
    ) -> list[Alarm]:
        """Take rows in the order they were answered.

        Args:
            columns: Column arrays [rows] of the features.
            predictions: Each model's answers [rows]: labels as text, or numbers.
            confidence: Each model's confidence [rows], between 0 and 1.
            errors: Each model's errors [rows], between 0 and 1; NaN where no label is known.
            time: When the first of them came, UTC.
            ids: What the rows are called in an alarm's examples.

        Returns:
            Alarms that were raised or cleared by these rows, in that order.
        """
        given = {"confidence": confidence or {}, "errors": errors or {}, "predictions": predictions or {}}
        total = _length(columns, given)
        if not total:
            return []
        keep = self._keep(total)
        columns = {name: values[keep] for name, values in columns.items()}
        told = {topic: {name: values[keep] for name, values in of.items()} for topic, of in given.items()}
        first = self.rows - self.skipped  # rows are counted as they are looked at
        taken = len(keep) if isinstance(keep, np.ndarray) else total
        self.rows += total
        self.skipped += total - taken
        if time is not None:
            self._marks = [*self._marks[-_MARKS:], (first, time.astimezone(UTC))]
        changes = self._stream(columns, told, taken)
        judged = self._count(columns, told["predictions"], first, taken)
        names = None if ids is None else [ids[place] for place in np.arange(total)[keep]]
        return self._alarms(changes, judged, first + taken - 1, columns, names)

    def _keep(self, total: int) -> Any:
        limit = self.settings.limit
        if limit is None or total <= limit:
            return slice(None)
        return np.linspace(0, total - 1, limit).astype(np.int64)

    def _stream(
        self, columns: ColumnArrays, told: Mapping[str, Mapping[str, np.ndarray]], rows: int
    ) -> list[Change]:
        """Feed the stream detectors."""
        if self._adwin is None and self._page_hinkley is None:
            return []
        values = np.full((rows, len(self._channels)), np.nan)
        for slot, channel in enumerate(self._channels):
            source = columns if channel.topic == "values" else told[channel.topic]
            if channel.name in source:
                found = self._rankers.get(channel)
                column = source[channel.name]
                values[:, slot] = np.asarray(column, np.float64) if found is None else found(column)
        changes = [] if self._adwin is None else self._adwin.update(values)
        return changes + ([] if self._page_hinkley is None else self._page_hinkley.update(values))

    def _count(
        self, columns: ColumnArrays, predictions: Mapping[str, np.ndarray], first: int, rows: int
    ) -> WindowDrift | None:
        """Count what can still be in the window; judge it if a block was completed."""
        start = max(0, rows - self.settings.window)
        if start:
            self._blocks = [Block(first=first + start)]
        completed = False
        while start < rows:
            block = self._blocks[-1]
            part = slice(start, min(rows, start + self._step - block.rows))
            self._add(block, columns, predictions, part)
            start = part.stop
            if block.rows == self._step:
                completed = True
                self._blocks = [*self._blocks[-_BLOCKS:], Block(first=first + start)]
        if not completed or len(self._blocks) <= _BLOCKS:
            return None
        self.last = self._compare(self._blocks[-_BLOCKS - 1 : -1])
        return self.last

    def _add(
        self, block: Block, columns: ColumnArrays, predictions: Mapping[str, np.ndarray], part: slice
    ) -> None:
        for name, values in columns.items():
            if name in self._columns:
                counted = count(self._columns[name], values[part], self._categories.get(name))
                block.columns[name] = _added(block.columns.get(name), counted)
        for name, values in predictions.items():
            if name in self._profile.predictions:
                counted = count(self._profile.predictions[name], values[part])
                block.predictions[name] = _added(block.predictions.get(name), counted)
        block.rows += part.stop - part.start

    def _compare(self, blocks: Sequence[Block]) -> WindowDrift:
        merged: tuple[dict[str, ColumnCounts], dict[str, ColumnCounts]] = ({}, {})
        for block in blocks:
            for into, counts in zip(merged, (block.columns, block.predictions), strict=True):
                for name, each in counts.items():
                    into[name] = _added(into.get(name), each)
        return compare(self._profile, merged[0], predictions=merged[1], settings=self.settings.drift)

    def _alarms(
        self,
        changes: Sequence[Change],
        judged: WindowDrift | None,
        row: int,
        columns: ColumnArrays,
        ids: Sequence[str] | None,
    ) -> list[Alarm]:
        raised: list[Alarm] = []
        for change in sorted(changes, key=lambda change: change.row):
            channel = self._channels[change.channel]
            if not self._book.stands(channel.topic, channel.name, row):
                at = _Moment(channel.topic, channel.name, change.detector, change.row, change.since)
                found = self._finding(channel, change.since)
                said = _streamed(channel, change) if found is None else wording.sentence(found)
                raised.append(self._raise(at, said, found))
        for finding in judged.findings if judged is not None else ():
            topic = _topic_of(finding)
            if self._signalled(finding, topic, row):
                at = _Moment(topic, finding.name, "window", row, self._blocks[-_BLOCKS - 1].first)
                raised.append(self._raise(at, wording.sentence(finding), finding))
        shown = [self._with_examples(alarm, columns, ids) for alarm in raised]
        return [*shown, *self._book.clear(row, self._time_of(row))]

    def _signalled(self, finding: Finding, topic: str, row: int) -> bool:
        """Whether this is a new alarm; a standing one is kept up by half of what raised it."""
        if finding.drifted:
            return not self._book.stands(topic, finding.name, row)
        if finding.p_value < self.settings.drift.level and abs(finding.size) >= finding.threshold / 2:
            self._book.stands(topic, finding.name, row)
        return False

    def _raise(self, at: _Moment, said: str, finding: Finding | None) -> Alarm:
        when = self._time_of(at.since)
        moment = f", {when:%Y-%m-%d %H:%M} UTC" if when is not None else ""
        alarm = Alarm(
            name=at.name,
            topic=at.topic,
            message=f"{said.rstrip('.')}, since about row {at.since:,}{moment}.",
            detectors=(at.detector,),
            row=at.row,
            since=at.since,
            time=self._time_of(at.row),
            since_time=when,
            finding=finding,
        )
        self._book.raise_(alarm)
        return alarm

    def _finding(self, channel: Channel, since: int) -> Finding | None:
        """The comparison of the rows since a change with training, if there are counts of them."""
        if channel.topic not in ("values", "predictions"):
            return None
        after = [block for block in self._blocks if block.rows and block.first + self._step // 2 >= since]
        drift = self._compare(after or [block for block in self._blocks if block.rows][-2:])
        return next(
            (
                finding
                for finding in drift.findings
                if finding.name == channel.name
                and finding.topic == "values"
                and finding.prediction == (channel.topic == "predictions")
            ),
            None,
        )

    def _with_examples(self, alarm: Alarm, columns: ColumnArrays, ids: Sequence[str] | None) -> Alarm:
        profile = self._columns.get(alarm.name)
        if alarm.finding is None or alarm.finding.prediction or profile is None or alarm.name not in columns:
            return alarm
        rows = example_rows(profile, alarm.finding, columns, ids=ids)
        shown = msgspec.structs.replace(alarm, examples=rows)
        self._book.amend(shown)
        return shown

    def _time_of(self, row: int) -> datetime | None:
        return next((time for first, time in reversed(self._marks) if first <= row), None)

    def standing(self) -> list[Alarm]:
        """The alarms that are raised now."""
        return [held.alarm for held in self._book.standing.values()]

    def counts(self, name: str, *, prediction: bool = False) -> ColumnCounts | None:
        """Counts of a feature, or of a model's answers, in the newest blocks; ``None`` without rows."""
        found: ColumnCounts | None = None
        for block in self._blocks[-_BLOCKS - 1 :]:
            each = (block.predictions if prediction else block.columns).get(name)
            if each is not None:
                found = _added(found, each)
        return found

    def state(self) -> WatchState:
        """What has to be kept to go on later."""
        return WatchState(
            rows=self.rows,
            skipped=self.skipped,
            blocks=self._blocks,
            book=self._book,
            marks=self._marks,
            adwin=None if self._adwin is None else self._adwin.state(),
            page_hinkley=None if self._page_hinkley is None else self._page_hinkley.state(),
        )

    def restore(self, state: WatchState) -> None:
        """Go on where ``state`` was taken, by a watch of the same profile, settings and models."""
        self.rows, self.skipped = state.rows, state.skipped
        self._blocks, self._book, self._marks = list(state.blocks), state.book, list(state.marks)
        if self._adwin is not None and state.adwin is not None:
            self._adwin = Adwin.restored(state.adwin)
        if self._page_hinkley is not None and state.page_hinkley is not None:
            self._page_hinkley = PageHinkley.restored(state.page_hinkley)


def _rankers(profile: Profile) -> dict[Channel, Ranker]:
    named: list[tuple[Channel, ColumnProfile]] = [
        *((Channel("values", column.name), column) for column in profile.columns),
        *((Channel("predictions", name), column) for name, column in profile.predictions.items()),
    ]
    made = ((channel, ranker(column)) for channel, column in named)
    return {channel: found for channel, found in made if found is not None}


def _length(columns: ColumnArrays, given: Mapping[str, Mapping[str, np.ndarray]]) -> int:
    return next((len(values) for of in (columns, *given.values()) for values in of.values()), 0)


def _added(first: ColumnCounts | None, second: ColumnCounts) -> ColumnCounts:
    return second if first is None else add(first, second)


def _topic_of(finding: Finding) -> str:
    """What an alarm is about; numbers beyond their range are changed values, no matter of their own."""
    if finding.prediction:
        return "predictions"
    if finding.topic is Topic.UNSEEN and not finding.about:
        return Topic.VALUES.value
    return finding.topic.value


def _streamed(channel: Channel, change: Change) -> str:
    """A sentence on a stream that no profile tells of."""
    what = {"confidence": "The confidence of ", "errors": "The mean error of "}.get(channel.topic, "")
    way = "rose" if change.up else "fell"
    means = f"from {wording.number(change.before)} to {wording.number(change.now)}"
    return f"{what}'{channel.name}' {way} {means}"
