"""One training from the project to a registered version, served if the gate accepts it.

The order makes a crash harmless at any point: the bundle is written whole before the store knows of
the version, the version is in the store before it is released, and the release is one row. What was
champion stays so until then. Running again starts over with the next number.
"""

from __future__ import annotations

import time

from modelwright.project import lock
from modelwright.project.load import Project
from modelwright.project.settings import Settings, resolve
from modelwright.store.ports import Store
from modelwright.train.outcome import Outcome
from modelwright.train.progress import Progress, Silent
from modelwright.train.track import check_reachable, tracking


def train_project(
    project: Project,
    *,
    store: Store,
    progress: Progress | None = None,
    data_override: str | None = None,
    settings: Settings | None = None,
    release: bool = True,
    actor: str = "train",
    compare: bool = True,
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
        compare: Whether the gate compares with the champion; not where a duel on rows that neither
            learned from follows.

    Raises:
        Busy: Another command is at work in the project.
        ModelwrightError: Settings, data, tracking, every candidate, or the disk failed. The champion
            is as it was.
    """
    started = time.time()
    settings = settings or resolve(project)
    if data_override is not None:
        project = project.with_source(data_override)
    check_reachable(settings.tracking_uri)
    with (
        lock.hold(settings.work_dir),
        tracking(settings.tracking_uri, experiment=project.name, working=settings.work_dir) as tracker,
    ):
        # Loading the training libraries takes as long as MLflow's start in its own process: side by side.
        from modelwright.train.session import Session

        session = Session(
            project=project, store=store, progress=progress or Silent(), settings=settings, tracker=tracker
        )
        return session.run(release=release, actor=actor, started=started, compare=compare)
