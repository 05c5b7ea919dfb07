"""``modelwright top`` beside a running server."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from acceptance.program import environment
from modelwright.serve.auth.api_keys import create_key
from serving import SETOSA, Server, iris_project, stored

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with one released version."""
    return iris_project(tmp_path_factory.mktemp("iris"))


def top(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run it as a process of its own, on a pipe."""
    return subprocess.run(
        [sys.executable, "-m", "modelwright", "top", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**environment(), **more},
    )


def test_what_a_server_answered_is_what_it_shows(project: Path) -> None:
    """Counts by answer, the routes asked, every process; the same as JSON; no colours on a pipe."""
    with Server("--workers", "2", cwd=project) as server:
        for _ in range(7):
            assert server.client.post("/predict", json={"features": SETOSA}).status_code == 200
        assert server.client.get("/predict").status_code == 405
        assert server.client.get("/nowhere/at/all").status_code == 404
        text = server.client.get("/prometheus_metrics").text
        found = json.loads(top(server.url, "--once", "--json").stdout)
        shown = top(server.url, "--once").stdout
    for status in (
        "404",
        "405",
    ):  # what no route takes is counted too, not under a name of the client's choice
        assert f'modelwright_requests_total{{protocol="http",route="other",status="{status}"}} 1.0' in text
    assert "nowhere" not in text
    assert 'seconds_count{protocol="http",route="other"}' not in text, "nobody timed them"
    (model,) = found["models"]
    assert (model["name"], model["predictions"], model["answers"]) == ("iris", 7, {"setosa": 7})
    assert {row["route"] for row in found["routes"]} >= {"/predict"}
    assert sorted(one["role"] for one in found["processes"]) == ["keeper", "worker", "worker"]
    assert "setosa" in shown and "100.0%" in shown and "\x1b" not in shown


def test_a_key_that_is_missing_is_asked_for(project: Path) -> None:
    """The message names the variable that takes it, and the key works from there."""
    with stored(project / ".modelwright") as store:
        secret = create_key(store.keys, "pager", scopes=("read",))[0]
    with Server("--workers", "1", "--auth", "keys", cwd=project) as server:
        refused = top(server.url, "--once")
        let_in = top(server.url, "--once", MODELWRIGHT_API_KEY=secret)
    assert refused.returncode == 7 and "MODELWRIGHT_API_KEY" in refused.stderr
    assert let_in.returncode == 0 and "requests/s" in let_in.stdout
