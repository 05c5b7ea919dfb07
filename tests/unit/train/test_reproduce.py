"""A version is made again from what was recorded, and what differs is named."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
from dataclasses import asdict
from pathlib import Path

import pytest

from modelwright.bundle.read import verify
from modelwright.data.recorded import DataGone
from modelwright.project.load import load
from modelwright.project.settings import resolve
from modelwright.store.engine import open_store
from modelwright.store.errors import UnknownVersion
from modelwright.train.recipe import RecipeInvalid, read
from modelwright.train.recover import NotRecorded
from modelwright.train.reproduce import Reproduction, reproduce
from unit.train.conftest import made_csv

pytestmark = pytest.mark.slow

PROJECT = {
    "name": "mixed",
    "data": {"source": "data.csv", "target": "label", "drop": ["amount"]},
    "train": {"candidates": [{"decision_tree": {"max_depth": 3}}], "metric": "accuracy"},
}
CODE = """
def derive(row, now):
    row["gap"] = (row.get("gap") or 0) * 2
    return row
"""


def again(folder: Path, version: int = 1, **arguments) -> Reproduction:
    project = load(folder)
    with open_store(path=project.working / "store.db") as store:
        return reproduce(project, version, store=store, settings=resolve(project, environ={}), **arguments)


def change(folder: Path, column: str, value: str) -> None:
    """Change what the store says of version 1."""
    database = sqlite3.connect(folder / ".modelwright" / "store.db")
    with database:
        database.execute(f"UPDATE mw_versions SET {column} = ?", (value,))
    database.close()


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """A project with ``derive`` after one training, to be copied."""
    folder = tmp_path_factory.mktemp("trained") / "project"
    folder.mkdir()
    (folder / "project.yaml").write_text(json.dumps(PROJECT))
    (folder / "features.py").write_text(CODE)
    (folder / "data.csv").write_text(made_csv())
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    subprocess.run(["git", "add", "project.yaml", "features.py"], cwd=folder, check=True)
    subprocess.run(["git", "commit", "-q", "-m", "Start"], cwd=folder, check=True)
    from modelwright.train.run import train_project

    project = load(folder)
    with open_store(path=project.working / "store.db") as store:
        train_project(project, store=store, settings=resolve(project, environ={}))
    return folder


@pytest.fixture
def folder(trained, tmp_path) -> Path:
    """The trained project, to be spoilt."""
    return Path(shutil.copytree(trained, tmp_path / "project", symlinks=True))


def test_the_same_bundle_whatever_became_of_the_project(folder, tmp_path):
    """Data, project file and features.py have changed since: the recorded ones are used."""
    (folder / "data.csv").write_text(made_csv(seed=5))
    (folder / "features.py").write_text("def derive(row, now):\n    return row\n")
    changed = {**PROJECT, "train": {"candidates": ["random_forest"]}}
    (folder / "project.yaml").write_text(json.dumps(changed))
    found = again(folder, keep=tmp_path / "kept")
    assert found.same and not found.changed and not found.differences
    assert found.origin == "what was kept at the training"
    assert verify(tmp_path / "kept").content_hash == found.recorded == found.found
    assert json.dumps(asdict(found))


def test_a_library_that_changed_is_named(folder):
    """Other, missing and new libraries are told, also where the bundle is the same."""
    with open_store(path=folder / ".modelwright" / "store.db") as store:
        libraries = dict(store.versions.get("mixed", 1).environment)
    libraries |= {"scikit-learn": "1.0.0", "gone": "2.0"}
    numpy = libraries.pop("numpy")
    change(folder, "environment", json.dumps(libraries))
    told = " ".join(again(folder).changed)
    assert "scikit-learn was 1.0.0, is " in told
    assert "gone was 2.0, is not installed now" in told
    assert f"numpy was not installed, is {numpy} now" in told


def test_data_that_is_gone_is_named(folder):
    """With the cache emptied the file itself is enough; with both gone, the error says where it looked."""
    shutil.rmtree(folder / ".dvc" / "cache")
    assert again(folder).same
    (folder / "data.csv").write_text("a,label\n1,yes\n")
    with pytest.raises(DataGone, match="is not here any more") as gone:
        again(folder)
    told = " ".join(gone.value.details)
    assert "data.csv: its content is another one now" in told and "not in DVC's cache" in told
    (folder / "data.csv").unlink()
    with pytest.raises(DataGone) as gone:
        again(folder)
    assert "data.csv: it is not there" in gone.value.details[0]


def test_a_damaged_cache_is_not_trained_on(folder):
    """What the cache gives is hashed before it is used."""
    (folder / "data.csv").unlink()
    (cached,) = (path for path in (folder / ".dvc" / "cache").rglob("*") if path.is_file())
    cached.chmod(0o644)
    cached.write_text(made_csv(seed=9))
    with pytest.raises(DataGone) as gone:
        again(folder)
    assert "damaged" in gone.value.details[-1]


def test_data_comes_from_the_remote(folder, tmp_path):
    """Where DVC has a remote, an emptied cache is filled from it."""
    (folder / ".dvc" / "config").write_text(
        f"[core]\n    remote = store\n['remote \"store\"']\n    url = {tmp_path / 'remote'}\n"
    )
    cache, remote = folder / ".dvc" / "cache" / "files", tmp_path / "remote" / "files"
    shutil.copytree(cache, remote)
    shutil.rmtree(cache)
    (folder / "data.csv").unlink()
    assert again(folder).same


def test_another_bundle_is_taken_apart(folder):
    """A recipe that somebody changed gives another bundle: the files, metrics and code are named."""
    path = folder / ".modelwright" / "recipes" / "v1" / "recipe.json"
    kept = json.loads(path.read_text())
    kept["file"]["train"]["candidates"] = [{"decision_tree": {"max_depth": 1}}]
    path.write_text(json.dumps(kept))
    found = again(folder)
    assert not found.same and found.found != found.recorded
    assert any("is not the one that was trained with" in line for line in found.changed)
    assert any("model.onnx differ" in line for line in found.differences)
    shutil.rmtree(folder / ".modelwright" / "bundles")
    assert "cannot be looked into" in again(folder).differences[0]


def test_a_version_without_a_recipe(folder):
    """It is made again from the project if that still fits its fingerprint, else from git, else refused."""
    shutil.rmtree(folder / ".modelwright" / "recipes")
    assert read(folder / ".modelwright", 1) is None
    found = again(folder)
    assert found.same and "as it is now" in found.origin
    (folder / "features.py").write_text("def derive(row, now):\n    return row\n")
    (folder / "data.csv").unlink()
    found = again(folder)
    assert found.same and found.origin.startswith("git commit ")
    shutil.rmtree(folder / ".git")
    with pytest.raises(NotRecorded, match="before recipes were kept"):
        again(folder)


def test_a_spoilt_recipe_is_refused(folder):
    """Damage, a newer form, other data and an unknown version are told apart."""
    path = folder / ".modelwright" / "recipes" / "v1" / "recipe.json"
    kept = json.loads(path.read_text())
    spoilt = (
        ({**kept, "format": 99}, "newer release"),
        ({**kept, "file": {**kept["file"], "invented": 1}}, "not understood"),
        ({**kept, "sources": [{**kept["sources"][0], "md5": "0" * 32}]}, "other data"),
        ([], "cannot be read"),
    )
    for content, words in spoilt:
        path.write_text(json.dumps(content))
        with pytest.raises(RecipeInvalid, match=words):
            again(folder)
    with pytest.raises(UnknownVersion):
        again(folder, 7)


def test_the_recipe_keeps_no_password(tmp_project, train, tmp_path):
    """A query's rows are made again from the versioned extract; its address is kept without password."""
    source = sqlite3.connect(tmp_path / "source.db")
    source.execute("CREATE TABLE t (a REAL, b REAL, label TEXT)")
    rows = [(n / 10, n % 7, "yes" if n > 60 else "no") for n in range(120)]
    source.executemany("INSERT INTO t VALUES (?, ?, ?)", rows)
    source.commit()
    source.close()
    url = f"sqlite:///{tmp_path / 'source.db'}"
    query = {"url": url, "query": "SELECT * FROM t"}
    data = {"source": query, "target": "label"}
    folder = tmp_project({**PROJECT, "data": data})
    train(folder)
    (tmp_path / "source.db").unlink()
    assert again(folder).same
    from modelwright.train.recipe import _masked

    masked = _masked({"source": {"url": "postgresql://ann:secret@db/x"}})
    assert "secret" not in json.dumps(masked)
