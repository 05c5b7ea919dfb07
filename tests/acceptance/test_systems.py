"""What the three table systems promise: their generators, bad input, notebooks, real data."""

from __future__ import annotations

import csv
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from acceptance.program import (
    EXAMPLES,
    Server,
    environment,
    example,
    post,
    run,
    serving,
    train,
    with_source,
)

pytestmark = pytest.mark.slow

QUICK = {"iris": "logistic_regression", "fraud": "logistic_regression", "titanic": "logistic_regression"}


def made(folder: Path, rows: int) -> None:
    """Let the example make its data."""
    subprocess.run(
        [sys.executable, folder / "make_data.py", "--rows", str(rows)], check=True, capture_output=True
    )


def quickest(folder: Path) -> Path:
    """The example with its quickest candidate alone."""
    file = yaml.safe_load((folder / "project.yaml").read_text())
    file["train"]["candidates"] = [QUICK[folder.name]]
    (folder / "project.yaml").write_text(yaml.safe_dump(file, sort_keys=False))
    return folder


@pytest.fixture(scope="module", params=sorted(QUICK))
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An example, trained with its quickest candidate."""
    folder = quickest(example(request.param, tmp_path_factory.mktemp("system")))
    if (folder / "make_data.py").exists():
        made(folder, 800)
    done = train("train", folder)
    assert done.code == 0, done.err
    return folder


@pytest.fixture(scope="module")
def server(trained: Path) -> Iterator[Server]:
    """It, served."""
    with serving("serve", trained, "--workers", "1", "--no-retrain") as running:
        yield running


PAYMENT = {f"V{n}": 0.1 for n in range(1, 29)} | {"Amount": 100.0}
PASSENGER = {
    "pclass": 3, "name": "Doe, Mr. John", "sex": "male", "age": 30, "sibsp": 0, "parch": 0, "fare": 8.05,
    "cabin": "C1", "embarked": "S",
}  # fmt: skip
FLOWER = {
    "sepal length (cm)": 5.1,
    "sepal width (cm)": 3.5,
    "petal length (cm)": 1.4,
    "petal width (cm)": 0.2,
}
GOOD: dict[str, dict[str, Any]] = {"iris": FLOWER, "fraud": PAYMENT, "titanic": PASSENGER}
GONE = object()
BAD: dict[str, list[tuple[dict[str, Any], int, str]]] = {
    "iris": [
        ({"petal length (cm)": -0.1}, 400, "petal length (cm)"),
        ({"petal length (cm)": 50.5}, 400, "50"),
        ({"sepal width (cm)": GONE}, 400, "sepal width (cm)"),
        ({"sepal width (cm)": "wide"}, 400, "wide"),
        ({"sepal length (cm)": "5.1"}, 200, "setosa"),
        ({"sepal length (cm)": 9.5}, 200, "warnings"),
    ],
    "fraud": [
        ({"V17": GONE}, 400, "V17"),
        ({"V1": "high"}, 400, "high"),
        ({"Amount": -5}, 400, "-5 is below the least allowed value 0"),
        ({"Amount": "12.50"}, 200, "threshold"),
        ({"V1": 40}, 200, "warnings"),
        ({"shop": "x"}, 200, "warnings"),
    ],
    "titanic": [
        ({"sex": GONE}, 400, "sex"),
        ({"age": 150}, 400, "150 is above the largest allowed value 120"),
        ({"fare": "a lot"}, 400, "a lot"),
        ({"pclass": "3"}, 200, "prediction"),
        ({"embarked": "X"}, 200, "warnings"),
        ({"age": GONE, "cabin": GONE}, 200, "prediction"),
        ({"name": "Doe, Emperor. John"}, 200, "prediction"),
    ],
}


def test_bad_input_is_answered_as_the_readme_says(trained: Path, server: Server) -> None:
    """Each line of the table: what is sent, and what comes back."""
    name = trained.name
    table = (EXAMPLES / name / "README.md").read_text()
    assert "| what is sent | what comes back |" in table
    for changes, status, says in BAD[name]:
        row = {key: value for key, value in {**GOOD[name], **changes}.items() if value is not GONE}
        found, told = post(f"{server.url}/predict", {"features": row})
        assert found == status, (changes, told)
        assert says in str(told), (changes, told)
        if status == 400:
            assert told["error"] == "Input validation failed"


def test_its_notebook_runs_and_draws(trained: Path) -> None:
    """Every cell, with its plots, and nothing that a run left in the file."""
    nbformat = pytest.importorskip("nbformat", reason="notebooks are executed where nbformat is")
    nbclient = pytest.importorskip("nbclient", reason="notebooks are executed where nbclient is")
    notebook = nbformat.read(trained / "exploration.ipynb", 4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert not any(cell.outputs or cell.execution_count for cell in code)
    os.environ["PYTHONPATH"] = environment()["PYTHONPATH"]
    os.environ["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"
    nbclient.NotebookClient(
        notebook, timeout=200, kernel_name="python3", resources={"metadata": {"path": str(trained)}}
    ).execute()
    pictures = [out for cell in code for out in cell.outputs if "image/png" in out.get("data", {})]
    assert len(pictures) >= 6
    assert not [out for cell in code for out in cell.outputs if out.output_type == "error"]


def generator(name: str) -> Any:
    """An example's make_data.py."""
    spec = importlib.util.spec_from_file_location(f"made_{name}", EXAMPLES / name / "make_data.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


REAL = {"fraud": "fraud/creditcard_2023_sample.csv", "titanic": "titanic/titanic.csv"}


def kinds(path: Path) -> dict[str, str]:
    """Each column's kind, as the project reads it."""
    from modelwright.data.load import read_table

    table = read_table(str(path), base=path.parent, missing=["?"]).table
    return {name: str(table.schema.field(name).type) for name in table.column_names}


@pytest.mark.parametrize("name", sorted(REAL))
def test_made_data_is_like_the_real(name: str, shared_data: Path, tmp_path: Path) -> None:
    """The same columns in the same order, of the same types, and about as hard for a simple model."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    real = shared_data / REAL[name]
    folder = example(name, tmp_path)
    made(folder, 1300)
    (ours,) = (folder / "data").glob("*.csv")
    with real.open(newline="") as one, ours.open(newline="") as other:
        header, own = next(csv.reader(one)), next(csv.reader(other))
    assert own == header
    found, wanted = kinds(ours), kinds(real)
    numeric = ("double", "int64")
    for column in header:
        same = found[column] == wanted[column] or (found[column] in numeric and wanted[column] in numeric)
        assert same, f"{column}: {found[column]} is not {wanted[column]}"

    def difficulty(path: Path) -> float:
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
        rows = rows[:: max(1, len(rows) // 1300)]
        target = "Class" if name == "fraud" else "survived"
        names = [f"V{n}" for n in range(1, 29)] if name == "fraud" else ["pclass", "sibsp", "parch"]
        matrix = np.array([[float(row[column]) for column in names] for row in rows])
        if name == "titanic":
            matrix = np.column_stack([matrix, [row["sex"] == "female" for row in rows]])
        truth = np.array([int(row[target]) for row in rows])
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
        return float(cross_val_score(model, matrix, truth, cv=5, scoring="roc_auc").mean())

    assert difficulty(ours) == pytest.approx(difficulty(real), abs=0.06)


@pytest.mark.parametrize("name", sorted(REAL))
def test_own_data_takes_the_place_of_made_data(name: str, shared_data: Path, tmp_path: Path) -> None:
    """By ``data.source`` alone; the gate's floors are reached."""
    folder = example(name, tmp_path)
    shutil.copy(shared_data / REAL[name], tmp_path / "real.csv")
    with_source(folder, str(tmp_path / "real.csv"))
    quickest(folder)
    done = train("train", folder, "--json")
    assert done.code == 0, done.out + done.err
    assert done.json["data"] == str((tmp_path / "real.csv").resolve())


@pytest.mark.parametrize("name", [*sorted(REAL), "cardholders", "products"])
def test_real_data_beside_the_repository_is_used(name: str, shared_data: Path, tmp_path: Path) -> None:
    """Where there is some; each example then reads that, and not what its generator makes."""
    folder = example(name, tmp_path / "clone" / "examples")
    (tmp_path / "shared").symlink_to(shared_data.parent)
    told = run("data", "show", folder, "--json")
    assert told.code == 0, told.err
    assert Path(told.json["source"]).is_relative_to(shared_data.resolve())
    assert not (folder / "data" / "synthetic.csv").exists()


@pytest.mark.parametrize("name", sorted(REAL))
def test_what_was_trained_on_is_told(name: str, shared_data: Path, tmp_path: Path) -> None:
    """Real or synthetic, with the md5 that DVC has; real data that came since is another version's."""
    folder = quickest(example(name, tmp_path / "clone" / "examples"))
    made_up = run("up", folder, "--no-serve")
    assert made_up.code == 0, made_up.err
    assert "data/synthetic.csv (synthetic, made by make_data.py), md5 " in made_up.out
    assert "These rows are not real" in made_up.err
    (tmp_path / "shared").symlink_to(shared_data.parent)
    real = run("up", folder, "--no-serve")
    assert real.code == 0, real.err
    assert "synthetic" not in real.out + real.err
    (dvc,) = (path for path in (folder / "data").glob("*.dvc") if path.name != "synthetic.csv.dvc")
    md5 = yaml.safe_load(dvc.read_text())["outs"][0]["md5"]
    assert f"{(shared_data / REAL[name]).resolve()}, md5 {md5}" in real.out
