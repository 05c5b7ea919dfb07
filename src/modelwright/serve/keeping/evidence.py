"""What is known of a rollout's step: what either version answered, and both on rows whose truth came.

A row that one of the two did not answer is put to it here, from its bundle, so that both are always
measured on the same rows. Only a version in its shadow time is judged by what it did say.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from modelwright.bundle.read import BundleInvalid, open_bundle, verify
from modelwright.errors import ModelwrightError
from modelwright.monitor.beside import Beside, LiveRow, compare
from modelwright.monitor.releasing import Phase, Stage
from modelwright.monitor.rollout import Seen, Tally, looked_at
from modelwright.serve.wording import shadow_id
from modelwright.store import clock
from modelwright.store.ports import Store
from modelwright.store.records import LabelRecord, PredictionRecord, ReleaseRecord

logger = logging.getLogger(__name__)

MOST_ANSWERS = 1_000
"""Answers of a version that are counted at a look, the newest ones."""
MOST_LABELS = 5_000
_PAGE = 1_000
_ANSWERED = 200
_FAULT = 500


class Evidence:
    """Looks at one project's rollouts; what was compared is not compared again.

    Args:
        store: The log and the labels.
        project: Whose.
        work_dir: Where relative bundle folders start.
    """

    def __init__(self, store: Store, project: str, work_dir: Path) -> None:
        self._store = store
        self._project = project
        self._work_dir = work_dir
        self._compared: tuple[tuple[int, int], dict[str, Beside]] = ((0, 0), {})

    def __call__(self, stage: Stage, release: ReleaseRecord) -> Seen:
        """What is known of ``stage``, which ``release`` began."""
        since = release.released if stage.phase is Phase.CANARY else stage.began
        rows = self._labelled(stage)
        return Seen(
            seconds=(clock.now() - release.released).total_seconds(),
            challenger=self._tally(stage.version, since, shadow=stage.phase is Phase.SHADOW),
            champion=self._tally(stage.before, stage.began, shadow=False),
            models=self._beside(stage, release, rows),
            labels=len(rows),
        )

    def sound(self, version: int) -> None:
        """See that a version's bundle is the registered one.

        Raises:
            BundleInvalid: It is not, or there is no such version.
        """
        record = self._store.versions.get(self._project, version)
        if record is None:
            raise BundleInvalid(f"There is no version {version}.", "See: modelwright versions")
        if verify(self._work_dir / record.bundle).content_hash != record.content_hash:
            raise BundleInvalid(
                f"The bundle of version {version} is not the one that was registered.",
                "Restore it from where it was made.",
            )

    def _tally(self, version: int, since: datetime, *, shadow: bool) -> Tally:
        found = self._store.predictions.history(
            self._project, version=version, since=since, limit=MOST_ANSWERS
        )
        mine = [record for record in found if (record.role == "challenger") == shadow]
        # On the side it was given rows that the champion had answered, so every refusal is its own.
        failed = [record for record in mine if record.status >= (_ANSWERED + 1 if shadow else _FAULT)]
        return Tally(
            answers=len(mine),
            failed=len(failed),
            latency=float(np.quantile([record.latency for record in mine], 0.95)) if mine else None,
        )

    def _labelled(self, stage: Stage) -> list[tuple[PredictionRecord, LabelRecord]]:
        """The rows of this rollout whose truth came, in the order in which it came."""
        found: list[tuple[PredictionRecord, LabelRecord]] = []
        for page in self._pages(stage.began):
            truths = self._store.labels.latest(self._project, [record.id for record in page])
            found += [(record, truths[record.id]) for record in page if record.id in truths]
        versions = {stage.version, stage.before}
        kept = [
            (record, truth)
            for record, truth in found
            if record.version in versions and record.status == _ANSWERED and isinstance(record.inputs, dict)
        ]
        if stage.phase is Phase.SHADOW:
            said = self._said(stage.version, [record.id for record, _ in kept])
            kept = [(record, truth) for record, truth in kept if record.id in said]
        return sorted(kept, key=lambda each: (each[1].received, each[0].id))

    def _pages(self, since: datetime) -> Iterator[Sequence[PredictionRecord]]:
        before: str | None = None
        for _ in range(MOST_LABELS // _PAGE):
            page = self._store.predictions.history(
                self._project, labelled=True, since=since, limit=_PAGE, before=before
            )
            if page:
                yield page
            if len(page) < _PAGE:
                return
            before = page[-1].id

    def _said(self, version: int, ids: Iterable[str]) -> dict[str, PredictionRecord]:
        """What a version in its shadow time said beside these predictions."""
        names = {shadow_id(id, version): id for id in ids}
        records = self._store.predictions.get_many(self._project, list(names))
        return {names[id]: record for id, record in records.items() if record.status == _ANSWERED}

    def _beside(
        self, stage: Stage, release: ReleaseRecord, rows: Sequence[tuple[PredictionRecord, LabelRecord]]
    ) -> dict[str, Beside]:
        count = _count(stage, rows)
        if not count or not stage.plan.models:
            return {}
        if self._compared[0] != (release.sequence, count):
            try:
                self._compared = ((release.sequence, count), self._compare(stage, rows[:count]))
            except ModelwrightError as error:  # a bundle that is gone: the rest is judged without
                logger.error("Versions of %s cannot be compared on live rows: %s", self._project, error)
                self._compared = ((release.sequence, count), {})
        return self._compared[1]

    def _compare(
        self, stage: Stage, rows: Sequence[tuple[PredictionRecord, LabelRecord]]
    ) -> dict[str, Beside]:
        one, other = (self._bundle(version) for version in (stage.version, stage.before))
        records = [record for record, _ in rows]
        said = self._said(stage.version, [record.id for record in records])
        mine = self._answers(stage.version, one, records, said)
        theirs = self._answers(stage.before, other, records, {})
        live = [
            LiveRow(truth.target, mine[record.id], theirs[record.id])
            for record, truth in rows
            if record.id in mine and record.id in theirs
        ]
        entries = (verify(one).models, verify(other).models)
        named = [{entry.name: entry for entry in each} for each in entries]
        found = {}
        for name, measure in stage.plan.models.items():
            if name in named[0] and name in named[1]:
                pair = (named[0][name], named[1][name])
                beside = compare(live, pair, measure.metric, several=len(named[0]) > 1)
                if beside is not None:
                    found[name] = beside
        return found

    def _bundle(self, version: int) -> Path:
        record = self._store.versions.get(self._project, version)
        assert record is not None  # noqa: S101 - it was released
        return self._work_dir / record.bundle

    def _answers(
        self,
        version: int,
        bundle: Path,
        records: Sequence[PredictionRecord],
        said: Mapping[str, PredictionRecord],
    ) -> dict[str, dict[str, Any]]:
        """A version's answers by prediction id, those it was not asked for made now."""
        found = {record.id: record.outputs for record in records if record.version == version}
        found |= {id: record.outputs for id, record in said.items()}
        lacking = [record for record in records if record.id not in found]
        return found | _replayed(bundle, lacking)


def _count(stage: Stage, rows: Sequence[Any]) -> int:
    """How many of the labelled rows this look is at."""
    if stage.phase is Phase.SHADOW:
        return len(rows) if len(rows) >= stage.plan.shadow.labels else 0
    watch = stage.plan.watch
    least = watch.labels if stage.phase is Phase.WATCH and watch is not None else stage.plan.canary.labels
    return looked_at(len(rows), least)


def _replayed(path: Path, records: Sequence[PredictionRecord]) -> dict[str, dict[str, Any]]:
    """What a bundle answers to logged rows, as the log has answers; rows it refuses are left out."""
    if not records:
        return {}
    bundle = open_bundle(path)
    reading = bundle.rows.read([record.inputs for record in records])
    refused = {error.row for error in reading.errors}
    kept = [place for place in range(len(records)) if place not in refused]
    columns = {name: values[kept] for name, values in reading.columns.items()}
    answers = {name: msgspec.to_builtins(each) for name, each in bundle.answer(columns).items()}
    if len(answers) == 1:
        (only,) = answers.values()
        return {records[place].id: only[line] for line, place in enumerate(kept)}
    return {
        records[place].id: {"outputs": {name: each[line] for name, each in answers.items()}}
        for line, place in enumerate(kept)
    }
