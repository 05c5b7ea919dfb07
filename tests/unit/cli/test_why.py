"""``why`` and ``history``: what the store knows, told to a person and to a program."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from modelwright.store.engine import open_store
from modelwright.testing.factories import prediction

ID = "01a1fdb9-b3ff-7000-b0c2-524a5ca3640b"


@pytest.fixture
def answered(project):
    """The project with one labelled answer of its champion, and an event."""
    with open_store(path=project / ".modelwright" / "store.db") as store:
        inputs = {"width (cm)": 1.5, "a=b": 2, "colour": "red"}
        now = datetime.now(UTC) + timedelta(seconds=5)
        store.predictions.add([prediction(ID, project="sizes", time=now, inputs=inputs, client="shop")])
        store.predictions.add([prediction("elsewhere", project="other")])
        store.labels.add("sizes", ID, "big", client="ann")
        store.labels.add("sizes", ID, "small", client="ann")
        store.events.add("sizes", "drift", "width (cm) moved.", {"psi": 0.4})
    return project


def test_why_tells_the_whole_walk(mw, answered):
    """Input, answer, label, version, decision, release, run, data, code and libraries are all told."""
    result = mw("why", ID, "-p", answered)
    assert result.code == 0, result.err
    for words in (
        f"Prediction {ID} of project 'sizes'", "by version 1", "for shop", "width (cm): 1.5", "colour: red",
        "prediction_name: setosa", "small", "also said: big", "1: logistic_regression",
        "accuracy 0.91 (0.85 to 0.99)", "accepted", "reaches its floor", "by ann", "run1", "md5 " + "0" * 32,
        "not in git", "modelwright reproduce 1",
    ):  # fmt: skip
        assert words in result.out, words


def test_why_as_json(mw, answered):
    """A program gets the same as values; the beginning of the id is enough."""
    found = mw("why", ID[:12], "-p", answered, "--json").json
    assert (found["prediction_id"], found["label"], found["model_version"]) == (ID, "small", 1)
    assert found["lineage"]["version"]["run_id"] == "run1"
    assert found["lineage"]["release"]["reason"] == "first"


def test_an_unknown_id_is_helped(mw, answered, tmp_path):
    """A typo names the near id, another project's id its project, nonsense the newest id."""
    typo = mw("why", ID[:-2] + "zz", "-p", answered)
    assert typo.code == 2 and f"near it: {ID}" in typo.err
    assert f"the newest is {ID}" in mw("why", "nobody", "-p", answered).err
    with open_store(path=answered / ".modelwright" / "store.db") as store:
        from modelwright.testing.factories import version

        store.versions.add(version(1, project="other"))
    assert "project 'other'" in mw("why", "elsewhere", "-p", answered).err


def test_why_before_anything_was_answered(mw, project, tmp_path):
    """An empty log and an untrained project say so."""
    assert "The log is empty" in mw("why", "x", "-p", project).err
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    (fresh / "project.yaml").write_text("name: fresh\ndata: {source: rows.csv, target: kind}\n")
    assert "has no version yet" in mw("why", "x", "-p", fresh).err
    assert not (fresh / ".modelwright").exists()


def test_history_is_told_in_order(mw, answered):
    """Releases and events, the newest last; a kind or a number narrows it."""
    mw("promote", "2", "-p", answered, "--reason", "better")
    found = mw("history", answered, "--json").json
    assert [each["kind"] for each in found] == ["release", "drift", "release", "promoted"]
    assert [each["time"] for each in found] == sorted(each["time"] for each in found)
    assert found[1]["data"] == {"psi": 0.4}
    assert [each["kind"] for each in mw("history", answered, "--kind", "drift", "--json").json] == ["drift"]
    latest = mw("history", answered, "--kind", "release", "--limit", "1", "--json").json
    assert latest[0]["data"]["version"] == 2
    shown = mw("history", answered)
    assert "width (cm) moved." in shown.out and "better" in shown.out
    assert "Nothing of kind 'flood'" in mw("history", answered, "--kind", "flood").err


@pytest.mark.postgres
def test_why_and_labels_on_postgresql(mw, project, postgres_url, monkeypatch, tmp_path):
    """The walk, its help, labels and the history work on a PostgreSQL store as well."""
    with open_store(path=project / ".modelwright" / "store.db") as store:
        record = store.versions.get("sizes", 1)
    with open_store(postgres_url) as store:
        store.versions.add(record)
        store.releases.append("sizes", 1, reason="first", actor="ann")
        time = datetime.now(UTC) + timedelta(seconds=5)
        store.predictions.add([prediction(ID, project="sizes", time=time)])
    monkeypatch.setenv("MODELWRIGHT_STORE_URL", postgres_url)
    labels = tmp_path / "labels.csv"
    labels.write_text(f"prediction_id,target\n{ID},big\nlater,small\n")
    told = mw("feedback", "import", labels, "-p", project, "--json").json
    assert (told["outcomes"]["joined"], told["outcomes"]["orphan"]) == (1, 1)
    found = mw("why", ID[:10], "-p", project, "--json").json
    assert (found["label"], found["lineage"]["release"]["actor"]) == ("big", "ann")
    assert f"near it: {ID}" in mw("why", ID[:-1] + "x", "-p", project).err
    assert mw("history", project, "--json").json[-1]["kind"] == "release"
