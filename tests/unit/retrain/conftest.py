"""A small served project: trained and released once, ready to be retrained."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import yaml

from modelwright.project.load import Project, load
from modelwright.project.settings import Settings, resolve
from modelwright.store.engine import SqlStore, open_store
from modelwright.train.run import train_project
from tracked import lay_tracking

NAMES = ("size", "colour", "flag")


def rows(count: int, seed: int, wrong: float = 0.0) -> list[dict]:
    """Rows whose label follows from their features, but for a share of wrong ones."""
    generator = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        size, colour = round(float(generator.normal(10, 2)), 3), str(generator.choice(["red", "blue"]))
        label = (size + 2 * (colour == "red") > 11) != (generator.random() < wrong)
        made.append({"size": size, "colour": colour, "flag": bool(generator.random() < 0.5),
                     "label": "yes" if label else "no"})  # fmt: skip
    return made


def csv(lines: list[dict]) -> str:
    """The rows as a file."""
    head = ",".join([*NAMES, "label"])
    body = (f"{r['size']},{r['colour']},{str(r['flag']).lower()},{r['label']}" for r in lines)
    return "\n".join([head, *body]) + "\n"


@dataclass
class Served:
    """A project with a champion."""

    project: Project
    settings: Settings
    store: SqlStore

    def give(self, lines: list[dict]) -> None:
        """Send labelled rows."""
        for row in lines:
            features = {name: row[name] for name in NAMES}
            self.store.samples.add(self.project.name, features, row["label"], client="ann")

    def again(self, **retrain: object) -> Project:
        """The project with other ``retrain`` settings in its file."""
        content = yaml.safe_load(self.project.path.read_text())
        content["retrain"] = {**content.get("retrain", {}), **retrain}
        self.project.path.write_text(yaml.safe_dump(content))
        self.project = load(self.project.path)
        return self.project


@pytest.fixture(scope="session")
def trained(tmp_path_factory) -> Path:
    """A project folder with one released version, to be copied."""
    folder = tmp_path_factory.mktemp("trained") / "shop"
    folder.mkdir()
    (folder / "data.csv").write_text(csv(rows(200, 0, wrong=0.1)))
    file = {
        "name": "shop",
        "data": {"source": "data.csv", "target": "label"},
        "train": {"candidates": [{"decision_tree": {"max_depth": 3}}], "metric": "accuracy"},
        "retrain": {"new_samples": 20, "cooldown": "1h"},
    }
    (folder / "project.yaml").write_text(yaml.safe_dump(file))
    project = load(folder)
    lay_tracking(project.working)
    with open_store(path=project.working / "store.db") as store:
        outcome = train_project(project, store=store, settings=resolve(project, environ={}))
    assert outcome.released
    return folder


@pytest.fixture
def served(trained, tmp_path) -> Iterator[Served]:
    """A copy of the trained project of this test alone."""
    project = load(shutil.copytree(trained, tmp_path / "shop"))
    with open_store(path=project.working / "store.db") as store:
        yield Served(project, resolve(project, environ={}), store)


Make = Callable[..., Served]
