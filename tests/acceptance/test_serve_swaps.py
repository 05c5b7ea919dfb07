"""Versions change while clients ask: no request fails, and each answer names the version that computed it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from acceptance.program import run
from load import Load, Received
from modelwright.bundle.format import Manifest
from serving import (
    IRIS,
    NAMED_SETOSA,
    SETOSA,
    Server,
    eventually,
    release,
    stored,
    write_numeric_bundle,
)

pytestmark = pytest.mark.slow

PROJECT = "name: {name}\ndata: {{source: 'sklearn:iris', target: species}}\n"
SWAPS = 100
LATEST = 2.0  # seconds until every worker serves a release
BUSY = 30.0  # as many on a machine that has something else to do
BODIES = ({"features": SETOSA}, {"features": [6.0, 2.9, 4.5, 1.5]}, {"features": [6.5, 3.0, 5.8, 2.2]})


def write_turned_bundle(folder: Path, *, number: int, project: str = "iris", turn: int = 1, **changes: Any):
    """A tree on iris that was taught every label wrong by ``turn``, so that its answers tell it apart."""
    from sklearn.datasets import load_iris
    from sklearn.tree import DecisionTreeClassifier

    data = load_iris()
    return write_numeric_bundle(
        folder,
        DecisionTreeClassifier(random_state=0),
        changes.get("names", IRIS),
        data.data,
        (data.target + turn) % 3,
        project=project,
        number=number,
        labels=(0, 1, 2),
        label_names=("setosa", "versicolor", "virginica"),
    )


def make_project(folder: Path, name: str = "iris", *, url: str = "") -> dict[int, Manifest]:
    """A project with two versions whose answers differ by one label; the first is live."""
    folder.mkdir(exist_ok=True)
    (folder / "project.yaml").write_text(PROJECT.format(name=name))
    work_dir = folder / ".modelwright"
    bundles = {
        number: write_turned_bundle(
            work_dir / "bundles" / f"v{number}", number=number, turn=number, project=name
        )
        for number in (1, 2)
    }
    for number in (2, 1):
        release(work_dir, number, bundles[number], url=url)
    return bundles


def assert_right(each: Received) -> None:
    """The answer is that of the version it names."""
    assert each.status == 200, each
    species = BODIES.index({"features": each.sent["features"]})
    assert each.document["prediction"] == (species + each.document["model_version"]) % 3, each


def promote(folder: Path, version: int, name: str = "iris") -> None:
    """A release row, as any program may write it."""
    with stored(folder / ".modelwright") as store:
        store.releases.append(name, version, reason="a test", actor="test")


def test_a_hundred_promotions_and_rollbacks_fail_no_request(tmp_path: Path) -> None:
    """Under load releases reach every connection within two seconds; no answer is wrong or missing.

    One in ten may be held up by what else the machine does.
    """
    make_project(tmp_path)
    took = []
    with Server("--workers", "2", cwd=tmp_path) as server:
        with Load(server.url, bodies=BODIES, connections=8) as load:
            load.wait_for(50)
            for turn in range(SWAPS):
                version = 1 + (turn + 1) % 2
                promote(tmp_path, version)
                start = time.monotonic()
                while set(load.versions().values()) != {version}:
                    assert time.monotonic() < start + BUSY, f"swap {turn}: {load.versions()}"
                    time.sleep(0.005)
                took.append(time.monotonic() - start)
            load.wait_for(20)
        assert sorted(took)[len(took) * 9 // 10 - 1] < LATEST, took
        assert load.lost == 0
        for each in load.received:
            assert_right(each)
        assert server.stop() == 0
    assert {each.document["model_version"] for each in load.received} == {1, 2}
    with stored(tmp_path / ".modelwright") as store:
        found = store.predictions.get_many("iris", [each.id for each in load.received])
    assert len(found) == len(load.received)
    for each in load.received:
        assert found[each.id].version == each.document["model_version"]
        assert found[each.id].outputs["prediction"] == each.document["prediction"]


def test_releases_faster_than_they_load_end_with_the_last(tmp_path: Path) -> None:
    """Fifty releases in one go: no request fails, and what is live in the end is the last one."""
    make_project(tmp_path)
    with Server("--workers", "2", cwd=tmp_path) as server, Load(server.url, bodies=BODIES) as load:
        load.wait_for(20)
        for turn in range(50):
            promote(tmp_path, 1 + turn % 2)
        eventually(lambda: set(load.versions().values()) == {2}, seconds=BUSY)
        load.wait_for(200)
        assert set(load.versions().values()) == {2}
    assert load.lost == 0
    for each in load.received:
        assert_right(each)


def test_promote_and_rollback_of_the_command_line_reach_a_server(tmp_path: Path) -> None:
    """``modelwright promote`` and going back to the version before are seen by a running server."""
    make_project(tmp_path)
    with Server("--workers", "1", cwd=tmp_path) as server:
        for version in (2, 1):
            done = run("promote", str(version), "--reason", "a test", cwd=tmp_path)
            assert done.code == 0, done.err
            eventually(lambda wanted=version: health(server)["model_version"] == wanted, seconds=BUSY)


def health(server: Server) -> Any:
    """What ``/health`` says."""
    return server.client.get("/health").json()


@pytest.mark.parametrize("fault", ["missing", "damaged", "will not run", "another format"])
def test_a_bad_bundle_is_refused_and_the_champion_stays(tmp_path: Path, fault: str) -> None:
    """A release that cannot be served leaves the old one live, and an event; the next good one is taken."""
    make_project(tmp_path)
    work_dir = tmp_path / ".modelwright"
    folder = work_dir / "bundles" / "v3"
    manifest = write_bad_bundle(folder, fault)
    with Server("--workers", "2", cwd=tmp_path) as server, Load(server.url, bodies=BODIES) as load:
        release(work_dir, 3, manifest)
        event = eventually(lambda: refusals(work_dir), seconds=BUSY)[0]
        load.wait_for(200)
        assert set(load.versions().values()) == {1}
        assert health(server)["status"] == "healthy"
        assert "Version 3" in event.message
        assert "Version 1 stays live" in event.message
        promote(tmp_path, 2)
        eventually(lambda: set(load.versions().values()) == {2}, seconds=BUSY)
    assert load.lost == 0
    for each in load.received:
        assert_right(each)


def refusals(work_dir: Path) -> Any:
    """The events that a release was refused."""
    with stored(work_dir) as store:
        return store.events.list("iris", kind="release_refused")


def write_bad_bundle(folder: Path, fault: str) -> Manifest:
    """Version 3, which cannot be served."""
    manifest = write_turned_bundle(folder, number=3, turn=0)
    if fault == "missing":
        folder.rename(folder.with_name("elsewhere"))
    elif fault == "damaged":
        graph = folder / "model.onnx"
        graph.write_bytes(graph.read_bytes()[:-1] + b"x")
    elif fault == "another format":
        content = msgspec.json.decode((folder / "manifest.json").read_bytes())
        (folder / "manifest.json").write_bytes(msgspec.json.encode({**content, "format": 99}))
    else:
        return rewrite_graph(folder)
    return manifest


def rewrite_graph(folder: Path) -> Manifest:
    """The bundle with a graph that is no graph, and every checksum right."""
    from unittest import mock

    import serving

    folder.rename(folder.with_name("elsewhere"))
    with mock.patch.object(serving, "export_model", lambda *_, **__: b"no graph at all"):
        return write_turned_bundle(folder, number=3, turn=0)


def test_a_version_with_other_columns_is_taken(tmp_path: Path) -> None:
    """Clients of the old columns are refused with a reason, never failed; those of the new are answered."""
    make_project(tmp_path)
    work_dir = tmp_path / ".modelwright"
    names = ("a", "b", "c", "d")
    manifest = write_turned_bundle(work_dir / "bundles" / "v3", number=3, turn=0, names=names)
    with Server("--workers", "1", cwd=tmp_path) as server:
        with Load(server.url, bodies=[{"features": NAMED_SETOSA}]) as load:
            load.wait_for(20)
            release(work_dir, 3, manifest)
            load.wait_for(20, lambda each: each.status == 400)
            answer = server.client.post("/predict", json=dict(zip(names, SETOSA, strict=True))).json()
        assert (answer["prediction"], answer["model_version"]) == (0, 3)
        assert load.lost == 0
        assert {each.status for each in load.received} == {200, 400}
        assert "a" in server.client.get("/openapi.json").text


def test_several_projects_in_one_server_swap_apart(tmp_path: Path) -> None:
    """Three projects, each with a store of its own, under their names; a release changes its own only."""
    names = ("iris", "rose", "lily")
    for name in names:
        make_project(tmp_path / name, name)
    with Server(*(tmp_path / name for name in names), "--workers", "2", cwd=tmp_path) as server:
        assert server.ready["versions"] == dict.fromkeys(names, 1)
        loads = [
            Load(server.url, bodies=BODIES, connections=2, path=f"/models/{name}/predict") for name in names
        ]
        with loads[0], loads[1], loads[2], Load(server.url, bodies=BODIES, connections=2) as root:
            promote(tmp_path / "rose", 2, "rose")
            eventually(lambda: set(loads[1].versions().values()) == {2}, seconds=BUSY)
            for load in (*loads, root):
                load.wait_for(50)
        for load, live in ((loads[0], {1}), (loads[1], {1, 2}), (loads[2], {1}), (root, {1})):
            assert load.lost == 0
            assert {each.document["model_version"] for each in load.received} <= live
            for each in load.received:
                assert_right(each)
        index = server.client.post("/v2/repository/index", json={}).json()
        assert [each["name"] for each in index] == list(names)
        last = loads[2].received[-1]
        shown = eventually(
            lambda: server.client.get(f"/predictions/{last.id}", params={"model": "lily"}).json()
        )
        assert shown["project"] == "lily"
        assert server.stop() == 0
    for name, load in zip(names, loads, strict=True):
        with stored(tmp_path / name / ".modelwright") as store:
            assert len(store.predictions.get_many(name, [each.id for each in load.received])) == len(
                load.received
            )
