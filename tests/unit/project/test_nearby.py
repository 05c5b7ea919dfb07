"""Paths that lead nowhere, and what was probably meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelwright.project.nearby import remedy


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [
        ("flower.csv", "Did you mean 'flowers.csv'?"),
        ("Flowers.CSV", "Did you mean 'flowers.csv'?"),
        ("flowers.csv ", "Did you mean 'flowers.csv'?"),
        ("flowers", "Did you mean 'flowers.csv'?"),
        ("project.yml", "Did you mean 'project.yaml'?"),
        ("a", "Did you mean 'a.parquet'?"),
        ("prices.csv", "Check the path."),
        (".hiden", "Check the path."),
    ],
)
def test_a_file_of_a_similar_name_is_suggested(tmp_path: Path, wrong: str, meant: str) -> None:
    """Whatever its case and ending; hidden ones are nobody's."""
    for name in ("flowers.csv", "project.yaml", "a.parquet", ".hidden"):
        (tmp_path / name).touch()
    assert remedy(tmp_path / wrong) == meant


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    """The file is not the mistake then."""
    assert (
        remedy(tmp_path / "no" / "a.csv") == f"There is no folder {tmp_path / 'no'} either: check the path."
    )


def test_where_a_file_stands_for_a_folder_it_is_told_otherwise(tmp_path: Path) -> None:
    """Nothing can be listed there."""
    (tmp_path / "file").touch()
    assert remedy(tmp_path / "file" / "a.csv", "Look again.") == "Look again."
