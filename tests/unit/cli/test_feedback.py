"""Labels from a file: every form, every outcome counted, bad lines named and the rest taken."""

from __future__ import annotations

import gzip
import json

import pytest

from modelwright.store.engine import open_store
from modelwright.testing.factories import prediction


@pytest.fixture
def store(project):
    """The project's store with answers a to e."""
    with open_store(path=project / ".modelwright" / "store.db") as opened:
        opened.predictions.add([prediction(id, project="sizes") for id in "abcde"])
        yield opened


def counted(result) -> dict[str, int]:
    return {name: count for name, count in result.json["outcomes"].items() if count}


def test_a_csv_is_imported(mw, project, store, tmp_path):
    """Joined, duplicate, contradicting within the file, orphan; a second import only finds duplicates."""
    file = tmp_path / "labels.csv"
    file.write_text("prediction_id,target\na,big\nb,small\na,big\nb,big\nz,small\n")
    first = mw("feedback", "import", file, "-p", project, "--json")
    assert first.code == 0, first.err
    assert counted(first) == {"joined": 2, "duplicate": 1, "contradicting": 1, "orphan": 1}
    assert counted(mw("feedback", "import", file, "-p", project, "--json")) == {
        "duplicate": 4,
        "contradicting": 1,
    }
    assert store.labels.latest("sizes", ["b"])["b"].target == "small"
    store.predictions.add([prediction("z", project="sizes")])
    assert "z" in {each.id for each in store.predictions.history("sizes", labelled=True)}
    assert "2  contradict" not in mw("feedback", "import", file, "-p", project).out


def test_corrections_and_the_operators_word(mw, project, store, tmp_path):
    """The same client corrects, another contradicts, and ``--settle`` ends it."""
    file = tmp_path / "labels.jsonl"

    def told(target, *options):
        file.write_text(json.dumps({"prediction_id": "a", "target": target}) + "\n")
        return counted(mw("feedback", "import", file, "-p", project, "--json", *options))

    assert told("big") == {"joined": 1}
    assert told("small") == {"corrected": 1}
    assert told("big", "--client", "shop") == {"contradicting": 1}
    assert store.labels.latest("sizes", ["a"])["a"].target == "small"
    assert told("big", "--settle") == {"corrected": 1}
    assert store.labels.latest("sizes", ["a"])["a"].target == "big"
    assert told("small") == {"duplicate": 1}


def test_bad_lines_are_named_and_the_rest_is_taken(mw, project, store, tmp_path):
    """Exit 4, each bad line with its place; SageMaker's records and packed files are read."""
    record = {"groundTruthData": {"data": "small", "encoding": "CSV"}, "eventMetadata": {"eventId": "c"}}
    lines = ["{", json.dumps({"prediction_id": "a", "target": "huge"}), json.dumps(record), "7"]
    file = tmp_path / "labels.jsonl.gz"
    file.write_bytes(gzip.compress("\n".join(lines).encode()))
    result = mw("feedback", "import", file, "-p", project, "--json")
    assert result.code == 4
    assert counted(result) == {"joined": 1, "refused": 3}
    for words in (
        "line 1: ",
        "line 2: Must be one of the labels 'big', 'small'",
        "line 4: Must be an object",
    ):
        assert words in result.err
    assert store.labels.latest("sizes", ["c"])["c"].target == "small"


def test_new_classes_where_the_project_allows_them(mw, project, store, tmp_path):
    """``retrain.new_classes`` opens the door."""
    file = tmp_path / "labels.json"
    file.write_text(json.dumps({"feedback": [{"prediction_id": "a", "target": "huge"}]}))
    assert mw("feedback", "import", file, "-p", project).code == 4
    with (project / "project.yaml").open("a") as yaml:
        yaml.write("retrain: {new_classes: true}\n")
    assert counted(mw("feedback", "import", file, "-p", project, "--json")) == {"joined": 1}


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("labels.xlsx", b"", "form of"),
        ("labels.csv", None, "no file"),
        ("labels.csv", b"a,b\n1,2\n", "first line"),
        ("labels.csv", b"id,target\na,big,1\n", "Line 2"),
        ("labels.json", b"{", "no JSON"),
        ("labels.csv", b"id,target\n\xff,big\n", "cannot be read"),
        ("labels.csv.gz", b"id,target\n", "cannot be read"),
    ],
)
def test_a_file_that_cannot_be_read(mw, project, store, tmp_path, name, content, words):
    """Is named with what is wrong."""
    if content is not None:
        (tmp_path / name).write_bytes(content)
    result = mw("feedback", "import", tmp_path / name, "-p", project)
    assert result.code == 4 and words in result.err, result.err
