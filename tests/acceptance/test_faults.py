"""What goes wrong around a training: the disk, an interruption, the folder; and what counts as a change."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from acceptance.program import command, environment, post, run, serving, train
from acceptance.tables import Row, delimited, wide

pytestmark = pytest.mark.slow

ROWS: list[Row] = wide(120, 3)


def make(folder: Path, **more: Any) -> Path:
    """A project of one quick candidate."""
    folder.mkdir(parents=True)
    (folder / "table.csv").write_bytes(delimited(ROWS))
    file = {
        "name": "table",
        "task": "classification",
        "data": {"source": "table.csv", "target": "class"},
        "train": {"candidates": ["decision_tree"]},
    }
    (folder / "project.yaml").write_text(yaml.safe_dump({**file, **more}))
    return folder


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a live version."""
    project = make(tmp_path_factory.mktemp("faults") / "project")
    done = train("up", project, "--no-serve", "--json")
    assert done.code == 0, done.err
    return project


def change_a_row(project: Path) -> None:
    """Let the data say something else in one cell."""
    table = project / "table.csv"
    lines = table.read_text().splitlines()
    cells = lines[5].split(",")
    lines[5] = ",".join(["0.5432", *cells[1:]])
    table.unlink()
    table.write_text("\n".join(lines) + "\n")


def largest_file(size: int) -> Callable[[], None]:
    """Let no file of a process grow beyond ``size`` bytes: what it meets is what a full disk does."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def in_the_way(place: Path) -> None:
    """Put a file where a folder is wanted."""
    if place.is_dir():
        shutil.rmtree(place)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(b"")


REFUSALS = ["store", "data versions", "plots", "experiment"]


@pytest.mark.parametrize("stage", REFUSALS)
def test_a_disk_that_refuses_is_told_and_the_champion_stays(tmp_path, trained, stage):
    """Wherever it strikes: exit code 10, the remedy, no half version; the live one answers as before."""
    project = Path(shutil.copytree(trained, tmp_path / "project", symlinks=True))
    work = project / ".modelwright"
    change_a_row(project)
    limit = None
    if stage == "store":
        limit = largest_file(512)
    elif stage == "data versions":
        in_the_way(project / ".dvc" / "cache")
    elif stage == "plots":
        in_the_way(work / "reports")
    else:
        limit = largest_file((work / "mlflow.db").stat().st_size)
    done = subprocess.run(
        command("up", project, "--no-serve"), env=environment(), stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=120, preexec_fn=limit, check=False,
    )  # fmt: skip
    assert done.returncode == 10, done.stderr
    assert "Traceback" not in done.stderr
    assert "space" in done.stderr or "room" in done.stderr
    assert [place.name for place in (work / "bundles").iterdir()] == ["v1"]
    assert [(row["number"], row["live"]) for row in run("versions", project, "--json").json] == [(1, True)]
    if stage == "experiment":
        with serving("serve", project) as server:
            assert post(f"{server.url}/predict", {"features": [0.1, 0.2, 0.3]})[0] == 200
        again = run("up", project, "--no-serve", "--json")
        assert (again.code, again.json["decision"]) == (0, "accepted"), again.err


@pytest.mark.parametrize("stage", ["Versioning the data", "Recording the experiment"])
def test_an_interruption_leaves_no_process_and_no_half_version(tmp_path, stage):
    """Ctrl+C reaches all processes of the terminal: exit code 130, nobody is left, the next run succeeds."""
    project = make(tmp_path / "project")
    told = tmp_path / "told"
    with told.open("wb") as stream:
        process = subprocess.Popen(
            command("up", project, "--no-serve"), env=environment(), stdin=subprocess.DEVNULL,
            stdout=stream, stderr=stream, start_new_session=True,
        )  # fmt: skip
        while stage not in told.read_text() and process.poll() is None:
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(timeout=60) in (130, -signal.SIGINT), told.read_text()
    assert "Traceback" not in told.read_text()
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)
    again = run("up", project, "--no-serve", "--json")
    assert again.code == 0, again.err
    assert run("bundle", "verify", again.json["bundle"]).code == 0


def test_a_project_deep_in_a_repository_of_git(tmp_path, shell_git):
    """In a path with spaces and accents: the commit is in the bundle, what is made is kept out of git."""
    project = make(tmp_path / "répo" / "sub dir" / "projet d'été")
    (project / ".gitignore").write_text("/table.csv\n")
    commit = shell_git(tmp_path / "répo")
    done = run("up", project, "--no-serve", "--json")
    assert done.code == 0, done.err
    assert f'"git_commit":"{commit}"' in Path(done.json["bundle"], "manifest.json").read_text().replace(
        '": "', '":"'
    )
    status = subprocess.run(
        ["git", "-c", "core.quotePath=false", "status", "--porcelain", "-uall"],
        cwd=project, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert ".modelwright" not in status
    assert "table.csv.dvc" in status


@pytest.fixture
def shell_git() -> Callable[[Path], str]:
    """Make a folder a repository with one commit; its name."""

    def commit(folder: Path) -> str:
        for line in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "Start"]):
            subprocess.run(["git", *line], cwd=folder, check=True)
        found = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=folder, capture_output=True, text=True, check=True
        )
        return found.stdout.strip()

    return commit


def test_what_counts_as_a_change(tmp_path, trained):
    """A comment does not; a cell of the data and a line of features.py do, and the md5 follows the data."""
    project = Path(shutil.copytree(trained, tmp_path / "project", symlinks=True))
    first = train("up", project, "--no-serve", "--json").json
    with (project / "project.yaml").open("a") as file:
        file.write("# nothing but a remark\n")
    same = train("up", project, "--no-serve", "--json")
    assert (same.json, "othing changed" in same.err) == (first, True)
    change_a_row(project)
    made = train("up", project, "--no-serve", "--json")
    assert "Training, because of changes since version 1: the data changed" in made.err
    second = made.json
    assert second["version"] == 2
    assert second["dataset_md5"] != first["dataset_md5"]
    (project / "features.py").write_text(
        "def derive(row, now):\n    return {**row, 'sum': (row['v.0'] or 0) + (row['v.1'] or 0)}\n"
    )
    third = train("up", project, "--no-serve", "--json").json
    assert (third["version"], third["dataset_md5"]) == (3, second["dataset_md5"])


def test_a_promotion_is_not_undone_by_up(tmp_path, trained):
    """After going back to an earlier version by hand, ``up`` says so and serves that one."""
    project = Path(shutil.copytree(trained, tmp_path / "project", symlinks=True))
    assert train("up", project, "--no-serve", "--retrain").code == 0
    assert run("promote", "1", "--project", project).code == 0
    again = train("up", project, "--no-serve", "--json")
    assert (again.code, again.json["version"]) == (0, 1)
    assert "promote 2" in again.err


BAD = {
    "a field without end": (b'a,b,label\n1,"' + b"x" * 40_000_000 + b"\n", "quote"),
    "rows of two lengths": (b"a,b,label\n" + b"1,2,0\n" * 30 + b"1,2\n" + b"1,2,1\n" * 30, "line 32"),
    "a gzip that is none": (b"a,label\n1,0\n", "gzip"),
}


@pytest.mark.parametrize("case", BAD)
def test_more_bad_files_are_named(tmp_path, case):
    """Exit code 4, the place, and a remedy."""
    content, word = BAD[case]
    table = tmp_path / ("t.csv.gz" if "gzip" in case else "t.csv")
    table.write_bytes(content)
    refused = run("up", table, "--target", "label", "--no-serve")
    assert refused.code == 4, refused.err
    assert word in refused.err
    assert "Traceback" not in refused.err
    assert [path.name for path in tmp_path.iterdir()] == [table.name]


def test_a_file_that_cannot_be_opened_is_named(tmp_path):
    """Here a link that leads to itself, which no right opens."""
    (tmp_path / "t.csv").symlink_to("t.csv")
    refused = run("up", tmp_path / "t.csv", "--target", "label", "--no-serve")
    assert refused.code in (2, 3, 4), refused.err
    assert "t.csv" in refused.err
    assert "Traceback" not in refused.err
