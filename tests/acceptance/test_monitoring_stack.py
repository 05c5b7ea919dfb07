"""The monitoring set-up in its own programs: a real Prometheus and Alertmanager beside a real server."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest

from modelwright.bundle.read import verify
from modelwright.deploy.monitoring.render import render
from modelwright.deploy.monitoring.settings import MonitoringSettings
from modelwright.deploy.writing import write_files
from servers import free_port
from serving import Server, eventually, release, stored
from watched import NAMES, rows, write_bundle

pytestmark = pytest.mark.slow
PROJECT = """\
name: iris
data: {source: rows.csv, target: target}
monitor: {window: 100}
retrain: {quality: {accuracy: 0.8, window: 100}, cooldown: 1h}
"""


def program(*names: str) -> str:
    """The first of these that is installed."""
    for name in names:
        if found := shutil.which(name):
            return found
    pytest.skip(f"{names[0]} is not installed (scripts/system-packages installs it)")


@contextlib.contextmanager
def running(log: Path, *command: str) -> Iterator[None]:
    """A program while the block runs."""
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out)
        try:
            yield
        finally:
            process.terminate()
            process.wait(20)


def hurried(text: str) -> str:
    """The same rules without their patience."""
    return re.sub(r"for: \d+m", "for: 0s", text)


def traffic(server: Server) -> None:
    """Rows with wrong truths, one refused request, and a sample."""
    matrix, target = rows(300, 7)
    told = []
    for start in range(0, len(matrix), 100):
        some = [dict(zip(NAMES, map(float, row), strict=True)) for row in matrix[start : start + 100]]
        answer = server.client.post("/predict", json={"instances": some}).json()
        told += [each["prediction_id"] for each in answer["predictions"]]
    truths = [
        {"prediction_id": id, "target": int(1 - each)}
        for id, each in zip(told, np.asarray(target), strict=True)
    ]
    assert server.client.post("/feedback", json={"feedback": truths}).status_code == 201
    assert server.client.post("/predict", json={"features": ["x"]}).status_code == 400


def test_quality_falls_and_a_retraining_is_asked_for(tmp_path: Path) -> None:
    """F1 under its floor fires, goes through Alertmanager and becomes a job; every panel has data."""
    prometheus, alertmanager = program("prometheus"), program("prometheus-alertmanager", "alertmanager")
    work_dir = tmp_path / ".modelwright"
    (tmp_path / "project.yaml").write_text(PROJECT)
    release(work_dir, 1, verify(write_bundle(work_dir / "bundles", 1)))
    with Server("--workers", "1", cwd=tmp_path, monitor=True) as server, stored(work_dir) as store:
        ports = free_port(), free_port()
        settings = MonitoringSettings(
            project="iris",
            targets=(server.url.removeprefix("http://"),),
            alertmanager=f"127.0.0.1:{ports[1]}",
            interval="1s",
            wait="1s",
            floors={"f1": 0.8},
            higher={"f1": True},
        )
        write_files({path: hurried(text) for path, text in render(settings).items()}, tmp_path / "monitoring")
        folder = tmp_path / "monitoring"
        listen = "--web.listen-address=127.0.0.1:"
        with (
            running(
                tmp_path / "alertmanager.log",
                alertmanager,
                f"--config.file={folder / 'alertmanager/alertmanager.yml'}",
                f"--storage.path={tmp_path / 'am'}",
                f"{listen}{ports[1]}",
                "--cluster.listen-address=",
            ),
            running(
                tmp_path / "prometheus.log",
                prometheus,
                f"--config.file={folder / 'prometheus/prometheus.yml'}",
                f"--storage.tsdb.path={tmp_path / 'tsdb'}",
                f"{listen}{ports[0]}",
            ),
        ):
            traffic(server)
            (job,) = eventually(lambda: store.jobs.list("iris"), seconds=60)
            assert "ModelwrightQualityF1" in job.reason
            api = httpx.Client(base_url=f"http://127.0.0.1:{ports[0]}", timeout=10)
            with api:
                samples = eventually(lambda: _complete(api, folder), seconds=45)
        assert len(samples) > 20


def _asked(api: httpx.Client, folder: Path) -> dict[str, int]:
    """How many samples each query of each panel gives now."""
    found = {}
    for file in sorted((folder / "grafana/dashboards").iterdir()):
        for panel in json.loads(file.read_text())["panels"]:
            for target in panel["targets"]:
                query = target["expr"].replace("$__rate_interval", "30s")
                query = re.sub(r"\$(instance|name|metric)\b", ".*", query)
                answer = api.get("/api/v1/query", params={"query": query}).json()
                assert answer["status"] == "success", (panel["title"], answer)
                found[f"{panel['title']}: {query}"] = len(answer["data"]["result"])
    return found


def _complete(api: httpx.Client, folder: Path) -> dict[str, int]:
    """The same, once every query has data."""
    found = _asked(api, folder)
    return found if all(found.values()) else {}
