"""A served project is watched: a shift is noticed and named, quality too, across kills and restarts."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelwright.bundle.read import verify
from modelwright.monitor.standing import LiveView, live_view
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
