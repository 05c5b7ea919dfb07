"""One training from the project to a registered version, served if the gate accepts it.

The order makes a crash harmless at any point: the bundle is written whole before the store knows of
the version, the version is in the store before it is released, and the release is one row. What was
champion stays so until then. Running again starts over with the next number.
"""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass, field

from modelwright.project import lock
from modelwright.project.load import Project
from modelwright.project.settings import Settings, resolve
from modelwright.store.ports import Store
from modelwright.train.catalogue import candidates_of
from modelwright.train.compete import compete
from modelwright.train.fingerprint import combined
from modelwright.train.outcome import Outcome
from modelwright.train.package import Made
from modelwright.train.parts import Part, parts_of
from modelwright.train.prepare import Dataset, prepare, read
from modelwright.train.progress import Progress, Silent, Stage
from modelwright.train.publish import Publisher
from modelwright.train.track import Tracker, check_reachable, tracking


def train_project(
    project: Project,
    *,
    store: Store,
    progress: Progress | None = None,
    data_override: str | None = None,
    settings: Settings | None = None,
    release: bool = True,
    actor: str = "train",
) -> Outcome:
    """Train a project's models and register them as one version.

    Args:
        project: What to train.
        store: Where versions and releases are kept.
        progress: Told what happens.
        data_override: Data to train on instead of the project file's, same form.
        settings: Working folder and tracking address; by default from the environment.
        release: Whether an accepted version becomes champion.
        actor: Who asked, for the release.

    Raises:
        Busy: Another command is at work in the project.
        ModelwrightError: Settings, data, tracking, every candidate, or the disk failed. The champion
            is as it was.
    """
    settings = settings or resolve(project)
    if data_override is not None:
        project = project.with_source(data_override)
    with lock.hold(settings.work_dir):
        return _Training(project, store, progress or Silent(), settings, release, actor).run()


@dataclass
class _Training:
    """The steps, and what they share."""

    project: Project
    store: Store
    progress: Progress
    settings: Settings
    release: bool
    actor: str
    datasets: dict[str, Dataset] = field(default_factory=dict)

    def run(self) -> Outcome:
        """All steps, in order."""
        started = time.time()
        parts = parts_of(self.project.file)
        # Every candidate is built before anything else: a misspelt setting must not cost a training.
        candidates = {
            part.name: candidates_of(part.train.candidates, part.task, seed=part.data.split.seed)
            for part in parts
        }
        uri, working = self.settings.tracking_uri, self.settings.work_dir
        check_reachable(uri)
        with tracking(uri, experiment=self.project.name, working=working) as tracker:
            prepared = [prepare(self._read(part), part, self.project, self.progress) for part in parts]
            self.progress.stage(Stage.TRAIN)
            models = []
            for rows in prepared:
                tracker.raise_if_failed()
                contest = compete(
                    candidates[rows.part.name], rows.material, rows.proof, rows.part.train, self.progress
                )
                models.append(Made(rows, contest))
            outcome = self._publish(models, tracker, started)
        return dataclasses.replace(outcome, seconds=time.time() - started)

    def _read(self, part: Part) -> Dataset:
        """The part's data; parts with the same source share it."""
        key = str(part.data.source)
        if key not in self.datasets:
            self.datasets[key] = read(part.data.source, part, self.project, self.progress)
        return self.datasets[key]

    def _publish(self, models: list[Made], tracker: Tracker, started: float) -> Outcome:
        publisher = Publisher(
            project=self.project,
            store=self.store,
            settings=self.settings,
            progress=self.progress,
            tracker=tracker,
            dataset_md5=combined([dataset.version.md5 for dataset in self.datasets.values()]),
            started=started,
        )
        return publisher.publish(models, release=self.release, actor=self.actor)
