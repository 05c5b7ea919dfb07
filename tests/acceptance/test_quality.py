"""What the shipped systems must reach on real data, with every export proven."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from acceptance.program import with_source
from modelwright.project.load import load
from modelwright.store.engine import open_store
from modelwright.train.outcome import Outcome
from modelwright.train.run import train_project
from tracked import lay_tracking

pytestmark = pytest.mark.slow


def trained(folder: Path) -> Outcome:
    project = load(folder)
    lay_tracking(project.working)
    with open_store(path=project.working / "store.db") as store:
        outcome = train_project(project, store=store)
        version = store.versions.get(project.name, outcome.version)
    assert version is not None
    for parity in version.parity.values():
        assert parity.labels_differ == 0 and parity.max_difference <= 1e-5
    return outcome


def example(repository: Path, name: str, folder: Path, data: Path | None = None) -> Path:
    place = folder / name
    shutil.copytree(repository / "examples" / name, place)
    if data is not None:
        with_source(place, str(data))
    return place


def test_iris(repository, tmp_path):
    """Accuracy of at least 0.93 on the held-out fifth, with the four models of its project."""
    outcome = trained(example(repository, "iris", tmp_path))
    assert outcome.metrics["accuracy"].value >= 0.93
    assert len(outcome.models[0].leaderboard) == 4
    assert all(row["eligible"] for row in outcome.models[0].leaderboard)


def test_fraud(repository, tmp_path, shared_data):
    """F1 of at least 0.98 and average precision of at least 0.99."""
    data = shared_data / "fraud" / "creditcard_2023_sample.csv"
    outcome = trained(example(repository, "fraud", tmp_path, data))
    assert outcome.metrics["f1"].value >= 0.98
    assert outcome.metrics["average_precision"].value >= 0.99


def test_titanic(repository, tmp_path, shared_data):
    """ROC AUC of at least 0.84, without the columns that give the outcome away."""
    data = shared_data / "titanic" / "titanic.csv"
    outcome = trained(example(repository, "titanic", tmp_path, data))
    assert outcome.metrics["roc_auc"].value >= 0.84


@pytest.mark.parametrize(
    ("name", "task", "metric", "least"),
    [
        ("wine", "classification", "accuracy", 0.9),
        ("breast_cancer", "classification", "roc_auc", 0.97),
        ("digits", "classification", "accuracy", 0.95),
        ("diabetes", "regression", "r2", 0.3),
    ],
)
def test_sets_of_scikit_learn(tmp_path, name, task, metric, least):
    """Sets that come with scikit-learn, with the default candidates."""
    project = {
        "name": name.replace("_", "-"),
        "task": task,
        "data": {"source": f"sklearn:{name}", "target": "target"},
    }
    (tmp_path / "project.yaml").write_text(yaml.safe_dump(project))
    assert trained(tmp_path).metrics[metric].value >= least
