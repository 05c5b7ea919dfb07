"""The iris system in a container: built, replaced and tried by its ``deploy.sh``, with a real Docker engine.

Needs an engine that answers and the image that the Dockerfile begins with; see CONTRIBUTING.md.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import wheels
from acceptance.program import REPOSITORY, environment, example, get, post, run
from servers import free_port

pytestmark = pytest.mark.slow

BASE = f"python:{sys.version_info[0]}.{sys.version_info[1]}-slim"
Script = Callable[..., subprocess.CompletedProcess[str]]


def docker(*words: str) -> subprocess.CompletedProcess[str]:
    """Run Docker's program."""
    return subprocess.run(["docker", *words], capture_output=True, text=True, check=False, timeout=120)


@pytest.fixture(scope="module")
def engine() -> None:
    """A Docker engine with the image to begin with."""
    if shutil.which("docker") is None:
        pytest.skip("Docker is not installed")
    if docker("info").returncode:
        pytest.skip("no Docker engine answers (DOCKER_HOST names one)")
    if docker("image", "inspect", BASE).returncode and docker("pull", "--quiet", BASE).returncode:
        pytest.skip(f"the image {BASE} is neither here nor can it be pulled")


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Wheels of this checkout and of what it asks for, so that the build asks nobody."""
    folder = tmp_path_factory.mktemp("wheels")
    asked = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["dependencies"]
    for distribution in wheels.closure(asked):
        wheels.repacked(distribution, folder)
    wheels.own_wheel(REPOSITORY, folder)
    return folder


@pytest.fixture(scope="module")
def iris(engine: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example, trained."""
    folder = example("iris", tmp_path_factory.mktemp("container"))
    done = run("train", folder)
    assert done.code == 0, done.err
    return folder


@pytest.fixture(scope="module")
def name() -> str:
    """Of the container, this test run's own."""
    return f"iris-test-{os.getpid()}"


@pytest.fixture(scope="module")
def port() -> int:
    """Where it is published."""
    return free_port()


@pytest.fixture(scope="module")
def deploy(
    iris: Path, packed: Path, name: str, port: int, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Script]:
    """The example's ``deploy.sh``; what it made is gone afterwards."""
    folder = tmp_path_factory.mktemp("bin")
    (folder / "modelwright").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m modelwright "$@"\n')
    (folder / "modelwright").chmod(0o755)
    env = environment(PATH=f"{folder}{os.pathsep}{os.environ['PATH']}", PYTHON=sys.executable, NAME=name,
                      PORT=str(port), WHEELS=str(packed))  # fmt: skip

    def script(*words: str, **extra: str) -> subprocess.CompletedProcess[str]:
        call = [str(iris / "deploy.sh"), *words]
        return subprocess.run(call, env=env | extra, capture_output=True, text=True, timeout=400, check=False)

    try:
        yield script
    finally:
        script("stop")
        docker("volume", "rm", f"{name}-data")
        docker("image", "rm", f"{name}:latest")


@pytest.fixture(scope="module")
def deployed(deploy: Script) -> None:
    """It, in service."""
    done = deploy()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Deployed" in done.stdout


def state(name: str, form: str) -> str:
    """What the engine knows of a container."""
    return docker("container", "inspect", "--format", form, name).stdout.strip()


def test_it_answers_and_may_do_nothing_else(deployed: None, name: str, port: int) -> None:
    """As a user of its own, without rights, on a root that cannot be written; the engine finds it healthy."""
    url = f"http://127.0.0.1:{port}"
    assert post(f"{url}/predict", {"features": [5.1, 3.5, 1.4, 0.2]})[1]["prediction_name"] == "setosa"
    told = docker("exec", name, "sh", "-c", "id -u; grep CapEff /proc/1/status; touch /x /srv/bundle/x")
    assert told.stdout.split() == ["10001", "CapEff:", "0000000000000000"]
    assert told.stderr.count("Read-only file system") == 2
    check = json.loads(state(name, "{{json .Config.Healthcheck.Test}}"))
    assert docker("exec", name, *check[1:]).returncode == 0
    nothing_of_training = (
        "import importlib.util as u; assert not any(map(u.find_spec, ['sklearn', 'pandas']))"
    )
    assert docker("exec", name, "/opt/venv/bin/python", "-c", nothing_of_training).returncode == 0
    size = int(docker("image", "inspect", "--format", "{{.Size}}", f"{name}:latest").stdout)
    base = int(docker("image", "inspect", "--format", "{{.Size}}", BASE).stdout)
    assert size - base < 300e6


def test_it_is_replaced_and_forgets_nothing(deployed: None, deploy: Script, name: str, port: int) -> None:
    """A second deployment is another container; what the first one answered is still known."""
    url = f"http://127.0.0.1:{port}"
    _, answer = post(f"{url}/predict", {"features": [6.3, 3.3, 6.0, 2.5]})
    before = state(name, "{{.Id}}")
    done = deploy()
    assert done.returncode == 0, done.stdout + done.stderr
    assert state(name, "{{.Id}}") != before
    assert get(f"{url}/predictions/{answer['prediction_id']}")[0] == 200
    assert state(f"{name}-before", "{{.Id}}") == ""


def test_one_that_does_not_work_is_taken_back(
    deployed: None, deploy: Script, iris: Path, name: str, port: int
) -> None:
    """A bundle that somebody changed is not served: the container from before answers again."""
    before = state(name, "{{.Id}}")
    graph = next((iris / ".modelwright" / "bundles" / "v1").glob("*.onnx"))
    good = graph.read_bytes()
    graph.write_bytes(good[:-1] + b"?")
    try:
        done = deploy(WAIT="8")
    finally:
        graph.write_bytes(good)
    assert done.returncode == 1 and "is back" in done.stderr, done.stdout + done.stderr
    assert "checksum" in done.stderr
    assert state(name, "{{.Id}}") == before
    wait = [str(iris / "wait-healthy.sh"), f"http://127.0.0.1:{port}"]
    assert subprocess.run(wait, check=False, capture_output=True).returncode == 0


def test_it_ends_when_it_is_told_to(deployed: None, deploy: Script, name: str) -> None:
    """By the signal that an engine sends, with nothing left undone; then it is out of service."""
    assert docker("stop", "--time", "20", name).returncode == 0
    assert state(name, "{{.State.ExitCode}}") == "0"
    assert docker("start", name).returncode == 0
    assert deploy("stop").returncode == 0
    assert state(name, "{{.Id}}") == ""
    assert deploy().returncode == 0
