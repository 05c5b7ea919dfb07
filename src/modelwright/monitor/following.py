"""Drift of a version's live predictions: rows in the order of the log, alarms and windows out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from modelwright.bundle.answers import called
from modelwright.bundle.format import ModelEntry
from modelwright.bundle.read import Description
from modelwright.errors import StorageFailure
from modelwright.monitor import wording
from modelwright.monitor.alarms import Alarm
from modelwright.monitor.answered import Answered, number, read_answered
from modelwright.monitor.drawing import picture, shares, write_picture
from modelwright.monitor.drift import DriftSettings, WindowDrift
from modelwright.monitor.memory import Memory, Note
from modelwright.monitor.standing import DriftView, StandingAlarm
from modelwright.monitor.thresholds import Effective
from modelwright.monitor.together import separation
from modelwright.monitor.watch import Watch, WatchSettings
from modelwright.schema.metrics import Task
from modelwright.schema.profile import ColumnProfile, Profile
from modelwright.store.records import LabelRecord, PredictionRecord, WindowRecord

DRIFT = "drift"
KINDS = {"missing": "alarm", "unseen": "alarm", "errors": "quality", "floor": "quality"}
"""Kind of event by an alarm's topic; all others are "drift"."""
TOGETHER = ("together", "all features")
_RECORD = timedelta(seconds=10)  # between two windows that are written down, unless an alarm is raised
# One stream a model, where features have many: so it may look closer. No false alarm in fifteen million rows.
_ERRORS_DELTA = 1e-3
_TOGETHER_LEVEL = 1e-5
_CALM = 5
_SPREAD = 3.0


class Following:
    """Watches one version's stream; ``memory`` holds all it must remember.

    Args:
        project: Whose.
        description: The version's bundle.
        profile: Of its training data.
        effective: The thresholds that hold.
        memory: Of the same version, or new; written to.
        pictures: Folder for pictures of alarms.
    """

    def __init__(
        self,
        project: str,
        description: Description,
        profile: Profile,
        effective: Effective,
        memory: Memory,
        *,
        pictures: Path,
    ) -> None:
        self.description = description
        self.profile = profile
        self._project = project
        self._memory = memory
        self._pictures = pictures
        self._models = description.manifest.models
        settings = watch_settings(effective, self._models)
        names = [entry.name for entry in self._models]
        self.watch = Watch(profile, description.schema.features, settings, models=names)
        nothing = Profile(rows=profile.rows, columns=())
        of_errors = msgspec.structs.replace(settings, delta=_ERRORS_DELTA)
        self.errors = Watch(nothing, None, of_errors, models=names)
        if memory.watch is not None:
            self.watch.restore(memory.watch)
        if memory.errors is not None:
            self.errors.restore(memory.errors)
        self._recorded: datetime | None = None
        self._newest = Answered()

    def tune(self, effective: Effective) -> None:
        """Let thresholds hold that were set since."""
        self.watch.settings = watch_settings(effective, self._models)

    def take(self, records: Sequence[PredictionRecord]) -> None:
        """Look at predictions, the oldest first; others than this version's are passed over."""
        own = [record for record in records if record.version == self.description.manifest.version]
        self.watch_rows(read_answered(self.description, own))

    def watch_rows(self, rows: Answered) -> None:
        """Look at this version's answered rows, the oldest first."""
        if len(rows):
            alarms = self.watch.observe(
                rows.columns,
                predictions=rows.predictions(self._models),
                confidence=rows.confidence(self._models),
                time=rows.times[0],
                ids=rows.ids,
            )
            self._newest = rows
            self._note(alarms, rows.times[-1])
            self._window(rows, told=any(not alarm.cleared for alarm in alarms))
        self._memory.watch = self.watch.state()

    def take_labels(self, labelled: Sequence[tuple[LabelRecord, PredictionRecord]]) -> None:
        """Look at truths in the order they came, with their predictions."""
        own = [pair for pair in labelled if pair[1].version == self.description.manifest.version]
        rows = read_answered(self.description, [record for _, record in own])
        targets = {label.prediction_id: label.target for label, _ in own}
        self.watch_truths(rows, targets, *((own[0][0].received, own[-1][0].received) if own else ()))

    def watch_truths(self, rows: Answered, targets: dict[str, Any], *when: datetime) -> None:
        """Look at rows whose truth is known by their ids; ``when`` the first and the last of it came."""
        if len(rows):
            errors = {entry.name: self._errors(entry.name, rows, targets) for entry in self._models}
            alarms = self.errors.observe({}, errors=errors, time=when[0])
            self._note(alarms, when[-1])
        self._memory.errors = self.errors.state()

    def compare_together(
        self, earlier: Sequence[PredictionRecord], newer: Sequence[PredictionRecord]
    ) -> None:
        """Tell this version's newer rows from its first ones, all features together.

        Not while a feature's own alarm stands: that says more.
        """
        self.tell_apart(*(read_answered(self.description, rows) for rows in (earlier, newer)))

    def tell_apart(self, before: Answered, now: Answered) -> None:
        """As ``compare_together``, of rows that were read."""
        if not len(before) or not len(now):
            return
        found = separation(before.columns, now.columns, level=_TOGETHER_LEVEL)
        topic, name = TOGETHER
        key = f"{topic} {name}"
        memory = self._memory
        drifted = found is not None and found.drifted
        memory.calm = 0 if drifted else memory.calm + 1
        if key in memory.standing:
            if memory.calm >= _CALM:
                self._settle(key, now.times[-1])
            return
        if found is None or not found.drifted or self._features_alarmed():
            return
        leading = ", ".join(f"'{each}'" for each in found.leading)
        message = (
            f"All features together: a classifier tells the newest {found.rows:,} rows from the first "
            f"{found.rows_before:,} of this version (AUC {found.auc:.2f}), most by {leading}."
        )
        data = {"auc": found.auc, "p_value": found.p_value, "leading": list(found.leading)}
        self.raise_(topic, name, message, now.times[-1], **data)

    def raise_(self, topic: str, name: str, message: str, when: datetime, **data: Any) -> None:
        """An alarm that is not the detectors' own; told once, until ``settle``."""
        kind = KINDS.get(topic, DRIFT)
        version = self.description.manifest.version
        self._memory.standing[f"{topic} {name}"] = StandingAlarm(
            kind=kind, topic=topic, name=name, message=message, version=version, raised=when
        )
        self._memory.outbox_events.append(
            Note(kind=kind, message=message, data=self._data(topic, name, when.isoformat()) | data)
        )

    def settle(self, topic: str, name: str, when: datetime) -> None:
        """Take such an alarm back, if it stands."""
        if f"{topic} {name}" in self._memory.standing:
            self._settle(f"{topic} {name}", when)

    def standing(self) -> list[StandingAlarm]:
        """All alarms that are raised now."""
        version = self.description.manifest.version
        watched = [*self.watch.standing(), *self.errors.standing()]
        return [
            *(
                StandingAlarm(
                    kind=KINDS.get(alarm.topic, DRIFT),
                    topic=alarm.topic,
                    name=alarm.name,
                    message=alarm.message,
                    version=version,
                    raised=alarm.time or alarm.since_time or datetime.min,
                    since=alarm.since_time,
                )
                for alarm in watched
            ),
            *self._memory.standing.values(),
        ]

    def _settle(self, key: str, when: datetime) -> None:
        alarm = self._memory.standing.pop(key)
        data = self._data(alarm.topic, alarm.name, f"over {when.isoformat()}") | {"cleared": True}
        self._memory.outbox_events.append(
            Note(kind=f"{alarm.kind}_over", message=f"Over: {alarm.message}", data=data)
        )

    def _features_alarmed(self) -> bool:
        return any(alarm.topic in {"values", "missing", "unseen"} for alarm in self.watch.standing())

    def _errors(self, name: str, rows: Answered, targets: dict[str, Any]) -> np.ndarray:
        """Errors between 0 and 1: wrong or right, or a distance in training's standard deviations."""
        entry = next(each for each in self._models if each.name == name)
        told = [targets[id] for id in rows.ids]
        if len(self._models) > 1:
            told = [each.get(name) if isinstance(each, dict) else None for each in told]
        answers = rows.predictions([entry])[name]
        if entry.task is Task.CLASSIFICATION:
            wrong = [None if t is None else str(t) != a for t, a in zip(told, answers, strict=True)]
            return np.array([np.nan if each is None else float(each) for each in wrong], dtype=np.float64)
        if entry.task is Task.CLUSTERING:
            return np.full(len(rows), np.nan)
        spread = self.profile.target.std if self.profile.target is not None else None
        truth = np.array([number(each) for each in told], dtype=np.float64)
        return np.asarray(np.minimum(np.abs(truth - answers) / (_SPREAD * (spread or 1.0)), 1.0))

    def _note(self, alarms: Sequence[Alarm], when: datetime) -> None:
        for alarm in alarms:
            kind = KINDS.get(alarm.topic, DRIFT)
            mark = f"over {alarm.row}" if alarm.cleared else str(alarm.row)
            data = self._data(alarm.topic, alarm.name, mark) | _evidence(alarm)
            if alarm.cleared:
                data["cleared"] = True
            else:
                data |= self._drawn(alarm, data["id"])
            data.setdefault("time", when.isoformat())
            self._memory.outbox_events.append(
                Note(kind=f"{kind}_over" if alarm.cleared else kind, message=alarm.message, data=data)
            )

    def _data(self, topic: str, name: str, mark: str) -> dict[str, Any]:
        version = self.description.manifest.version
        return {"id": f"v{version} {topic} {name} {mark}", "topic": topic, "name": name, "version": version}

    def _drawn(self, alarm: Alarm, id: str) -> dict[str, Any]:
        """What the picture shows, and where it lies; a full disk costs the picture only."""
        profile = self._profile_of(alarm)
        counts = self.watch.counts(alarm.name, prediction=alarm.topic == "predictions")
        if profile is None or counts is None or not (profile.edges or profile.categories):
            return {}
        told = shares(profile, counts)
        try:
            path = write_picture(self._pictures, id, picture(alarm.message, told))
        except StorageFailure:
            return {"shares": told}
        return {"shares": told, "picture": f"{path.parent.name}/{path.name}"}

    def _profile_of(self, alarm: Alarm) -> ColumnProfile | None:
        if alarm.topic == "predictions":
            return self.profile.predictions.get(alarm.name)
        return next((column for column in self.profile.columns if column.name == alarm.name), None)

    def _window(self, rows: Answered, *, told: bool) -> None:
        """Write a judged window down: with an alarm at once, else from time to time."""
        last, until = self.watch.last, rows.times[-1]
        if last is None or not last.judged:
            return
        view = drift_view(self.description.manifest.version, last, until)
        if view == self._memory.drift:
            return
        self._memory.drift = view
        if not told and self._recorded is not None and until - self._recorded < _RECORD:
            return
        since = self._recorded or rows.times[0]
        self._recorded = until
        self._memory.outbox_windows.append(
            WindowRecord(
                project=self._project,
                kind=DRIFT,
                version=view.version,
                since=min(since, until),
                until=until,
                rows=last.rows,
                data=_drift_data(last),
            )
        )


def watch_settings(effective: Effective, models: Sequence[ModelEntry]) -> WatchSettings:
    """How closely to watch, and what the labels of the models are called."""
    monitor = effective.monitor
    return WatchSettings(
        window=monitor.window,
        drift=DriftSettings(psi=monitor.drift.psi, names={entry.name: called(entry) for entry in models}),
        detectors=tuple(monitor.drift.detectors),
    )


def drift_view(version: int, drift: WindowDrift, until: datetime) -> DriftView:
    """The newest window in short."""
    sizes: dict[bool, dict[str, float]] = {True: {}, False: {}}
    for finding in drift.findings:
        if finding.topic == "values":
            sizes[finding.prediction][finding.name] = finding.size
    names = dict.fromkeys(finding.name for finding in drift.drifted if not finding.prediction)
    return DriftView(
        version=version,
        rows=drift.rows,
        until=until,
        features=sizes[False],
        predictions=sizes[True],
        drifted=tuple(names),
    )


def _drift_data(drift: WindowDrift) -> dict[str, Any]:
    return {
        "message": wording.summary(drift),
        "drifted": bool(drift.drifted),
        "findings": msgspec.to_builtins(drift.findings),
        "untested": list(drift.untested),
    }


def _evidence(alarm: Alarm) -> dict[str, Any]:
    told: dict[str, Any] = msgspec.to_builtins(alarm)
    for name in ("message", "name", "topic", "cleared"):
        told.pop(name, None)
    return told
