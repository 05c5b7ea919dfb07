"""Of several sources the first one that is there is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelwright.project.load import check, load
from modelwright.project.sources import is_path, settled
from modelwright.project.write import FILE


def project(folder: Path, source: str) -> Path:
    """A project whose ``data.source`` is ``source``."""
    folder.mkdir(exist_ok=True)
    (folder / FILE).write_text(f"name: shop\ndata:\n  source: {source}\n  target: y\n")
    return folder


def test_the_first_that_is_there(tmp_path: Path) -> None:
    """Relative to the project's folder; a file that DVC has put away counts, for DVC brings it back."""
    folder = project(tmp_path / "p", "[../real.csv, mine.csv, data/other.csv, synthetic:make.py]")
    assert load(folder).file.data.source == "synthetic:make.py"
    (folder / "mine.csv.dvc").write_text("outs: []\n")
    assert load(folder).file.data.source == "mine.csv"
    (tmp_path / "real.csv").write_text("y\n1\n")
    assert load(folder).file.data.source == "../real.csv"


def test_none_that_is_there(tmp_path: Path) -> None:
    """The last one is named, so that what is told names a file."""
    assert load(project(tmp_path, "[a.csv, b.csv]")).file.data.source == "b.csv"


def test_a_section_among_them(tmp_path: Path) -> None:
    """A query is taken for being there: only asking tells."""
    source = "[a.csv, {url: 'sqlite:///shop.db', query: 'select 1'}]"
    found = load(project(tmp_path, source)).file.data.source
    assert not isinstance(found, str) and found.query == "select 1"


def test_of_a_part_too(tmp_path: Path) -> None:
    """A model with data of its own chooses for itself."""
    (tmp_path / "b.csv").write_text("y\n1\n")
    (tmp_path / FILE).write_text(
        "name: shop\ndata: {source: a.csv}\n"
        "models:\n  one:\n    data: {source: [a.csv, b.csv], target: y}\n  two: {target: y}\n"
    )
    data = load(tmp_path).file.models["one"].data
    assert data is not None and data.source == "b.csv"


@pytest.mark.parametrize(
    ("source", "key", "problem"),
    [
        ("[]", "data.source", "names no source"),
        ("[a.csv, [b.csv]]", "data.source[1]", "no source"),
        ("[true]", "data.source[0]", "no source"),
    ],
)
def test_mistakes_are_told(tmp_path: Path, source: str, key: str, problem: str) -> None:
    """An empty list, and what is no source, with the line."""
    found = check(project(tmp_path, source))
    assert [(each.key, each.line) for each in found] == [(key, 3)]
    assert problem in found[0].problem


@pytest.mark.parametrize(
    "source",
    ["[a.csv, 'b c.csv']", "\n    - a.csv   # one\n    - b c.csv\n\n", "\n  # first\n  - a.csv\n  - b c.csv"],
)
def test_a_list_is_settled(tmp_path: Path, source: str) -> None:
    """One source stays, and every other key as it was."""
    file = project(tmp_path, source) / FILE
    for text in (file.read_text(), file.read_text().replace("  target: y\n", "") + "task: clustering\n"):
        file.write_text(settled(text, "b c.csv"))
        found = load(tmp_path)
        assert found.file.data.source == "b c.csv" and "a.csv" not in file.read_text()
        assert found.name == "shop" and found.file.data.target in ("y", None)


def test_a_single_source_stays(tmp_path: Path) -> None:
    """To the letter."""
    text = (project(tmp_path, "a.csv  # mine") / FILE).read_text()
    assert settled(text, "a.csv") == text


def test_what_is_a_path() -> None:
    """Not an address, a set with a name, or a generator."""
    assert is_path("data/a.csv") and is_path("C:\\a.csv")
    assert not any(map(is_path, ["s3://b/a.csv", "sklearn:iris", "synthetic:make.py"]))
