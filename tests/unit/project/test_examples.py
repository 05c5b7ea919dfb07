"""A person's own project is begun from an example."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelwright.project.examples import UnknownExample, begin_like, examples
from modelwright.project.load import check, load
from modelwright.project.write import AlreadyThere


@pytest.mark.parametrize("like", ["iris", "fraud", "titanic"])
def test_it_is_in_order_under_its_own_name(tmp_path: Path, like: str) -> None:
    """Without data and without what runs left, and nothing in it names the example's folder."""
    folder = tmp_path / "mine"
    written = begin_like(folder, "mine", like)
    assert check(folder) == [] and load(folder).name == "mine"
    assert not any(part in (".modelwright", "data", ".dvc") for path in written for part in path.parts)
    assert f"examples/{like}" not in (folder / "README.md").read_text()


@pytest.mark.parametrize("like", ["cardholders", "fraud", "products", "titanic"])
def test_no_source_outside_is_taken_along(tmp_path: Path, like: str) -> None:
    """What lies beside this repository is not beside the new project: it begins on made-up rows."""
    begin_like(tmp_path / "mine", "mine", like)
    assert load(tmp_path / "mine").file.data.source == "synthetic:make_data.py"
    assert "../" not in (tmp_path / "mine" / "project.yaml").read_text()


def test_scripts_stay_runnable(tmp_path: Path) -> None:
    """The mode goes with the file."""
    begin_like(tmp_path / "flowers", "flowers", "iris")
    assert (tmp_path / "flowers" / "ci.sh").stat().st_mode & 0o111


def test_what_cannot_be_is_told(tmp_path: Path) -> None:
    """A misspelt example, and a folder that is taken."""
    with pytest.raises(UnknownExample, match="iriss"):
        begin_like(tmp_path / "a", "a", "iriss")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "thesis.txt").write_text("x")
    with pytest.raises(AlreadyThere):
        begin_like(tmp_path / "b", "b", "iris")
    assert {"iris", "fraud", "titanic"} <= set(examples())
