"""A picture that was drawn anew under its old name is other data."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from PIL import Image

from modelwright.project.load import load
from modelwright.project.settings import resolve
from modelwright.store.engine import open_store
from modelwright.train.changes import changes_since
from modelwright.train.fingerprint import fingerprint, md5_of
from modelwright.train.reproduce import reproduce

pytestmark = pytest.mark.slow


def test_a_changed_image_file_is_another_dataset_version(tmp_project, train):
    """Its table is the same, the content hash is not: it is trained anew, and what changed is said."""
    folder = tmp_project(
        {
            "name": "marks",
            "data": {"source": "data.csv", "target": "mark"},
            "train": {"candidates": ["logistic_regression"]},
        }
    )
    (folder / "img").mkdir()
    random = np.random.default_rng(1)
    for place in range(60):
        pixels = random.integers(0, 80, (16, 16, 3)) + np.array([150, 0, 0] if place % 2 else [0, 0, 150])
        Image.fromarray(pixels.astype(np.uint8)).save(folder / "img" / f"{place}.png")
    rows = "".join(f"img/{place}.png,{'red' if place % 2 else 'blue'}\n" for place in range(60))
    (folder / "data.csv").write_text("picture,mark\n" + rows)

    first = train(folder)
    project = load(folder)
    assert md5_of(project) == first.dataset_md5
    with open_store(path=project.working / "store.db") as store:
        record = store.versions.get("marks", first.version)
        assert fingerprint(project) == record.fingerprint

        Image.new("RGB", (16, 16), (40, 90, 40)).save(folder / "img" / "7.png")
        assert fingerprint(project) != record.fingerprint
        assert changes_since(record, project, project.working) == [
            "image files that the rows point to changed"
        ]
        second = train(folder)
        assert second.dataset_md5 not in {first.dataset_md5, ""} and second.version == 2
        assert fingerprint(project) == store.versions.get("marks", 2).fingerprint

        again = reproduce(project, 2, store=store, settings=resolve(project))
        assert again.same and not again.changed
        told = reproduce(project, 1, store=store, settings=resolve(project))
        assert any("image files that the rows point to have changed" in each for each in told.changed)


def test_a_version_is_made_again_from_images_elsewhere_after_its_project_moved(tmp_project, train, tmp_path):
    """They are beside the data as it was, though the project's relative path leads there no more."""
    folder = tmp_project(
        {
            "name": "marks",
            "data": {"source": "../apart/data.csv", "target": "mark"},
            "train": {"candidates": [{"decision_tree": {"max_depth": 2}}]},
        }
    )
    apart = folder.parent / "apart"
    apart.mkdir()
    for place in range(40):
        Image.new("RGB", (8, 8), (200 - place, 0, place)).save(apart / f"{place}.png")
    rows = "".join(f"{place}.png,{'red' if place % 2 else 'blue'}\n" for place in range(40))
    (apart / "data.csv").write_text("picture,mark\n" + rows)
    first = train(folder)

    moved = tmp_path / "somewhere" / "else" / "marks"
    shutil.copytree(folder, moved)
    shutil.rmtree(folder)
    project = load(moved)
    with open_store(path=project.working / "store.db") as store:
        again = reproduce(project, first.version, store=store, settings=resolve(project))
    assert again.same and not again.changed
