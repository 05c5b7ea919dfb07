"""The iris system: its scripts, its eight endpoints, its file of predictions."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from acceptance.program import Server, environment, example, get, post, run, serving
from servers import free_port

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def bin_path(tmp_path_factory: pytest.TempPathFactory) -> str:
    """PATH on which ``modelwright`` and ``python`` are this checkout's."""
    folder = tmp_path_factory.mktemp("bin")
    for name, call in {"modelwright": "-m modelwright ", "python": ""}.items():
        program = folder / name
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" {call}"$@"\n')
        program.chmod(0o755)
    return f"{folder}{os.pathsep}{os.environ['PATH']}"


@pytest.fixture(scope="module")
def iris(tmp_path_factory: pytest.TempPathFactory, bin_path: str) -> Path:
    """The example, through its own ``ci.sh``."""
    if shutil.which("curl") is None:
        pytest.skip("the example's scripts ask with curl, which is not installed")
    folder = example("iris", tmp_path_factory.mktemp("iris"))
    done = script(folder, "ci.sh", bin_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "All steps passed." in done.stdout
    return folder


def script(folder: Path, name: str, path: str, *words: str, **extra: str) -> subprocess.CompletedProcess[str]:
    """Run one of the example's scripts."""
    return subprocess.run(
        [folder / name, *words],
        env=environment(PATH=path, PORT=str(free_port()), DOCKER="none") | extra,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        stdin=subprocess.DEVNULL,
    )


@pytest.fixture(scope="module")
def server(iris: Path) -> Iterator[Server]:
    """The trained example, served."""
    with serving("serve", iris, "--workers", "1", "--no-retrain") as running:
        yield running


def test_eight_endpoints_answer(server: Server) -> None:
    """Health, predictions, training data, a retraining's trigger, metrics, dashboard, history."""
    row = [5.1, 3.5, 1.4, 0.2]
    assert get(f"{server.url}/health")[1]["status"] == "healthy"
    assert post(f"{server.url}/predict", {"features": row})[1]["prediction_name"] == "setosa"
    for _ in range(9):
        status, told = post(f"{server.url}/add_training_data", {"features": row, "target": 0})
        assert status < 300 and told["threshold_reached"] is False and told["retrain_threshold"] == 10
    assert post(f"{server.url}/add_training_data", {"features": row, "target": 0})[1]["threshold_reached"]
    assert post(f"{server.url}/trigger_retrain", {})[0] in (200, 202)
    assert get(f"{server.url}/metrics")[0] == 200
    for path in ("/prometheus_metrics", "/dashboard"):
        with urllib.request.urlopen(f"{server.url}{path}", timeout=10) as answer:
            assert answer.status == 200 and answer.read()
    assert get(f"{server.url}/predictions/history")[0] == 200


@pytest.mark.parametrize("value", [-0.1, 50.1, 1e9])
def test_a_measurement_has_limits(server: Server, value: float) -> None:
    """Between 0 and 50; at them it is answered."""
    status, told = post(f"{server.url}/predict", {"features": [5.1, 3.5, value, 0.2]})
    assert status == 400 and told["error"] == "Input validation failed"
    assert told["details"][0]["loc"][-1] == "petal length (cm)"
    for limit in (0, 50):
        assert post(f"{server.url}/predict", {"features": [5.1, 3.5, limit, 0.2]})[0] == 200


def test_predictions_are_in_the_file_too(server: Server, iris: Path) -> None:
    """As lines of JSON, beside the store."""
    _, told = post(f"{server.url}/predict", {"features": [6.3, 3.3, 6.0, 2.5]})
    file = iris / "logs" / "requests.log"
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        lines = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
        found = [line for line in lines if line["id"] == told["prediction_id"]]
        if found:
            break
        time.sleep(0.1)
    assert found[0]["outputs"]["prediction_name"] == "virginica" and found[0]["version"] == 1
    assert get(f"{server.url}/predictions/{told['prediction_id']}")[0] == 200


def test_without_docker_it_is_deployed_as_a_process(iris: Path, bin_path: str) -> None:
    """Replaced by a second run, and taken out of service."""
    port = str(free_port())
    first = script(iris, "deploy.sh", bin_path, PORT=port)
    try:
        assert first.returncode == 0 and "Deployed" in first.stdout, first.stdout + first.stderr
        before = (iris / ".modelwright" / "deployed.pid").read_text()
        second = script(iris, "deploy.sh", bin_path, PORT=port)
        assert second.returncode == 0, second.stdout + second.stderr
        assert (iris / ".modelwright" / "deployed.pid").read_text() != before
    finally:
        assert script(iris, "deploy.sh", bin_path, "stop").returncode == 0
    with pytest.raises(OSError):
        get(f"http://127.0.0.1:{port}/health")


def test_ci_fails_with_the_step_that_fails(iris: Path, bin_path: str, tmp_path: Path) -> None:
    """A project file with a mistake, and a test that fails, end it before anything is trained."""
    for place, break_it in enumerate((
        lambda folder: (folder / "project.yaml").write_text("name: iris\ntask: astrology\n"),
        lambda folder: (folder / "tests" / "test_more.py").write_text(
            "import unittest\nclass T(unittest.TestCase):\n    def test(self):\n        self.fail()\n"
        ),
    )):  # fmt: skip
        folder = example("iris", tmp_path / str(place))
        break_it(folder)
        done = script(folder, "ci.sh", bin_path)
        assert done.returncode != 0 and "== train" not in done.stdout
    assert run("versions", iris, "--json").json[0]["number"] == 1


def test_the_dockerfile_is_in_order(iris: Path) -> None:
    """As hadolint sees it."""
    program = Path(sys.executable).with_name("hadolint")
    if not program.exists():
        pytest.skip("hadolint is not installed")
    done = subprocess.run([program, iris / "Dockerfile"], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and not done.stdout, done.stdout
