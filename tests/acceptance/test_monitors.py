"""A served project is watched: a shift is noticed and named, quality too, across kills and restarts."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from browser import needed
from modelwright.bundle.read import verify
from modelwright.monitor.standing import LiveView, live_view
from modelwright.serve.auth.api_keys import create_key
from servers import free_port
from serving import Server, eventually, release, stored
from watched import NAMES, rows, write_bundle

pytestmark = pytest.mark.slow
PROJECT = """\
name: iris
data: {source: rows.csv, target: target}
monitor: {window: 200}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project whose bundle has a real profile, live."""
    (tmp_path / "project.yaml").write_text(PROJECT)
    work_dir = tmp_path / ".modelwright"
    release(work_dir, 1, verify(write_bundle(work_dir / "bundles", 1)))
    return tmp_path


def predict(server: Server, matrix: np.ndarray) -> list[str]:
    """Ids of the answers."""
    ids: list[str] = []
    for start in range(0, len(matrix), 200):
        body = {"instances": [dict(zip(NAMES, map(float, row), strict=True)) for row in matrix[start:][:200]]}
        answer = server.client.post("/predict", json=body)
        assert answer.status_code == 200, answer.text
        ids += [each["prediction_id"] for each in answer.json()["predictions"]]
    return ids


def label(server: Server, ids: list[str], targets: Any) -> None:
    """Send the truths."""
    told = [{"prediction_id": id, "target": int(each)} for id, each in zip(ids, targets, strict=True)]
    answer = server.client.post("/feedback", json={"feedback": told})
    assert answer.status_code == 201, answer.text


def seen(store: Any, count: int) -> LiveView:
    """The monitors' view once they have read so many predictions."""

    def look() -> LiveView | None:
        view = live_view(store, "iris")
        return view if view is not None and view.rows >= count else None

    found: LiveView = eventually(look, seconds=30)
    return found


def kill(server: Server, role: str) -> None:
    """As the kernel would for want of memory."""
    (pid,) = eventually(lambda: server.children(role))
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: [each for each in server.children(role) if each != pid], seconds=20)


def test_a_shift_is_named_and_stable_rows_are_not(project: Path) -> None:
    """Stable rows raise nothing; then one feature moves while keeper and monitors are killed: one alarm."""
    with (
        Server("--workers", "1", cwd=project, monitor=True) as server,
        stored(project / ".modelwright") as store,
    ):
        matrix, target = rows(1_200, 5)
        label(server, predict(server, matrix), target)
        view = seen(store, 1_200)
        assert (view.version, view.alarms) == (1, ())
        eventually(lambda: live_view(store, "iris").quality)
        moved, target = rows(400, 6)
        moved[:, 3] += 1.5
        predict(server, moved[:100])
        kill(server, "monitor")
        kill(server, "keeper")
        predict(server, moved[100:])
        seen(store, 1_600)
        events = eventually(lambda: store.events.list("iris", kind="drift"))
        assert [event.data["name"] for event in events if event.data["topic"] == "values"] == ["f3"]
        assert (project / ".modelwright" / events[-1].data["picture"]).is_file()
    with Server("--workers", "1", cwd=project, monitor=True), stored(project / ".modelwright") as store:
        view = seen(store, 1_600)
        assert [alarm.name for alarm in view.alarms if alarm.topic == "values"] == ["f3"]
        assert len(store.events.list("iris", kind="drift")) == len(events)


@pytest.fixture
def triggered(project: Path) -> Path:
    """The project with triggers; nothing is trained here, so its jobs wait."""
    retrain = "retrain: {new_samples: 10, quality: {accuracy: 0.8, window: 100}, cooldown: 1h}\n"
    (project / "project.yaml").write_text(PROJECT + retrain)
    return project


def test_quality_under_its_floor_becomes_a_job(triggered: Path) -> None:
    """Wrong answers over a whole window: an alarm, gauges in both metrics, and one job with the reason."""
    (triggered / "project.yaml").write_text(
        PROJECT + "retrain: {quality: {accuracy: 0.8, window: 100}, cooldown: 1h}\n"
    )
    with (
        Server("--workers", "1", cwd=triggered, monitor=True, retrain=True) as server,
        stored(triggered / ".modelwright") as store,
    ):
        matrix, target = rows(120, 7)
        label(server, predict(server, matrix), 1 - target)
        (job,) = eventually(lambda: store.jobs.list("iris"), seconds=30)
        assert job.trigger == "quality" and "the floor is 0.8" in job.reason
        (asked,) = eventually(lambda: store.events.list("iris", kind="retrain_asked"), seconds=30)
        assert asked.data["job"] == job.id
        (alarm,) = eventually(lambda: store.events.list("iris", kind="quality"), seconds=30)
        assert (alarm.data["topic"], alarm.data["metric"]) == ("floor", "accuracy")
        (quality,) = server.client.get("/metrics").json()["live"]["quality"]
        assert quality["below"] == ["accuracy"] and quality["metrics"]["accuracy"]["high"] < 0.8
        text = server.client.get("/prometheus_metrics").text
        assert 'modelwright_alarms{kind="quality",name="iris"} 1.0' in text
        assert (
            'modelwright_live_quality_high{metric="accuracy",model="model",name="iris",version="1"}' in text
        )


def test_the_sample_that_reaches_the_threshold_makes_the_job(triggered: Path) -> None:
    """The tenth answer says so and names the job; thresholds set meanwhile hold at once and say who."""
    with Server("--workers", "1", cwd=triggered) as server:
        sample = {"features": dict.fromkeys(NAMES, 0.5), "target": 1}

        def send() -> dict[str, Any]:
            answer = server.client.post("/add_training_data", json=sample)
            assert answer.status_code == 201, answer.text
            return dict(answer.json())

        told = [send() for _ in range(9)]
        assert not any(each["retrain_triggered"] for each in told)
        body = {"thresholds": {"retrain.new_samples": 12}, "reason": "too often"}
        held = server.client.post("/thresholds", json=body).json()["thresholds"]
        assert next(each for each in held if each["name"] == "retrain.new_samples")["value"] == 12
        assert server.client.get("/metrics").json()["retrain_threshold"] == 12
        assert not send()["retrain_triggered"] and not send()["retrain_triggered"]
        last = send()
        assert (last["threshold_reached"], last["retrain_triggered"]) == (True, True)
        again = server.client.post("/trigger_retrain", json={"reason": "now"}).json()
        assert (again["status"], again["job_id"]) == ("already_under_way", last["job_id"])
        assert send()["job_id"] == last["job_id"]
        for wrong in ({}, {"thresholds": {"retrain.samples": 1}}, {"thresholds": {"monitor.window": 20}}):
            assert server.client.post("/thresholds", json=wrong).status_code == 400


def test_a_trigger_may_ask_for_so_many_rows(triggered: Path) -> None:
    """``trigger_threshold`` counts, ``force_retrain`` false takes the project's, true takes none."""
    with Server("--workers", "1", cwd=triggered) as server:

        def ask(**body: Any) -> tuple[int, Any]:
            answer = server.client.post("/trigger_retrain", json=body)
            return answer.status_code, answer.json()

        status, told = ask(trigger_threshold=5)
        assert (status, told["retrain_triggered"], told["trigger_threshold"]) == (200, False, 5)
        status, told = ask(force_retrain=False)
        assert (status, told["status"], told["trigger_threshold"]) == (200, "not_triggered", 10)
        for wrong in ({"force_retrain": "yes"}, {"trigger_threshold": 0}, {"trigger_threshold": True}):
            assert ask(**wrong)[0] == 400
        status, told = ask(trigger_threshold=5, force_retrain=True)
        assert (status, told["status"], told["retrain_triggered"]) == (202, "queued", True)


def test_alertmanager_may_ask_with_its_own_key(triggered: Path) -> None:
    """With a bearer key of the scope "retrain": firing makes one job, told again or resolved nothing."""
    work_dir = triggered / ".modelwright"
    with stored(work_dir) as store:
        keys = {scope: create_key(store.keys, scope, [scope])[0] for scope in ("retrain", "predict")}
    with Server("--workers", "1", "--auth", "keys", cwd=triggered) as server, stored(work_dir) as store:

        def tell(status: str, key: str = "retrain", name: str = "QualityLow") -> Any:
            body = {
                "version": "4",
                "status": status,
                "alerts": [
                    {
                        "status": status,
                        "labels": {"alertname": name},
                        "annotations": {"summary": "f1 is 0.7"},
                        "startsAt": "2026-11-21T11:20:24.123Z",
                        "fingerprint": name,
                    }
                ],
            }
            header = {"authorization": f"Bearer {keys[key]}", "content-type": "application/json"}
            return server.client.post("/webhooks/alertmanager", json=body, headers=header)

        assert server.client.post("/webhooks/alertmanager", json={}).status_code == 401
        assert tell("firing", "predict").status_code == 403
        assert tell("resolved").json()["status"] == "nothing_to_do"
        assert tell("firing").json()["status"] == "queued"
        assert tell("firing").json()["status"] == "nothing_to_do"
        assert tell("firing", name="Another").json()["status"] == "cooling_down"
        (job,) = store.jobs.list("iris")
        assert (job.trigger, job.reason) == ("alertmanager", "QualityLow: f1 is 0.7")


@contextlib.contextmanager
def alertmanager(folder: Path, webhook: str) -> Iterator[str]:
    """A real Alertmanager that tells ``webhook`` with the key in a file; its address."""
    program = shutil.which("prometheus-alertmanager")
    if program is None:
        needed("prometheus-alertmanager is not installed (scripts/system-packages installs it)")
    config = folder / "alertmanager.yml"
    config.write_text(
        "route: {receiver: us, group_wait: 0s, group_interval: 1s, repeat_interval: 1s}\n"
        f"receivers: [{{name: us, webhook_configs: [{{url: '{webhook}', http_config: "
        f"{{authorization: {{credentials_file: '{folder / 'key'}'}}}}}}]}}]\n"
    )
    port = free_port()
    process = subprocess.Popen(
        [
            str(program),
            f"--config.file={config}",
            f"--storage.path={folder / 'alertmanager'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--cluster.listen-address=",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)


def test_a_real_alertmanager_reaches_the_webhook(triggered: Path, tmp_path: Path) -> None:
    """What Alertmanager itself sends, again every second, makes one job with the alert's name."""
    work_dir = triggered / ".modelwright"
    with stored(work_dir) as store:
        (tmp_path / "key").write_text(create_key(store.keys, "alertmanager", ["retrain"])[0])
    with (
        Server("--workers", "1", "--auth", "keys", cwd=triggered) as server,
        stored(work_dir) as store,
        alertmanager(tmp_path, f"{server.url}/webhooks/alertmanager") as address,
    ):
        alert = {"labels": {"alertname": "ModelwrightDrift"}, "annotations": {"summary": "f3 moved"}}

        def fire() -> Any:
            with contextlib.suppress(httpx.HTTPError):  # it may not listen yet
                httpx.post(f"{address}/api/v2/alerts", json=[alert])
            return store.events.list("iris", kind="alert_heard")

        (heard,) = eventually(fire, seconds=30, every=0.5)
        time.sleep(3)  # long enough for Alertmanager to tell it again
        (job,) = store.jobs.list("iris")
        assert (job.trigger, job.reason) == ("alertmanager", "ModelwrightDrift: f3 moved")
        assert len(store.events.list("iris", kind="alert_heard")) == 1
        assert heard.data["alert"] == "ModelwrightDrift"


def test_what_one_client_floods_is_refused(triggered: Path) -> None:
    """Beyond its limit a client's orphans and samples get 429; what belongs to a prediction is taken."""
    with (
        Server("--workers", "1", "--max-waiting", "20", cwd=triggered) as server,
        stored(triggered / ".modelwright") as store,
    ):
        (known,) = predict(server, rows(1, 8)[0])
        strangers = [{"prediction_id": f"nobody-{number}", "target": 1} for number in range(30)]
        told = [*strangers, {"prediction_id": known, "target": 1}]
        answer = server.client.post("/feedback", json={"feedback": told})
        outcomes = answer.json()["outcomes"]
        assert (outcomes["orphan"], outcomes["refused"], outcomes["joined"]) == (20, 10, 1)
        again = server.client.post("/feedback", json={"prediction_id": "nobody-x", "target": 1})
        assert again.status_code == 429 and again.headers["retry-after"]
        samples = [{"features": dict.fromkeys(NAMES, 0.5), "target": 1}] * 21
        assert server.client.post("/add_training_data", json={"samples": samples}).status_code == 429
        assert server.client.post("/add_training_data", json={"samples": samples[:20]}).status_code == 201
        assert (store.labels.orphans("iris"), store.samples.pending("iris")) == (20, 20)
