"""``python -m modelwright.retrain.mirror PROJECT``: lets MLflow's aliases follow the store."""

from __future__ import annotations

import sys

from modelwright.monitor.releasing import Phase, stage_of
from modelwright.project.load import load
from modelwright.project.settings import resolve
from modelwright.serve.priority import step_back
from modelwright.store.engine import open_store
from modelwright.train.track import mirror_release

NICENESS = 10


def main(path: str) -> None:
    """Point the aliases at what is live and what is brought in; what goes wrong becomes an event."""
    project = load(path)
    settings = resolve(project)
    with open_store(settings.store_url) as store:
        live = store.releases.current(project.name)
        if live is None:
            return
        stage = stage_of(live)
        coming = stage.version if stage is not None and stage.phase is not Phase.WATCH else None
        told = mirror_release(
            settings.tracking_uri,
            project=project.name,
            version=live.version,
            working=settings.work_dir,
            challenger=coming,
        )
        if told:
            store.events.add(project.name, "alias", told, {"version": live.version})


if __name__ == "__main__":
    step_back(NICENESS)
    main(sys.argv[1])
