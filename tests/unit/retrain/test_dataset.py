"""What a retraining is given: rows by their age, several models' truths, tables that a project builds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pytest
import yaml

from modelwright.data.load import read_table
from modelwright.project.load import load
from modelwright.project.settings import resolve
from modelwright.retrain.dataset import read_note, with_data
from modelwright.retrain.steps import run_job
from modelwright.store.engine import open_store
from modelwright.store.records import JobState
from modelwright.train.parts import parts_of
from modelwright.train.prepare import prepare, read
from modelwright.train.progress import Silent
from modelwright.train.reproduce import reproduce
from modelwright.train.run import train_project
from modelwright.train.weights import WeightsInvalid, row_weights
from tracked import lay_tracking
from unit.retrain.conftest import rows
from unit.retrain.test_steps import go, taken

pytestmark = pytest.mark.slow


def test_old_rows_count_less_where_the_project_says_so(served):
    """With a half-life of a day a day older counts half, and the base data as the oldest row sent."""
    served.again(half_life="1d", proof="not_worse")
    now = datetime.now(UTC)
    served.give(rows(30, 1))
    from modelwright.bundle.read import open_bundle
    from modelwright.retrain.additions import Addition
    from modelwright.retrain.dataset import assemble

    found = [
        Addition(f"sample:{n}", {k: row[k] for k in ("size", "colour", "flag")}, row["label"],
                 now - timedelta(days=2 - n), n)
        for n, row in enumerate(rows(3, 1))
    ]  # fmt: skip
    bundle = open_bundle(served.settings.work_dir / "bundles" / "v1")
    note = assemble(served.project, bundle, found, job="j" * 32, work_dir=served.settings.work_dir,
                    labels_seen=0)  # fmt: skip
    table = pa_csv.read_csv(served.project.resolve(note.source))
    counts = table.column(note.weight).to_pylist()
    assert counts[-3:] == pytest.approx([0.25, 0.5, 1.0])
    assert counts[:200] == pytest.approx([0.25] * 200)
    over = with_data(served.project, note)
    (part,) = parts_of(over.file)
    prepared = prepare(read(part.data.source, part, over, Silent()), part, over, Silent())
    assert prepared.material.weights.mean() == pytest.approx(1.0)
    assert note.weight not in prepared.inputs.names
    job = taken(served)
    assert go(served, job) in {JobState.PROMOTED, JobState.REJECTED}
    assert served.store.jobs.get(job.id).version == 2


def test_a_column_that_holds_no_weights_is_refused():
    """The first row that is none is named; all zero teach nothing."""
    table = pa.table({"w": [1.0, 3.0, None, -1.0], "z": [0, 0, 0, 0]})
    assert row_weights(table, None, np.arange(4)) is None
    assert row_weights(table, "w", np.array([0, 1])).tolist() == [0.5, 1.5]
    with pytest.raises(WeightsInvalid, match="In row 3 the weight 'w' is nan"):
        row_weights(table, "w", np.arange(4))
    with pytest.raises(WeightsInvalid, match="all 0"):
        row_weights(table, "z", np.arange(4))
    with pytest.raises(WeightsInvalid, match="holds no numbers"):
        row_weights(pa.table({"t": ["a", "b"]}), "t", np.arange(2))


BUILD = """
def build(raw):
    made = raw.rename(columns={"length": "size"})
    made["label"] = made.pop("kind")
    return made
"""


def test_several_models_over_a_built_table_take_up_what_was_sent(tmp_path):
    """Each model learns from the rows whose truth for it was told; both duels are on rows they may use."""
    generator = np.random.default_rng(0)
    size = generator.normal(10, 2, 240)
    kind, price = np.where(size > 10, "big", "small"), size * 3 + generator.normal(0, 0.2, 240)
    pa_csv.write_csv(pa.table({"length": size, "kind": kind, "price": price}), tmp_path / "raw.csv")
    (tmp_path / "features.py").write_text(BUILD)
    (tmp_path / "project.yaml").write_text(yaml.safe_dump({
        "name": "shop",
        "data": {"source": "raw.csv"},
        "models": {
            "kind": {"target": "label", "train": {"candidates": ["decision_tree"], "metric": "accuracy"}},
            "price": {"task": "regression", "target": "price", "train": {"candidates": ["decision_tree"]}},
        },
        "retrain": {"proof": "not_worse"},
    }))  # fmt: skip
    project = load(tmp_path)
    settings = resolve(project, environ={})
    lay_tracking(project.working)
    with open_store(path=project.working / "store.db") as store:
        assert train_project(project, store=store, settings=settings).released
        for number, value in enumerate(generator.normal(10, 2, 40).tolist()):
            truth = {"kind": "big" if value > 10 else "small"}
            if number % 2:
                truth["price"] = value * 3
            store.samples.add("shop", {"size": value}, truth, client="ann")
        job = store.jobs.add("shop", trigger="manual", reason="test")
        job = store.jobs.take("shop", "me", seconds=60)
        run_job(project, settings, store, job)
        ended = store.jobs.get(job.id)
        assert ended.version == 2, ended.error
        note = read_note(settings.work_dir, job.id)
        assert (note.base_rows, len(note.ids)) == (240, 40)
        (told,) = store.events.list("shop", kind="duel_rows")
    table = read_table(note.source, base=tmp_path).table
    assert table.column_names == ["size", "price", "label"]
    assert table.column("price").null_count == 20
    prices = set(told.data["rows"]["price"])
    assert {id for id in prices if id.startswith("sample:")} <= {f"sample:{n}" for n in range(2, 41, 2)}
    assert any(id.startswith("sample:") for id in told.data["rows"]["kind"])


def test_a_clustering_meets_the_champion_by_its_silhouette(tmp_path):
    """New base data make a new clustering; both part the same new rows, and the duel says how well."""
    generator = np.random.default_rng(0)

    def blobs(count: int) -> pa.Table:
        centre = generator.integers(0, 3, count) * 4.0
        spread = generator.normal(0, 0.5, (2, count))
        return pa.table({"x": centre + spread[0], "y": centre + spread[1]})

    first = blobs(200)
    pa_csv.write_csv(first, tmp_path / "data.csv")
    (tmp_path / "project.yaml").write_text(
        "name: groups\ntask: clustering\ndata: {source: data.csv}\ntrain: {candidates: [kmeans]}\n"
    )
    project = load(tmp_path)
    settings = resolve(project, environ={})
    lay_tracking(project.working)
    with open_store(path=project.working / "store.db") as store:
        assert train_project(project, store=store, settings=settings).released
        pa_csv.write_csv(pa.concat_tables([first, blobs(200)]), tmp_path / "data.csv")
        store.jobs.add("groups", trigger="manual", reason="more data")
        job = store.jobs.take("groups", "me", seconds=60)
        assert run_job(project, settings, store, job) is JobState.PROMOTED
        (duel,) = store.events.list("groups", kind="duel")
    numbers = duel.data["models"]["model"]
    assert (numbers["gain"]["metric"], numbers["proof"]) == ("silhouette", "not_worse")
    assert numbers["rows"] >= 20


def test_a_clustering_takes_up_rows_that_were_sent(tmp_path):
    """They need no truth; they are in the new dataset version, and among the rows of its duel."""
    generator = np.random.default_rng(0)
    centre = generator.integers(0, 3, 300) * 4.0
    spread = generator.normal(0, 0.5, (2, 300))
    table = pa.table({"x": centre + spread[0], "y": centre + spread[1]})
    pa_csv.write_csv(table.slice(0, 200), tmp_path / "data.csv")
    (tmp_path / "project.yaml").write_text(
        "name: groups\ntask: clustering\ndata: {source: data.csv}\ntrain: {candidates: [kmeans]}\n"
    )
    project = load(tmp_path)
    settings = resolve(project, environ={})
    with open_store(path=project.working / "store.db") as store:
        assert train_project(project, store=store, settings=settings).released
        for row in table.slice(200).to_pylist():
            store.samples.add("groups", row, None)
        store.jobs.add("groups", trigger="new_samples", reason="100 rows")
        job = store.jobs.take("groups", "me", seconds=60)
        assert run_job(project, settings, store, job) is JobState.PROMOTED
        note = read_note(settings.work_dir, job.id)
        assert (note.base_rows, len(note.ids)) == (200, 100)
        (told,) = store.events.list("groups", kind="duel_rows")
        assert store.samples.pending("groups") == 0
    assert any(id.startswith("sample:") for id in told.data["rows"]["model"])


def test_a_class_that_is_new_is_learned_and_counts_in_the_duel(served):
    """The champion never answers it and is measured on its rows all the same, so the challenger leads."""
    served.again(new_classes=True, proof="not_worse")
    served.give([{**row, "label": "maybe", "size": 30.0 + row["size"]} for row in rows(60, 4)])
    job = taken(served)
    go(served, job)
    (duel,) = served.store.events.list("shop", kind="duel")
    gain = duel.data["models"]["model"]["gain"]
    assert gain["challenger"] > gain["champion"]


def test_a_class_that_vanished_is_a_wrong_answer_of_the_champions(served):
    """All that was "no" is "never" from now on: the window has no "no" any more, and the new version wins."""
    served.again(new_classes=True, newest=200)
    served.give([{**row, "label": row["label"].replace("no", "never")} for row in rows(220, 4)])
    job = taken(served)
    assert go(served, job) is JobState.PROMOTED


def test_old_data_files_go_and_their_versions_can_still_be_made_again(served):
    """The newest file stays, and what DVC has not; version 2 is made again from DVC's cache."""
    served.again(keep_data=1, proof="not_worse")
    files = []
    for number in range(3):
        served.give(rows(20, 10 + number))
        job = taken(served)
        go(served, job)
        files.append(served.project.resolve(read_note(served.settings.work_dir, job.id).source))
        if number == 1:
            cache = served.project.directory / ".dvc" / "cache"
            assert cache.is_dir()
            assert not files[0].exists() and files[1].exists()
            (files[1].with_name(f"{files[1].name}.dvc")).unlink()
    assert [file.exists() for file in files] == [False, True, True]
    made = reproduce(served.project, 2, store=served.store, settings=served.settings)
    assert made.same, made.differences
