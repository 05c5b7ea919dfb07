"""The main job, from a data file to an answering service, by the program itself."""

from __future__ import annotations

import contextlib
import csv
import gzip
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from acceptance.program import Server, command, environment, example, get, post, run, serving, train
from servers import free_port

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def iris(tmp_path_factory) -> Path:
    """The iris project after one ``up --no-serve``."""
    project = example("iris", tmp_path_factory.mktemp("up"))
    first = run("up", project, "--no-serve", "--json")
    assert first.code == 0, first.err
    (project / "first.json").write_text(first.out)
    return project


def summary(project: Path) -> dict:
    return json.loads((project / "first.json").read_text())


def test_json_summary_has_every_field(iris):
    """``--json`` prints exactly the promised summary and nothing else on standard output."""
    found = summary(iris)
    assert set(found) == {
        "project", "version", "decision", "metrics", "data", "dataset_md5", "bundle", "run_id", "url",
    }  # fmt: skip
    assert (found["project"], found["version"], found["decision"]) == ("iris", 1, "accepted")
    assert all(set(metric) == {"value", "low", "high"} for metric in found["metrics"].values())
    assert found["metrics"]["accuracy"]["value"] >= 0.93
    assert re.fullmatch(r"[0-9a-f]{32}", found["dataset_md5"])
    assert Path(found["bundle"], "manifest.json").is_file()
    assert found["url"] is None


def test_the_dataset_is_versioned_so_that_dvc_accepts_it(iris):
    """``dvc status`` is clean, and ``dvc checkout`` brings a deleted data file back."""
    (pointer,) = (iris / "data").glob("*.dvc")
    data = pointer.with_suffix("")
    content = data.read_bytes()
    data.unlink()
    for arguments in (["checkout"], ["status"]):
        done = subprocess.run(["dvc", *arguments], cwd=iris, capture_output=True, text=True, check=False,
                              env={**os.environ, "PATH": dvc_path()})  # fmt: skip
        assert done.returncode == 0, done.stderr
    assert "up to date" in done.stdout
    assert data.read_bytes() == content
    assert summary(iris)["dataset_md5"] in pointer.read_text()


def dvc_path() -> str:
    """PATH with this interpreter's programs first."""
    import sys

    return os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])


def test_the_bundle_proves_parity_on_all_held_out_rows(iris):
    """Zero labels differ and probabilities agree within 1e-5, on every held-out row."""
    manifest = json.loads(Path(summary(iris)["bundle"], "manifest.json").read_text())
    parity = manifest["models"][0]["parity"]
    assert parity["rows"] >= 30
    assert parity["labels_differ"] == 0
    assert parity["max_difference"] <= 1e-5


def test_unchanged_inputs_are_not_trained_again(iris):
    """A second run says that nothing changed and registers no new version."""
    again = run("up", iris, "--no-serve", "--json")
    assert again.code == 0, again.err
    assert again.json == summary(iris)
    assert "othing changed" in again.err
    assert [row["number"] for row in run("versions", iris, "--json").json] == [1]


def test_the_curl_line_works_when_pasted(iris):
    """The line that ``up`` ends with, pasted into a shell, is answered by the model."""
    with serving("up", iris) as server:
        line = next(line for line in server.out.splitlines() if "curl" in line)
        done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=True)
    answer = json.loads(done.stdout)
    assert {"prediction", "prediction_name", "confidence", "probabilities", "prediction_id"} <= set(answer)
    assert answer["model_version"] == 1


def test_answers_are_on_record(iris):
    """A prediction is in the store with its inputs, version and answer."""
    with serving("serve", iris) as server:
        status, answer = post(f"{server.url}/predict", {"features": [5.1, 3.5, 1.4, 0.2]})
        assert status == 200
        assert answer["prediction_name"] == "setosa"
        assert get(f"{server.url}/health")[1]["status"] in {"ok", "healthy"}
    with contextlib.closing(sqlite3.connect(iris / ".modelwright" / "store.db")) as store:
        (count,) = store.execute(
            "select count(*) from mw_predictions where id = ?", [answer["prediction_id"]]
        ).fetchone()
    assert count == 1


@pytest.mark.parametrize(
    "features",
    [
        [-1, 3.5, 1.4, 0.2],
        [51, 3.5, 1.4, 0.2],
        ["x", 3.5, 1.4, 0.2],
        [5.1, 3.5, 1.4],
        {"sepal length (cm)": 5.1},
        "nonsense",
        None,
    ],
)
def test_bad_rows_are_refused_with_details(served_iris, features):
    """A row outside the schema is a 400 that names what is wrong, never a stack trace."""
    status, answer = post(f"{served_iris.url}/predict", {"features": features})
    assert status == 400
    assert answer["error"] == "Input validation failed"
    assert answer["details"]
    assert all({"loc", "msg", "type", "input"} <= set(detail) for detail in answer["details"])
    assert "Traceback" not in json.dumps(answer)


@pytest.fixture(scope="module")
def served_iris(iris):
    """The iris project, served."""
    with serving("serve", iris) as server:
        yield server


def test_a_table_without_a_project_file_is_enough(tmp_path):
    """``up some.csv --target label`` writes a project beside the data, and answers."""
    table = tmp_path / 'Müller\'s "odd" data.csv'
    names = ["größe (cm)", "a.b.c", 'say "hi"', "color", "label"]
    with table.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(names)
        for i in range(240):
            label = "yes" if (i % 7) + (i % 5) > 4 else "no"
            writer.writerow(
                [
                    i % 7 + (i % 10) / 10,
                    i % 5,
                    "" if i % 11 == 0 else i % 13,
                    "red" if i % 2 else "blue",
                    label,
                ]
            )
    with serving("up", table, "--target", "label") as server:
        row = {"größe (cm)": 6.5, "a.b.c": 4, 'say "hi"': None, "color": "green"}
        status, answer = post(f"{server.url}/predict", {"features": row})
    assert status == 200, answer
    assert answer["prediction_name"] == "yes"
    assert answer["warnings"]
    assert (tmp_path / "project.yaml").is_file()
    assert run("check", tmp_path).code == 0


def test_a_numeric_target_becomes_a_regression(tmp_path):
    """With a continuous target the inferred project is a regression, and answers a number."""
    table = tmp_path / "prices.csv"
    rows = "\n".join(
        f"{i % 17},{i % 23},{3.5 * (i % 17) - 1.25 * (i % 23) + (i % 3) / 10}" for i in range(400)
    )
    table.write_text(f"rooms,age,price\n{rows}\n")
    with serving("up", table, "--target", "price") as server:
        _, answer = post(f"{server.url}/predict", {"rooms": 10, "age": 3})
    assert answer["prediction"] == pytest.approx(31.25, abs=2.5)


def test_the_gate_keeps_a_bad_version_out(tmp_path, iris):
    """A version below a floor is registered as rejected, the exit code says so, the champion stays."""
    project = Path(shutil.copytree(iris, tmp_path / "iris"))
    file = project / "project.yaml"
    file.write_text(file.read_text().replace("accuracy: 0.93", "accuracy: 0.9999"))
    refused = train("up", project, "--no-serve", "--json")
    assert refused.code == 5, refused.err
    assert refused.json["decision"] == "rejected"
    assert "0.9999" in refused.err
    listed = run("versions", project, "--json").json
    assert {row["number"]: row["live"] for row in listed} == {1: True, 2: False}
    assert run("promote", "2", "--project", project).code == 5


BAD_DATA = {
    "empty": (b"", "empty"),
    "header only": (b"a,b,label\n", "no rows"),
    "binary": (bytes(range(256)) * 40, ""),
    "wrong encoding": ("name,label\n" + "Zürich,1\nGenève,0\n" * 50).encode("latin-1"),
    "one class": (b"a,label\n" + b"".join(b"%d,1\n" % i for i in range(100)), "class"),
    "no target": (b"a,b\n" + b"1,2\n" * 100, "label"),
}


@pytest.mark.parametrize("case", sorted(BAD_DATA))
def test_bad_data_is_refused_and_leaves_nothing(tmp_path, case):
    """What is wrong with a data file is said with a remedy and exit code 4; nothing is left half-made."""
    given = BAD_DATA[case]
    content, word = given if isinstance(given, tuple) else (given, "")
    table = tmp_path / "table.csv"
    table.write_bytes(content)
    refused = run("up", table, "--target", "label", "--no-serve")
    assert refused.code == 4, refused.err
    assert "Traceback" not in refused.err
    assert word in refused.err
    assert not list(tmp_path.glob(".modelwright/bundles/*"))


def test_a_data_file_that_is_not_there_is_named(tmp_path):
    """A mistyped data file is said to be missing, with the near name that is there."""
    (tmp_path / "sales.csv").write_text("a,label\n1,2\n")
    refused = run("up", "sale.csv", "--target", "label", cwd=tmp_path)
    assert refused.code == 4, refused.err
    assert "There is no file" in refused.err
    assert "sales.csv" in refused.err


def test_a_folder_of_parquet_becomes_a_project(tmp_path):
    """``up FOLDER --target label`` takes a folder of Parquet; the project is written beside it."""
    (tmp_path / "rows").mkdir()
    for part in range(2):
        table = pa.table(
            {"x": [float(i % 10) for i in range(60)], "label": [int(i % 10 > 4) for i in range(60)]}
        )
        pq.write_table(table, tmp_path / "rows" / f"part{part}.parquet")
    done = run("up", tmp_path / "rows", "--target", "label", "--no-serve", "--json")
    assert done.code == 0, done.err
    assert done.json["metrics"]["accuracy"]["value"] > 0.9
    assert (tmp_path / "project.yaml").is_file()


def test_a_truncated_gzip_is_refused(tmp_path, iris):
    """A gzip file that ends too early is named as such."""
    whole = gzip.compress((iris / "data" / "iris.csv").read_bytes())
    (tmp_path / "t.csv.gz").write_bytes(whole[: len(whole) // 2])
    refused = run("up", tmp_path / "t.csv.gz", "--target", "target", "--no-serve")
    assert refused.code == 4, refused.err
    assert "truncated" in refused.err or "ends" in refused.err


def test_damaged_data_leaves_the_champion_serving(tmp_path, iris):
    """When new data is broken, ``up`` fails clearly and the version that was live still answers."""
    project = Path(shutil.copytree(iris, tmp_path / "iris"))
    data = next((project / "data").glob("*.dvc")).with_suffix("")
    data.chmod(0o644)
    data.write_bytes(data.read_bytes()[:300] + b"\xff\xfe\x00garbage")
    assert run("up", project, "--no-serve", "--data", data).code == 4
    with serving("serve", project) as server:
        assert post(f"{server.url}/predict", {"features": [5.1, 3.5, 1.4, 0.2]})[0] == 200


def test_a_changed_byte_in_the_bundle_is_refused(tmp_path, iris):
    """A damaged bundle is not served, and ``bundle verify`` names the file."""
    project = Path(shutil.copytree(iris, tmp_path / "iris"))
    model = project / ".modelwright" / "bundles" / "v1" / "model.onnx"
    content = bytearray(model.read_bytes())
    content[len(content) // 2] ^= 1
    model.chmod(0o644)
    model.write_bytes(content)
    verified = run("bundle", "verify", model.parent)
    assert (verified.code, "model.onnx" in verified.err) == (6, True)
    assert run("serve", project, "--port", str(free_port()), timeout=30).code == 6


def test_a_server_that_cannot_start_is_told_before_training(tmp_path):
    """A taken port and an open door are refused at once, each with what helps; nothing is trained."""
    project = example("iris", tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        refused = run("up", project, "--port", str(taken.getsockname()[1]))
    assert (refused.code, "--no-serve" in refused.err) == (7, True), refused.err
    exposed = run("up", project, "--host", "0.0.0.0", "--port", "0")
    assert (exposed.code, "MODELWRIGHT_AUTH=keys" in exposed.err) == (3, True), exposed.err
    assert not (project / ".modelwright" / "bundles").exists()


def test_two_at_once_in_one_project(tmp_path):
    """The second ``up`` says that the first is at work; the first is not disturbed."""
    project = example("iris", tmp_path)
    first = subprocess.Popen(command("up", project, "--no-serve", "--json"), env=environment(),
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)  # fmt: skip
    try:
        while not (project / ".modelwright" / "lock").exists():
            assert first.poll() is None
        second = run("up", project, "--no-serve")
        assert (second.code, str(first.pid) in second.err) == (9, True), second.err
    finally:
        out, err = first.communicate(timeout=240)
    assert first.returncode == 0, err
    assert json.loads(out)["version"] == 1


@pytest.mark.parametrize("delay", [1.0, 3.0, 5.0])
def test_a_killed_run_leaves_nothing_half_done(tmp_path, delay):
    """Killed at any moment, the next ``up`` goes through and what is served verifies."""
    project = example("iris", tmp_path)
    first = subprocess.Popen(command("up", project, "--no-serve"), env=environment(), start_new_session=True,
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
    try:
        first.wait(delay)
    except subprocess.TimeoutExpired:
        os.killpg(first.pid, signal.SIGKILL)
        first.wait()
    again = run("up", project, "--no-serve", "--json")
    assert again.code == 0, again.err
    assert run("bundle", "verify", again.json["bundle"]).code == 0


def test_a_server_stops_when_told(iris):
    """SIGTERM ends a served project with exit code 0."""
    with serving("serve", iris) as server:
        assert isinstance(server, Server)
    assert server.process.returncode == 0, server.err
