"""``python -m modelwright.retrain.mirror PROJECT``: lets MLflow's aliases follow the store."""

from __future__ import annotations

import sys

from modelwright.project.load import load
from modelwright.project.settings import resolve
from modelwright.serve.priority import step_back
from modelwright.store.engine import open_store
from modelwright.train.aliases import follow

NICENESS = 10


def main(path: str) -> None:
    """Point the aliases at what is live and what is brought in; what goes wrong becomes an event."""
    project = load(path)
    settings = resolve(project)
    with open_store(settings.store_url) as store:
        follow(store, project.name, uri=settings.tracking_uri, working=settings.work_dir)


if __name__ == "__main__":
    step_back(NICENESS)
    main(sys.argv[1])
