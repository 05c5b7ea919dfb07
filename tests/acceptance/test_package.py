"""``modelwright package``: what it makes installs where nothing of a training is, and predicts."""

from __future__ import annotations

import csv
import hashlib
import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from acceptance.program import EXAMPLES, REPOSITORY, example, post, run, train
from servers import free_port

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def titanic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example over made-up passengers, trained with its quickest candidate."""
    folder = example("titanic", tmp_path_factory.mktemp("titanic"))
    subprocess.run(
        [sys.executable, folder / "make_data.py", "--rows", "600"], check=True, capture_output=True
    )
    file = yaml.safe_load((folder / "project.yaml").read_text())
    file["train"]["candidates"] = ["logistic_regression"]
    file["gate"]["floors"] = {"roc_auc": 0.6}
    (folder / "project.yaml").write_text(yaml.safe_dump(file, sort_keys=False))
    done = train("train", folder)
    assert done.code == 0, done.err
    return folder


@pytest.fixture(scope="module")
def package(titanic: Path) -> Path:
    """Its package."""
    folder = titanic.parent / "out"
    done = run("package", titanic, "--output", folder, "--json")
    assert done.code == 0, done.err
    assert (done.json["distribution"], done.json["version"]) == ("titanic-model", "1.0.0")
    return folder


def built(package: Path, folder: Path) -> Path:
    """Its wheel and its source archive; the wheel's path."""
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, package]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=plain())
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = folder.glob("*.whl")
    return wheel


def plain() -> dict[str, str]:
    """The environment with nothing of this checkout on Python's path."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


@pytest.fixture(scope="module")
def wheel(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its wheel."""
    return built(package, tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def clean(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python with the wheel and what its metadata asks for, and nothing else."""
    folder = tmp_path_factory.mktemp("clean")
    venv.create(folder, with_pip=False)
    (site,) = folder.glob("lib/python*/site-packages")
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("METADATA"))
        asked = re.findall(r"^Requires-Dist: ([\w.-]+)(?!.*extra)", archive.read(name).decode(), re.MULTILINE)
    assert sorted(asked) == ["msgspec", "numpy", "onnxruntime"]
    for distribution in _closure(asked):
        _link(distribution, site)
    pip = [sys.executable, "-m", "pip", "--python", folder / "bin" / "python", "install", "--no-index", wheel]
    done = subprocess.run(pip, capture_output=True, text=True, check=False, env=plain())
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "bin" / "python"


def _closure(names: list[str]) -> list[importlib.metadata.Distribution]:
    from packaging.requirements import Requirement

    found: dict[str, importlib.metadata.Distribution] = {}
    pending = list(names)
    while pending:
        name = pending.pop()
        if name in found:
            continue
        found[name] = importlib.metadata.distribution(name)
        for line in found[name].requires or ():
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                pending.append(requirement.name)
    return list(found.values())


def _link(distribution: importlib.metadata.Distribution, site: Path) -> None:
    tops = {Path(str(file)).parts[0] for file in distribution.files or () if ".." not in str(file)}
    for top in tops - {"__pycache__"}:
        place = Path(str(distribution.locate_file(top)))
        if place.exists() and not (site / top).exists():
            (site / top).symlink_to(place)


def test_it_is_an_ordinary_package(package: Path) -> None:
    """The files that people look for, and its own tests pass."""
    for name in ("pyproject.toml", "MANIFEST.in", "tox.ini", "Procfile", "README.md", "LICENSE",
                 "titanic_model/VERSION", "training/project.yaml"):  # fmt: skip
        assert (package / name).is_file(), name
    assert "${PORT" in (package / "Procfile").read_text()
    assert [re.search(rf"testenv:{name}\]", (package / "tox.ini").read_text()) is not None
            for name in ("train", "test_package", "run", "test_app")] == [True] * 4  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", "-p", "no:cacheprovider", "tests"],
        cwd=package,
        env={**plain(), "PYTHONPATH": str(package)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_its_code_is_in_order(package: Path) -> None:
    """As a linter sees it."""
    ruff = [sys.executable, "-m", "ruff", "check", "--no-cache", "--isolated", "--line-length", "120"]
    done = subprocess.run(
        [*ruff, "--select", "E4,E7,E9,F,I", "tests", "titanic_model"],
        cwd=package,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_it_predicts_where_nothing_of_a_training_is(clean: Path, package: Path, tmp_path: Path) -> None:
    """In a Python with NumPy, msgspec and ONNX Runtime alone, as ``modelwright predict`` does."""
    script = (
        "import json, sys, importlib.util\n"
        "from titanic_model import make_prediction, __version__\n"
        "unwanted = ('sklearn', 'modelwright', 'pandas', 'fastapi', 'sqlalchemy')\n"
        "absent = [n for n in unwanted if importlib.util.find_spec(n)]\n"
        "bad = make_prediction(input_data={'pclass': 1, 'sex': 'male', 'age': 999})\n"
        "print(json.dumps([make_prediction(input_data=sys.argv[1]), bad, __version__, absent]))\n"
    )
    rows = package / "tests" / "held_out.csv"
    done = subprocess.run(
        [clean, "-W", "error", "-c", script, rows],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env=plain(),
    )
    assert done.returncode == 0, done.stderr
    answer, bad, version, absent = json.loads(done.stdout)
    assert absent == [] and version == answer["version"] == "1.0.0"
    with rows.open(newline="") as file:
        truth = [int(row["survived"]) for row in csv.DictReader(file)]
    assert answer["errors"] is None and len(answer["predictions"]) == len(truth)
    assert sum(a == b for a, b in zip(answer["predictions"], truth, strict=True)) / len(truth) > 0.6
    assert bad["predictions"] is None and any(error["column"] == "age" for error in bad["errors"])


def test_its_answers_are_the_version_s(titanic: Path, package: Path) -> None:
    """The same as ``modelwright predict`` gives for the same rows."""
    rows = package / "tests" / "held_out.csv"
    told = run("predict", "--project", titanic, rows, "--format", "jsonl")
    script = (
        "import sys, json; from titanic_model import make_prediction\n"
        "print(json.dumps(make_prediction(input_data=sys.argv[1])))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, rows], capture_output=True, text=True, check=True,
        env={**plain(), "PYTHONPATH": str(package)},
    )  # fmt: skip
    expected = [json.loads(line)["prediction"] for line in told.out.splitlines()]
    assert json.loads(done.stdout)["predictions"] == expected


def test_the_same_version_gives_the_same_bytes(
    titanic: Path, package: Path, wheel: Path, tmp_path: Path
) -> None:
    """The folder, and the wheel made of it; a check of the metadata finds nothing wrong."""
    again = tmp_path / "again"
    assert run("package", titanic, "--output", again).code == 0
    ignored = {"build", "titanic_model.egg-info", "__pycache__"}

    def digests(folder: Path) -> dict[str, str]:
        return {
            str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in folder.rglob("*")
            if path.is_file() and not ignored & set(path.relative_to(folder).parts)
        }

    assert digests(again) == digests(package)
    (again / "training" / "data").mkdir()  # as after ``tox -e train``
    (again / "training" / "data" / "rows.csv").write_text("private")
    for file in again.rglob("*"):
        os.utime(file, (1e9, 1e9))
        file.chmod(0o700)
    second = built(again, tmp_path / "dist")
    assert second.name == wheel.name == "titanic_model-1.0.0-py3-none-any.whl"
    assert second.read_bytes() == wheel.read_bytes()
    source = "titanic_model-1.0.0.tar.gz"
    assert second.with_name(source).read_bytes() == wheel.with_name(source).read_bytes()
    files = [str(path) for path in (tmp_path / "dist").iterdir()]
    done = subprocess.run(
        [sys.executable, "-m", "twine", "check", "--strict", *files],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_training_it_anew_counts_on(package: Path, tmp_path: Path) -> None:
    """The commands behind ``tox -e train``: in a store of its own, the version never goes back."""
    again = tmp_path / "again"
    # The project's own data stands in for the file that its source names, which is not part of a package.
    shutil.copytree(package, again, ignore=shutil.ignore_patterns("build", "*.egg-info"))
    rows = package.parent / "titanic" / "data" / "synthetic.csv"
    section = (again / "tox.ini").read_text().partition("[testenv:train]")[2]
    lines = section.partition("commands =")[2].split("\n\n")[0].strip().splitlines()
    train_it, package_it = (
        line.format(toxinidir=again, posargs=f"--data {rows}").split()[1:] for line in lines
    )
    done = train(*train_it)
    assert done.code == 0, done.err
    done = run(*package_it)
    assert done.code == 0, done.err
    assert (again / "titanic_model" / "VERSION").read_text() == "2.0.0\n"
    assert "--from-number 3" in (again / "tox.ini").read_text()


def test_it_serves_where_it_is_told_to(package: Path) -> None:
    """The program behind ``tox -e run``, on $PORT."""
    port = free_port()
    server = subprocess.Popen(
        [sys.executable, "-m", "titanic_model.service"],
        cwd=package,
        env={**plain(), "PYTHONPATH": str(package), "PORT": str(port)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        row = {
            "pclass": 1,
            "sex": "female",
            "sibsp": 0,
            "parch": 0,
            "fare": 80.0,
            "embarked": "C",
            "name": "A, Miss. B",
        }
        status, answer = _patiently(f"http://127.0.0.1:{port}/predict", {"inputs": [row]})
        assert status == 200 and answer["predictions"] in ([0], [1]) and answer["errors"] is None
        status, answer = post(f"http://127.0.0.1:{port}/predict", {"inputs": [{**row, "age": -3}]})
        assert status == 400 and answer["detail"][0]["column"] == "age"
    finally:
        server.terminate()
        server.wait(10)


def _patiently(url: str, body: Any) -> tuple[int, Any]:
    import time

    for _ in range(200):
        try:
            return post(url, body)
        except OSError:
            time.sleep(0.1)
    raise AssertionError("it does not serve")


def test_nothing_is_written_over(titanic: Path, tmp_path: Path) -> None:
    """Not somebody's folder, and an earlier package only with --replace."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("x")
    taken = run("package", titanic, "--output", tmp_path / "mine", "--replace")
    assert taken.code == 2 and "something else" in taken.err
    target = tmp_path / "package"
    assert run("package", titanic, "--output", target).code == 0
    assert run("package", titanic, "--output", target).code == 2
    assert run("package", titanic, "--output", target, "--replace").code == 0


def test_it_asks_for_the_libraries_modelwright_asks_for() -> None:
    """The same bounds as the serving core's."""
    import tomllib

    ours = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["dependencies"]
    template = REPOSITORY / "src/modelwright/deploy/python_package/templates/pyproject.toml.j2"
    text = template.read_text()
    for line in ours:
        name = re.split(r"[><\[]", line)[0]
        if name in ("msgspec", "numpy", "onnxruntime"):
            assert f'"{line}"' in text
    assert (template.parent / "LICENSE.j2").read_text() == (REPOSITORY / "LICENSE").read_text()
    assert (EXAMPLES / "titanic" / "features.py").is_file()
