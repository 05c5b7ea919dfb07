"""The steps of a training, from a project to its published version. Loads the training libraries."""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass, field

import pyarrow as pa

from modelwright.project.load import Project
from modelwright.project.settings import Settings
from modelwright.store.ports import Store
from modelwright.train.catalogue import candidates_of
from modelwright.train.compete import compete
from modelwright.train.fingerprint import combined
from modelwright.train.outcome import Outcome
from modelwright.train.package import Made
from modelwright.train.parts import Part, parts_of
from modelwright.train.prepare import Dataset, prepare, read
from modelwright.train.progress import Progress, Stage
from modelwright.train.publish import Publisher
from modelwright.train.track import Tracker


@dataclass
class Session:
    """One training; the project's lock is held and the tracker open.

    Attributes:
        project, store, progress, settings, tracker: As given to ``train_project``.
        datasets: What was read, by source, until it is encoded.
    """

    project: Project
    store: Store
    progress: Progress
    settings: Settings
    tracker: Tracker
    datasets: dict[str, Dataset] = field(default_factory=dict)

    def run(self, *, release: bool, actor: str, started: float, compare: bool = True) -> Outcome:
        """All steps, in order; ``started`` is when the command did, seconds since the epoch."""
        parts = parts_of(self.project.file)
        # Every candidate is built before anything else: a misspelt setting must not cost a training.
        candidates = {
            part.name: candidates_of(part.train.candidates, part.task, seed=part.data.split.seed)
            for part in parts
        }
        prepared = [prepare(self._read(part), part, self.project, self.progress) for part in parts]
        md5 = combined([dataset.version.md5 for dataset in self.datasets.values()])
        self.datasets.clear()  # the rows are encoded: the tables need not lie beside them
        pa.default_memory_pool().release_unused()
        self.progress.stage(Stage.TRAIN)
        models = []
        for rows in prepared:
            self.tracker.raise_if_failed()
            wanted = candidates[rows.part.name]
            contest = compete(wanted, rows.material, rows.proof, rows.part.train, self.progress)
            models.append(Made(rows, contest))
        publisher = Publisher(
            project=self.project,
            store=self.store,
            settings=self.settings,
            progress=self.progress,
            tracker=self.tracker,
            dataset_md5=md5,
            started=started,
            compare=compare,
        )
        outcome = publisher.publish(models, release=release, actor=actor)
        return dataclasses.replace(outcome, seconds=time.time() - started)

    def _read(self, part: Part) -> Dataset:
        """The part's data; parts with the same source share it."""
        key = str(part.data.source)
        if key not in self.datasets:
            self.datasets[key] = read(part.data.source, part, self.project, self.progress)
        return self.datasets[key]
