"""What is written is a project in order, whatever the names in it; nothing is overwritten."""

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelwright.errors import StorageFailure
from modelwright.project.load import check, load
from modelwright.project.model import ProjectFile
from modelwright.project.write import AlreadyThere, Inferred, infer_file, quoted, slug, start_project
from modelwright.schema.metrics import Task

LETTERS = "aZ09 _-.:,#'\"{}[]&*!|>%@`~?\\\t\n\x7fé日😀\u2028\ufeff"


def test_an_inferred_file_says_what_was_inferred(tmp_path):
    """Source, target, id and dropped columns stand in it; it loads without a mistake."""
    inferred = Inferred(
        source="data/Käufe 2024.csv.gz",
        task=Task.CLASSIFICATION,
        target="no",
        id='row "id"',
        drop={"a.b #1": "one value only"},
        rows=1234,
        width=5,
        labels=3,
    )
    path = infer_file(tmp_path, inferred)
    assert path.read_text(encoding="utf-8").startswith(
        "# Made by Modelwright from data/Käufe 2024.csv.gz (1,234 rows, 5 columns, 3 labels).\n"
    )
    assert '"a.b #1"    # one value only\n' in path.read_text(encoding="utf-8")
    project = load(path)
    assert project.name == "kaufe-2024"
    assert project.file.data.source == "data/Käufe 2024.csv.gz"
    assert (project.file.data.target, project.file.data.id) == ("no", 'row "id"')
    assert project.file.data.drop == ["a.b #1"]


@given(st.text(LETTERS, min_size=1, max_size=30))
def test_any_name_survives(tmp_path_factory, name):
    """Whatever a file or column is called, the written file reads back the same name."""
    inferred = Inferred(
        source=name,
        task=Task.REGRESSION,
        target=name,
        id="x" + name,
        drop={name + "y": name},
        rows=1,
        width=1,
    )
    data = load(infer_file(tmp_path_factory.mktemp("any"), inferred)).file.data
    assert (data.source, data.target, data.id, data.drop) == (name, name, "x" + name, [name + "y"])


@given(st.text(LETTERS, max_size=30))
def test_a_quoted_name_is_one_line(name):
    """A name never breaks out of its line."""
    assert len(quoted(name).splitlines()) == 1


@given(st.text(LETTERS, max_size=90))
def test_any_file_name_gives_a_project_name(text):
    """The name made of a file name is one that a project may have."""
    ProjectFile.model_validate({"name": slug(text), "data": {"source": "a"}})


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Käufe 2024.csv.gz", "kaufe-2024"),
        ("credit_card.parquet", "credit_card"),
        ("Straße.TSV", "strasse"),
        ("日本.csv", "project"),
        ("a.b.csv", "a-b"),
        ("...", "project"),
    ],
)
def test_names_read_like_the_file(text, name):
    """What can be kept of a file name is kept."""
    assert slug(text) == name


def test_a_clustering_has_no_target_in_its_file(tmp_path):
    """Without a target none is written, and the file is in order."""
    inferred = Inferred(source="sklearn:iris", task=Task.CLUSTERING, rows=150, width=4)
    project = load(infer_file(tmp_path, inferred))
    assert (project.name, project.file.task, project.file.data.target) == ("iris", "clustering", None)


def test_a_started_project_is_in_order(tmp_path):
    """The files of a new project check without a mistake, and its Python file parses."""
    written = start_project(tmp_path / "shop", "shop")
    assert sorted(str(path.relative_to(tmp_path / "shop")) for path in written) == [
        ".gitignore",
        "README.md",
        "data/README.md",
        "features.example.py",
        "project.yaml",
    ]
    assert check(tmp_path / "shop") == []
    assert load(tmp_path / "shop").name == "shop"
    ast.parse((tmp_path / "shop" / "features.example.py").read_text())
    assert "$" not in (tmp_path / "shop" / "README.md").read_text()


def test_the_options_shown_in_comments_are_right(tmp_path):
    """With every commented option taken, the started project still has no mistake."""
    start_project(tmp_path, "shop")
    path = tmp_path / "project.yaml"
    lines = path.read_text(encoding="utf-8").splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("task:"))
    for number, line in enumerate(lines[start:], start):
        body = line.lstrip(" ").removeprefix("# ")
        is_option = line.lstrip().startswith("# ") and not body[0].isupper() and ("- " in body or ":" in body)
        if is_option and not body.startswith("or "):
            lines[number] = line.replace("# ", "", 1)
    path.write_text("\n".join(lines), encoding="utf-8")
    assert [str(mistake) for mistake in check(path)] == []
    file = load(path).file
    assert len(file.train.candidates) == 3
    assert file.gate.floors == {"f1": 0.8}
    assert file.retrain.on_drift is True
    assert file.features["amount"].unit == "EUR"


def test_nothing_is_overwritten(tmp_path):
    """A file that is there stays as it is, and nothing else is written beside it."""
    (tmp_path / "README.md").write_text("mine")
    with pytest.raises(AlreadyThere, match=r"README\.md"):
        start_project(tmp_path, "shop")
    assert [path.name for path in tmp_path.iterdir()] == ["README.md"]
    (tmp_path / "project.yaml").write_text("mine")
    with pytest.raises(AlreadyThere):
        infer_file(tmp_path, Inferred(source="a", task=Task.CLUSTERING, rows=1, width=1))
    assert (tmp_path / "project.yaml").read_text() == "mine"


def test_a_place_that_cannot_be_written_is_told(tmp_path):
    """A file where the folder should be is a storage failure."""
    (tmp_path / "file").touch()
    with pytest.raises(StorageFailure):
        infer_file(tmp_path / "file", Inferred(source="a", task=Task.CLUSTERING, rows=1, width=1))
    with pytest.raises(AlreadyThere, match="is a file"):
        start_project(tmp_path / "file", "shop")
