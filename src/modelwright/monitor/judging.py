"""Judges live quality as labels come: the champion's, and that of whoever answers beside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from time import perf_counter

import msgspec

from modelwright.bundle.read import Description
from modelwright.monitor.drift import read_profile
from modelwright.monitor.following import Following
from modelwright.monitor.live import Looked, estimated, live_quality
from modelwright.monitor.memory import Memory
from modelwright.monitor.standing import QualityView
from modelwright.monitor.thresholds import Effective
from modelwright.schema.catalogue import METRICS
from modelwright.schema.metrics import Metric, Task
from modelwright.store.ports import Store
from modelwright.store.records import WindowRecord

_LABELS = 1_000
_BATCHES = 20
_ALWAYS = timedelta(seconds=60)
_ESTIMATE = timedelta(seconds=10)
_SHARE = 10  # large windows are dear: a tenth of the time at most goes into judging
_STEP = 5  # a window is written down when a fifth of it is new

Metrics = dict[str, Metric]


class Judging:
    """Judges quality.

    Args:
        store, project: Where the log is.
        pace: Least time between two judgements.
        now: The present time.

    Attributes:
        beside: Bundles of a canary or a shadow.
        views: What was found last, the champion's first.
    """

    def __init__(self, store: Store, project: str, *, pace: timedelta, now: Callable[[], datetime]) -> None:
        self._store = store
        self._project = project
        self._pace = pace
        self._now = now
        self.beside: Sequence[Description] = ()
        self.views: tuple[QualityView, ...] = ()
        self._new = 1  # judge once at the start
        self._rest = timedelta(0)
        self._unwritten = self._predicted = 0
        self._judged: datetime | None = None
        self._written: datetime | None = None
        self._estimates: dict[tuple[int, str], Metrics] = {}
        self._estimated: datetime | None = None

    def predicted(self, rows: int, effective: Effective) -> None:
        """So many predictions came: now and then what is estimated without labels is estimated anew."""
        self._predicted += rows
        rested = self._judged is None or self._now() - self._judged >= _ESTIMATE
        if rested and self._predicted >= max(1, effective.monitor.window // _STEP):
            self._predicted, self._new = 0, self._new + 1

    def labels(self, following: Following, memory: Memory) -> None:
        """Read the labels that joined since."""
        for _ in range(_BATCHES):
            told = self._store.labels.joined(self._project, after=memory.joined, limit=_LABELS)
            if not told:
                return
            predictions = self._store.predictions.get_many(
                self._project, [label.prediction_id for _, label in told]
            )
            pairs = [
                (label, predictions[label.prediction_id])
                for _, label in told
                if label.prediction_id in predictions
            ]
            following.take_labels(pairs)
            time, label = told[-1]
            memory.joined = (time, label.sequence)
            self._new += len(told)
            self._unwritten += len(told)
            if len(told) < _LABELS:
                return

    def judge(self, following: Following, memory: Memory, effective: Effective) -> None:
        """Measure again where labels came, at most as often as the pace says."""
        now = self._now()
        waited = self._judged is None or now - self._judged >= max(self._pace, self._rest)
        if not self._new or not waited:
            return
        begun = perf_counter()
        self._new, self._judged = 0, now
        described = [following.description, *self.beside]
        records: list[WindowRecord] = []
        again = self._estimated is None or now - self._estimated >= _ESTIMATE
        for description in described:
            records += self._measure(description, effective, estimate=again)
        self._estimated = now if again else self._estimated
        self.views = tuple(self._view(record, effective) for record in records)
        self._alarm(following, effective, now)
        self._rest = timedelta(seconds=_SHARE * (perf_counter() - begun))
        step = max(1, effective.quality_window // _STEP)
        if records and self._due(step, now):
            memory.outbox_windows += records
            self._unwritten, self._written = 0, now

    def _due(self, step: int, now: datetime) -> bool:
        if self._written is None or self._unwritten >= step:
            return True
        return self._unwritten > 0 and now - self._written >= _ALWAYS

    def _measure(
        self, description: Description, effective: Effective, *, estimate: bool
    ) -> list[WindowRecord]:
        looked = Looked(
            self._store,
            self._project,
            description,
            read_profile(description.reference),
            effective.quality_window,
            tuple(effective.monitor.segments),
            beside=description in self.beside,
        )
        records = live_quality(looked)
        if not estimate:
            return records
        return [self._estimated_too(looked, record) for record in records]

    def _estimated_too(self, looked: Looked, record: WindowRecord) -> WindowRecord:
        entry = next(each for each in looked.description.manifest.models if each.name == record.model)
        found = estimated(looked, entry)
        if found is None:
            return record
        self._estimates[record.version, record.model] = msgspec.convert(found["metrics"], Metrics)
        return msgspec.structs.replace(record, data=record.data | {"estimate": found})

    def _view(self, record: WindowRecord, effective: Effective) -> QualityView:
        metrics = msgspec.convert(record.data["metrics"], Metrics)
        covered = record.data["coverage"]
        below = beyond(Task(record.data["task"]), metrics, effective.floors) if record.data["full"] else ()
        return QualityView(
            version=record.version,
            model=record.model,
            rows=record.rows,
            window=effective.quality_window,
            until=record.until,
            metrics=metrics,
            estimate=self._estimates.get((record.version, record.model), {}),
            labelled=covered["labelled"],
            predictions=covered["predictions"],
            below=below,
        )

    def _alarm(self, following: Following, effective: Effective, now: datetime) -> None:
        """Raise what fell below its floor, take back what is above it again."""
        version = following.description.manifest.version
        for view in self.views:
            if view.version != version:
                continue
            for name, floor in effective.floors.items():
                if name not in view.metrics:
                    continue
                subject = name if view.model == "model" else f"{view.model} {name}"
                key = f"floor {subject}"
                if name in view.below and key not in {f"{a.topic} {a.name}" for a in following.standing()}:
                    metric = view.metrics[name]
                    message = (
                        f"{subject} is {metric.value:.3f} over the newest {view.rows:,} labelled predictions "
                        f"({metric.low:.3f} to {metric.high:.3f}); the floor is {floor:g}."
                    )
                    data = {"metric": name, "model": view.model, "value": metric.value, "low": metric.low}
                    more = {"high": metric.high, "floor": floor, "rows": view.rows}
                    following.raise_("floor", subject, message, now, **data, **more)
                elif view.full and name not in view.below:
                    following.settle("floor", subject, now)


def beyond(task: Task, metrics: Metrics, floors: dict[str, float]) -> tuple[str, ...]:
    """Metrics whose whole interval is worse than their floor.

    Args:
        task: Says in which direction a metric is better.
        metrics: With intervals.
        floors: Least values, or most where less is better.
    """
    known = METRICS[task]
    return tuple(
        name
        for name, floor in floors.items()
        if name in metrics
        and name in known
        and (metrics[name].high < floor if known[name].higher_is_better else metrics[name].low > floor)
    )
