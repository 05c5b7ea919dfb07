"""Every answer can be traced, and every version made again: by the program, on the shipped examples."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from acceptance.program import example, get, post, run, serving, train

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def iris(tmp_path_factory) -> Path:
    """The iris project, trained."""
    folder = example("iris", tmp_path_factory.mktemp("why"))
    assert train("train", folder).code == 0
    return folder


def test_an_answer_is_traced_to_its_data(iris):
    """Served, labelled, corrected: ``why`` and the server tell the same walk."""
    with serving("serve", iris, "--workers", "1") as server:
        _, answer = post(f"{server.url}/predict", {"features": [5.1, 3.5, 1.4, 0.2]})
        id = answer["prediction_id"]
        for target in ("setosa", 1):
            assert post(f"{server.url}/feedback", {"prediction_id": id, "target": target})[0] == 201
        _, told = get(f"{server.url}/predictions/{id}")
        found = run("why", id, "-p", iris, "--json")
    assert found.json == told
    version = found.json["lineage"]["version"]
    assert (found.json["label"], found.json["model_version"], version["version"]) == (1, 1, 1)
    assert version["dataset_md5"] in (iris / "data" / "iris.csv.dvc").read_text()
    text = run("why", id, "-p", iris)
    assert text.code == 0 and version["content_hash"] in text.out and "sepal length (cm): 5.1" in text.out
    kinds = {each["kind"] for each in run("history", iris, "--json").json}
    assert {"version", "release"} <= kinds


@pytest.mark.parametrize("name", ["iris", "fraud", "titanic"])
def test_the_shipped_examples_are_reproduced(name, tmp_path):
    """Trained once, made again from what was recorded: the same bundle, with the data file gone."""
    folder = example(name, tmp_path)
    maker = folder / "make_data.py"
    if maker.is_file():
        subprocess.run([sys.executable, str(maker)], cwd=folder, check=True, capture_output=True)
    trained = train("train", folder, "--json")
    assert trained.code == 0, trained.err
    for data in (folder / "data").glob("*.csv"):
        data.unlink()
    made = run("reproduce", "1", "-p", folder, "--json", "--quiet")
    assert made.code == 0, made.out + made.err
    assert made.json["same"] and made.json["changed"] == []
    assert run("reproduce", "9", "-p", folder).code == 2
    shutil.rmtree(folder / ".dvc" / "cache")
    gone = run("reproduce", "1", "-p", folder)
    assert gone.code == 4 and "is not here any more" in gone.err
