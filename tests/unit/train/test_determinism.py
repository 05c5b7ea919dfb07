"""The same data, project file and libraries give the same bundle, on any number of cores."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from unit.train.conftest import made_csv

pytestmark = pytest.mark.slow

_PROGRAM = """
import json, os, sys
from modelwright.project.load import load
from modelwright.store.engine import open_store
from modelwright.train.run import train_project
cores = set(range(int(sys.argv[2])))
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[: int(sys.argv[2])]))
project = load(sys.argv[1])
with open_store(path=project.working / "store.db") as store:
    outcome = train_project(project, store=store)
print(json.dumps([outcome.content_hash, outcome.models[0].winner]))
"""


def trained(folder: Path, repository: Path, *, hash_seed: str, cores: int) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, str(folder), str(cores)],
        env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(repository / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("candidate", ["random_forest", "xgboost", "lightgbm", "logistic_regression"])
def test_the_bundle_is_the_same_in_another_process(tmp_project, repository, candidate):
    """Another process, hash seed and number of cores change nothing of the bundle's content hash."""
    project = {
        "name": "again",
        "data": {"source": "data.csv", "target": "label", "drop": ["amount"]},
        "train": {"candidates": [candidate]},
    }
    first = tmp_project(project, {"data.csv": made_csv(2500)})
    second = tmp_project(project, {"data.csv": made_csv(2500)})
    assert trained(first, repository, hash_seed="1", cores=1) == trained(
        second, repository, hash_seed="2", cores=4
    )
