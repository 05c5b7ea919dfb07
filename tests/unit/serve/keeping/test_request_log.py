"""Predictions in a file of JSON lines."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from modelwright.serve.keeping.request_log import RequestLog
from modelwright.store.records import PredictionRecord


def record(id: str) -> PredictionRecord:
    return PredictionRecord(
        id=id,
        project="iris",
        version=2,
        time=datetime(2026, 3, 1, tzinfo=UTC),
        status=200,
        inputs={"größe": 1.5},
        outputs=msgspec.Raw(b'{"prediction":0}'),
    )


def test_a_line_is_a_prediction(tmp_path: Path) -> None:
    """With what was sent and what was answered; its folder is made."""
    log = RequestLog(tmp_path / "logs" / "requests.log")
    log.write([record("a"), record("b")])
    log.write([record("c")])
    lines = [json.loads(line) for line in (tmp_path / "logs" / "requests.log").read_text().splitlines()]
    assert [line["id"] for line in lines] == ["a", "b", "c"]
    assert lines[0]["inputs"] == {"größe": 1.5} and lines[0]["outputs"] == {"prediction": 0}
    assert (lines[0]["version"], lines[0]["time"]) == (2, "2026-03-01T00:00:00Z")


def test_a_large_file_begins_anew(tmp_path: Path) -> None:
    """The newest of what was before is .1, and no more are kept than were asked for."""
    log = RequestLog(tmp_path / "r.log", most_bytes=600, kept=2)
    for number in range(12):
        log.write([record(f"id-{number}")])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["r.log", "r.log.1", "r.log.2"]
    kept = [
        json.loads(line)["id"]
        for name in ("r.log.2", "r.log.1", "r.log")
        for line in (tmp_path / name).read_text().splitlines()
    ]
    assert kept == [f"id-{number}" for number in range(12 - len(kept), 12)]
    assert all(path.stat().st_size <= 600 for path in tmp_path.iterdir())


def test_a_disk_that_refuses_stops_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It is told once, and again when it is over."""
    (tmp_path / "logs").write_text("a file where the folder should be")
    log = RequestLog(tmp_path / "logs" / "requests.log")
    with caplog.at_level(logging.WARNING):
        log.write([record("a")])
        log.write([record("b")])
        assert len(caplog.records) == 1
        (tmp_path / "logs").unlink()
        log.write([record("c")])
    assert "written again" in caplog.records[-1].message
    assert (tmp_path / "logs" / "requests.log").read_text().count("\n") == 1
