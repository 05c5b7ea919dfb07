"""Why a training makes sense: what differs from what a version was trained from."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from modelwright.data.version import dataset_md5
from modelwright.project.load import Project, load
from modelwright.store.records import VersionRecord
from modelwright.testing.factories import version
from modelwright.train import recipe
from modelwright.train.changes import changes_since
from modelwright.train.fingerprint import environment

FILE = {
    "name": "small",
    "data": {"source": "data.csv", "target": "label"},
    "train": {"candidates": ["decision_tree"]},
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project's folder."""
    (tmp_path / "data.csv").write_text("a,label\n1,yes\n2,no\n")
    write(tmp_path)
    return tmp_path


def write(folder: Path, **sections: object) -> None:
    (folder / "project.yaml").write_text(yaml.safe_dump({**FILE, **sections}))


def trained(project: Project) -> VersionRecord:
    """A version as if it had been trained from the project as it is, its recipe kept."""
    recipe.write(project.working, project, version=3, sources=(), git_commit="", libraries=environment())
    md5 = dataset_md5(project.directory / "data.csv")
    return version(3, project=project.name, dataset_md5=md5, environment=environment())


def since(folder: Path, record: VersionRecord) -> list[str]:
    project = load(folder)
    return changes_since(record, project, project.working)


def test_nothing_changed(folder: Path) -> None:
    """The same inputs differ in nothing, nor does what only concerns serving and watching."""
    record = trained(load(folder))
    write(folder, serve={"port": 5055}, retrain={"new_samples": 5})
    assert since(folder, record) == []


def test_changed_data_is_named(folder: Path) -> None:
    """By its file."""
    record = trained(load(folder))
    (folder / "data.csv").write_text("a,label\n1,yes\n2,no\n3,no\n")
    assert since(folder, record) == ["the data changed (data.csv)"]


def test_a_copy_of_the_data_elsewhere_is_no_change(folder: Path) -> None:
    """What is in it counts, not its name."""
    record = trained(load(folder))
    (folder / "data.csv").rename(folder / "renamed.csv")
    write(folder, data={"source": "renamed.csv", "target": "label"})
    assert since(folder, record) == []


def test_changed_keys_of_the_project_file_are_named(folder: Path) -> None:
    """Those that shape a version, with their place in the file; many are counted."""
    record = trained(load(folder))
    write(folder, train={"candidates": ["random_forest"]}, gate={"floors": {"f1": 0.5}})
    assert since(folder, record) == ["project.yaml changed (train.candidates, gate.floors.f1)"]
    features = {f"a{number}": {"min": 0} for number in range(6)}
    write(folder, features=features)
    (told,) = since(folder, record)
    assert told.endswith("features.a3.min and 2 more)")


def test_project_code_that_came_changed_or_went_is_named(folder: Path) -> None:
    """``features.py`` by its content."""
    record = trained(load(folder))
    (folder / "features.py").write_text("def derive(row, now):\n    return row\n")
    assert since(folder, record) == ["features.py is new"]
    record = trained(load(folder))
    (folder / "features.py").write_text("def derive(row, now):\n    return dict(row)\n")
    assert since(folder, record) == ["features.py changed"]
    (folder / "features.py").unlink()
    assert since(folder, record) == ["features.py is gone"]


def test_other_versions_of_libraries_and_of_this_package_are_named(folder: Path) -> None:
    """Each with what it was and what it is: an upgrade is why the next training differs."""
    now = environment()
    then = {**now, "modelwright": "0.0.9", "numpy": "1.0", "gone": "2"}
    record = version(3, project="small", environment=then, dataset_md5=trained(load(folder)).dataset_md5)
    assert since(folder, record) == [
        "gone was 2, is not installed now",
        f"modelwright was 0.0.9, is {now['modelwright']} now",
        f"numpy was 1.0, is {now['numpy']} now",
    ]


def test_data_that_lies_elsewhere_is_said_to_be_unknown(folder: Path) -> None:
    """A query is not asked beforehand."""
    record = trained(load(folder))
    write(folder, data={"source": {"url": "sqlite:///rows.db", "query": "select 1"}, "target": "label"})
    assert since(folder, record) == ["whether the data changed is known only when it is read (a query)"]


def test_a_version_without_a_recipe_tells_what_its_record_knows(folder: Path) -> None:
    """Older versions kept none: their data and libraries are known still."""
    record = trained(load(folder))
    (recipe.folder_of(load(folder).working, 3) / recipe.RECIPE).unlink()
    (folder / "data.csv").write_text("a,label\n9,yes\n2,no\n")
    assert since(folder, record) == ["the data changed (data.csv)"]
