"""The fraud system: its decision, its workflow, and that a silent fault is noticed."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from acceptance.program import EXAMPLES, Server, environment, example, get, post, run, serving, train
from modelwright.bundle.read import verify

pytestmark = pytest.mark.slow
WORKFLOW = EXAMPLES / "fraud" / ".github" / "workflows" / "evaluate.yml"
DATA = "data/synthetic.csv"


@pytest.fixture(scope="module")
def fraud(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example over synthetic payments, trained with its quickest candidate."""
    folder = example("fraud", tmp_path_factory.mktemp("fraud"))
    subprocess.run(
        [sys.executable, folder / "make_data.py", "--rows", "1500"], check=True, capture_output=True
    )
    file = yaml.safe_load((folder / "project.yaml").read_text())
    file["train"]["candidates"] = ["logistic_regression"]
    (folder / "project.yaml").write_text(yaml.safe_dump(file, sort_keys=False))
    done = train("train", folder)
    assert done.code == 0, done.err
    return folder


@pytest.fixture(scope="module")
def server(fraud: Path) -> Iterator[Server]:
    """It, served."""
    with serving("serve", fraud, "--workers", "1", "--no-retrain") as running:
        yield running


def rows(fraud: Path) -> list[dict[str, str]]:
    with (fraud / DATA).open(newline="") as file:
        return list(csv.DictReader(file))


def test_score_and_decision_are_the_same_everywhere(fraud: Path, server: Server, tmp_path: Path) -> None:
    """Through the fast lane, the longer way, and ``predict``; the threshold is the version's."""
    (entry,) = verify(fraud / ".modelwright" / "bundles" / "v1").models
    assert entry.threshold is not None and entry.threshold < 0.5
    some = rows(fraud)[:60]
    file = tmp_path / "rows.csv"
    with file.open("w", newline="") as out:
        writer = csv.DictWriter(out, list(some[0]))
        writer.writeheader()
        writer.writerows(some)
    told = run("predict", "--project", fraud, file, "--json")
    decisions = set()
    for row, offline in zip(some, told.json, strict=True):
        features = {name: float(value) for name, value in row.items() if name not in ("id", "Class")}
        quick = post(f"{server.url}/predict", features)[1]
        longer = post(f"{server.url}/predict", {"features": {**row, "Class": None}})[1]  # all as text
        for answer in (quick, longer, offline):
            assert answer["threshold"] == entry.threshold
            assert answer["score"] == answer["probabilities"]["fraud"]
            assert answer["prediction"] == int(answer["score"] >= entry.threshold)
        assert quick["score"] == longer["score"] == pytest.approx(offline["score"], abs=1e-6)
        decisions.add(quick["prediction"])
    assert decisions == {0, 1}
    document = get(f"{server.url}/openapi.json")[1]
    assert f'"const": {entry.threshold}' in json.dumps(document)


def test_the_live_service_is_as_good_as_the_version(fraud: Path, server: Server, tmp_path: Path) -> None:
    """What training measured is what a client gets; a scaler that saw other columns would show here."""
    promised = run("versions", fraud, "--json").json[0]["metrics"]["accuracy"]
    call = ("evaluate", server.url, "--project", fraud, "--data", fraud / DATA, "--sample", "300", "--json")
    done = run(*call, "--seed", "5", "--floor", f"accuracy={promised['low'] - 0.02}", cwd=tmp_path)
    assert done.code == 0, done.out + done.err
    assert "accuracy=" in (tmp_path / "predictions_log.txt").read_text()


def steps() -> dict[str, str]:
    """The workflow's shell steps by name."""
    job = yaml.safe_load(WORKFLOW.read_text())["jobs"]["evaluate"]
    return {step["name"]: step["run"] for step in job["steps"] if "run" in step}


def test_the_workflow_does_what_it_says(fraud: Path, server: Server, tmp_path: Path) -> None:
    """Its shell steps, run in a clone: the log is committed and pushed, also where a floor is not met."""
    origin, clone = tmp_path / "origin.git", tmp_path / "clone"
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", origin], check=True)
    shutil.copytree(fraud, clone, ignore=shutil.ignore_patterns(".modelwright", ".dvc", "*.dvc"))
    for words in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-qm", "Start"],
                  ["remote", "add", "origin", str(origin)]):  # fmt: skip
        subprocess.run(["git", *words], cwd=clone, check=True)
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "modelwright").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m modelwright "$@"\n')
    (folder / "modelwright").chmod(0o755)
    env = environment(PATH=f"{folder}{os.pathsep}{os.environ['PATH']}", SERVICE_URL=server.url, TOKEN="none",
                      GITHUB_REF_NAME="main", GITHUB_ENV=str(tmp_path / "env"))  # fmt: skip

    def step(name: str, script: str) -> int:
        done = subprocess.run(
            ["bash", "-e", "-c", script], cwd=clone, env=env, capture_output=True, text=True, check=False
        )
        return done.returncode

    assert list(steps()) == ["Install", "Serve", "Evaluate", "Commit the log"]
    assert step("Evaluate", steps()["Evaluate"]) == 0
    assert step("Commit the log", steps()["Commit the log"]) == 0
    strict = steps()["Evaluate"].replace("accuracy=0.9", "accuracy=1.01")
    assert step("Evaluate", strict) == 13
    assert step("Commit the log", steps()["Commit the log"]) == 0
    pushed = subprocess.run(
        ["git", "show", "main:predictions_log.txt"], cwd=origin, capture_output=True, text=True, check=True
    )
    lines = pushed.stdout.splitlines()
    assert len(lines) == 2 and all(
        re.search(r"commit=[0-9a-f]{40}\S* version=1 accuracy=[01]\.\d+ n=100", line) for line in lines
    )


@pytest.mark.parametrize(
    "checker",
    [["zizmor", "--offline"], ["check-jsonschema", "--builtin-schema", "vendor.github-workflows"]],
    ids=["zizmor", "schema"],
)
def test_the_workflow_is_in_order(checker: list[str]) -> None:
    """As those who check workflows see it."""
    program = Path(sys.executable).with_name(checker[0])
    if not program.exists():
        pytest.skip(f"{checker[0]} is not installed")
    done = subprocess.run([program, *checker[1:], WORKFLOW], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
