"""The steps of a training, from a project to its published version. Loads the training libraries."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass

import pyarrow as pa

from modelwright.project.load import Project
from modelwright.project.model import SqlSource
from modelwright.project.settings import Settings
from modelwright.schema.columns import Kind
from modelwright.schema.metrics import Task
from modelwright.store.ports import Store
from modelwright.train.catalogue import Candidate, candidates_of, defaults_for
from modelwright.train.compete import compete
from modelwright.train.outcome import Outcome
from modelwright.train.package import Made
from modelwright.train.parts import Part, parts_of
from modelwright.train.prepare import Dataset, Prepared, prepare, read
from modelwright.train.progress import Progress, Stage
from modelwright.train.publish import Publisher
from modelwright.train.recipe import Source, source_of
from modelwright.train.track import Tracker

Read = Callable[[str | SqlSource, Part, Project, Progress], Dataset]


@dataclass
class Session:
    """One training; the project's lock is held and the tracker open.

    Attributes:
        project, store, progress, settings, tracker: As given to ``train_project``.
    """

    project: Project
    store: Store
    progress: Progress
    settings: Settings
    tracker: Tracker

    def run(self, *, release: bool, actor: str, started: float, compare: bool = True) -> Outcome:
        """All steps, in order; ``started`` is when the command did, seconds since the epoch."""
        models, sources = make(
            self.project, read=read, progress=self.progress, watch=self.tracker.raise_if_failed
        )
        publisher = Publisher(
            project=self.project,
            store=self.store,
            settings=self.settings,
            progress=self.progress,
            tracker=self.tracker,
            sources=sources,
            started=started,
            compare=compare,
        )
        outcome = publisher.publish(models, release=release, actor=actor)
        return dataclasses.replace(outcome, seconds=time.time() - started)


def make(
    project: Project, *, read: Read, progress: Progress, watch: Callable[[], None]
) -> tuple[list[Made], tuple[Source, ...]]:
    """A project's models trained, and what they were trained on.

    Args:
        project: What to train.
        read: Gives a source's rows.
        progress: Told what happens.
        watch: Called before each model is trained; may raise what makes going on pointless.
    """
    parts = parts_of(project.file)
    # Every candidate is built before anything else: a misspelt setting must not cost a training.
    candidates = {
        part.name: candidates_of(part.train.candidates, part.task, seed=part.data.split.seed)
        for part in parts
    }
    datasets: dict[str, Dataset] = {}  # parts with the same source share its rows
    prepared = []
    for part in parts:
        key = str(part.data.source)
        if key not in datasets:
            datasets[key] = read(part.data.source, part, project, progress)
        prepared.append(prepare(datasets[key], part, project, progress))
    sources = tuple(
        source_of(each.version.path, each.version.md5, each.loaded.origin, project)
        for each in datasets.values()
    )
    datasets.clear()  # the rows are encoded: the tables need not lie beside them
    pa.default_memory_pool().release_unused()
    progress.stage(Stage.TRAIN)
    models = []
    for rows in prepared:
        watch()
        wanted = candidates[rows.part.name]
        if not rows.part.train.candidates and rows.part.task is Task.CLASSIFICATION:
            wanted = pictured(rows, wanted)
        contest = compete(wanted, rows.material, rows.proof, rows.part.train, progress)
        models.append(Made(rows, contest))
    return models, sources


def pictured(rows: Prepared, usual: list[Candidate]) -> list[Candidate]:
    """What is tried where nothing was asked for: with images, each kind of column alone and all together."""
    blocks = rows.material.blocks
    kinds = {block.kind.value for block in blocks}
    if Kind.IMAGE.value not in kinds:
        return usual
    table = (
        {"table"} if rows.material.train.numbers.shape[1] + rows.material.train.strings.shape[1] else set()
    )
    specs = defaults_for(kinds | table)
    return candidates_of(specs, rows.part.task, seed=rows.material.seed)
