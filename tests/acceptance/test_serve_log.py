"""``modelwright log``: the log as people take it elsewhere."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pyarrow.parquet as parquet
import pytest

from modelwright.testing.factories import NOON, prediction
from serving import PROJECT, SOURCE, stored

COUNT = 2345


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a log of more than two pages."""
    folder = tmp_path_factory.mktemp("iris")
    (folder / "project.yaml").write_text(PROJECT)
    (folder / ".modelwright").mkdir()
    with stored(folder / ".modelwright") as store:
        store.predictions.add(
            [prediction(f"p{number:05d}", time=NOON + timedelta(seconds=number)) for number in range(COUNT)]
        )
        store.predictions.add([prediction("bad", status=400, inputs="{", outputs={"error": "no JSON"})])
        store.labels.add("iris", "p00007", 2)
    return folder


def modelwright(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the program in ``project``."""
    return subprocess.run(
        [sys.executable, "-m", "modelwright", *arguments],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
    )


def test_the_whole_log_becomes_a_parquet_file(project: Path) -> None:
    """Every prediction once, refused ones too, with types a table wants and the label where it is known."""
    assert modelwright(project, "log", "export", "all.parquet").returncode == 0
    table = parquet.read_table(project / "all.parquet")
    assert table.num_rows == COUNT + 1
    rows = {row["prediction_id"]: row for row in table.to_pylist()}
    assert len(rows) == COUNT + 1
    assert rows["p00007"]["label"] == "2"
    assert rows["p00008"]["label"] is None
    assert rows["p00008"]["time"] == NOON + timedelta(seconds=8)
    assert json.loads(rows["p00008"]["inputs"])["sepal length (cm)"] == 5.1
    assert rows["bad"]["status"] == 400
    assert rows["bad"]["prediction"] is None


def test_a_spreadsheet_gets_csv_and_other_names_are_refused(project: Path) -> None:
    """The file's name says the form; one that says none is no file of another form."""
    assert modelwright(project, "log", "export", "all.csv").returncode == 0
    with (project / "all.csv").open(newline="", encoding="utf-8") as file:
        rows = {row["prediction_id"]: row for row in csv.DictReader(file)}
    assert len(rows) == COUNT + 1
    assert (rows["p00007"]["label"], rows["p00008"]["label"]) == ("2", "")
    assert rows["p00008"]["time"] == (NOON + timedelta(seconds=8)).isoformat()
    assert json.loads(rows["p00008"]["inputs"])["sepal length (cm)"] == 5.1
    for name in ("all.xlsx", "-"):
        refused = modelwright(project, "log", "export", name)
        assert (refused.returncode, ".parquet, .csv or .jsonl" in refused.stderr) == (2, True)
        assert not (project / name).exists()


def test_a_part_becomes_json_lines(project: Path) -> None:
    """Limits are kept, and values stay values."""
    ended = modelwright(
        project,
        "log",
        "export",
        "part.jsonl",
        "--since",
        "2026-01-02T12:00:10",
        "--until",
        "2026-01-02T12:00:20",
    )
    assert ended.returncode == 0
    lines = [json.loads(line) for line in (project / "part.jsonl").read_text().splitlines()]
    assert [line["prediction_id"] for line in lines] == [f"p{number:05d}" for number in range(19, 9, -1)]
    assert lines[0]["outputs"]["prediction_name"] == "setosa"
    ended = modelwright(project, "log", "export", "truth.jsonl", "--labelled", "--json")
    assert json.loads(ended.stdout) == {"file": "truth.jsonl", "predictions": 1}


def test_what_cannot_be_done_is_told(project: Path) -> None:
    """A wrong time and a place that cannot be written leave no file, and the right status."""
    assert modelwright(project, "log", "export", "x.parquet", "--since", "soon").returncode == 2
    assert modelwright(project, "log", "export", "/proc/x.parquet").returncode == 10
    assert modelwright(project, "log", "prune").returncode == 2
    assert not list(project.glob("*.partial"))


def test_the_old_end_is_cut_off(tmp_path: Path) -> None:
    """``prune`` keeps the newest."""
    (tmp_path / "project.yaml").write_text(PROJECT)
    (tmp_path / ".modelwright").mkdir()
    with stored(tmp_path / ".modelwright") as store:
        store.predictions.add([prediction(f"p{n}", time=NOON + timedelta(seconds=n)) for n in range(10)])
    ended = modelwright(tmp_path, "log", "prune", "--keep", "3", "--json")
    assert json.loads(ended.stdout) == {"deleted": 7}
    with stored(tmp_path / ".modelwright") as store:
        assert [record.id for record in store.predictions.history("iris")] == ["p9", "p8", "p7"]
