"""The same data, project file and libraries give the same bundle, on any number of cores."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tracked import SOURCE, lay_tracking
from unit.train.conftest import made_csv

pytestmark = pytest.mark.slow

CANDIDATES = ("random_forest", "xgboost", "lightgbm", "logistic_regression")
_PROGRAM = """
import json, os, sys
cores, *folders = sys.argv[1:]
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[: int(cores)]))
from modelwright.project.load import load
from modelwright.store.engine import open_store
from modelwright.train.run import train_project
for folder in folders:
    project = load(folder)
    with open_store(path=project.working / "store.db") as store:
        outcome = train_project(project, store=store)
    print(json.dumps([outcome.content_hash, outcome.models[0].winner]))
"""


def trained(folders: list[Path], *, hash_seed: str, cores: int) -> list[list[str]]:
    """What a process of its own makes of each project, with as many threads as it is given cores."""
    limits = {"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "LOKY_MAX_CPU_COUNT"}
    own = {name: value for name, value in os.environ.items() if name not in limits}
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, str(cores), *map(str, folders)],
        # Threads that wait by spinning take a busy machine's cores from those they wait for.
        env={**own, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(SOURCE), "OMP_WAIT_POLICY": "passive"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture
def projects(tmp_project) -> Callable[[], list[Path]]:
    """Make a project for each candidate, always the same."""

    def make() -> list[Path]:
        made = []
        for candidate in CANDIDATES:
            project = {
                "name": "again",
                "data": {"source": "data.csv", "target": "label", "drop": ["amount"]},
                "train": {"candidates": [candidate]},
            }
            folder = tmp_project(project, {"data.csv": made_csv(2500)})
            lay_tracking(folder / ".modelwright")
            made.append(folder)
        return made

    return make


def test_the_bundle_is_the_same_in_another_process(projects):
    """Another process, hash seed and number of cores change nothing of any candidate's content hash."""
    first = trained(projects(), hash_seed="1", cores=1)
    second = trained(projects(), hash_seed="2", cores=4)
    assert [winner for _, winner in first] == list(CANDIDATES)
    assert first == second
