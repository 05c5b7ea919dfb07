"""Rows that a project's own program makes."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelwright.data.faults import DataUnreadable
from modelwright.data.load import materialise, read_table

MAKER = """
import argparse, pathlib
parser = argparse.ArgumentParser()
parser.add_argument("--out", type=pathlib.Path)
out = parser.parse_args().out
(out.parent / "beside.txt").write_text("x")
out.write_text("a,b\\n1,2\\n")
"""
SOURCE = "synthetic:make data.py"


def test_they_are_made_once(tmp_path: Path) -> None:
    """Then what is there stays, and nobody can take it for real."""
    (tmp_path / "make data.py").write_text(MAKER)
    loaded = read_table(SOURCE, base=tmp_path)
    assert loaded.table.to_pydict() == {"a": [1], "b": [2]}
    assert loaded.origin == "data/synthetic.csv (synthetic, made by make data.py)"
    path = materialise(SOURCE, project_dir=tmp_path)
    assert path == tmp_path / "data" / "synthetic.csv"
    path.write_text("a,b\n3,4\n")
    assert read_table(SOURCE, base=tmp_path).table.to_pydict() == {"a": [3], "b": [4]}
    assert sorted(each.name for each in path.parent.iterdir()) == ["beside.txt", "synthetic.csv"]


@pytest.mark.parametrize(
    ("script", "says"),
    [
        (None, "There is no file .*make data.py"),
        ("raise SystemExit('no luck')", "made no data: no luck"),
        ("print('fine')", "made no data: It wrote no file"),
        (MAKER + "raise ValueError('late')", "made no data: ValueError: late"),
    ],
)
def test_a_program_that_fails_leaves_no_rows(tmp_path: Path, script: str | None, says: str) -> None:
    """What it had written by then is no data."""
    if script is not None:
        (tmp_path / "make data.py").write_text(script)
    with pytest.raises(DataUnreadable, match=says):
        materialise(SOURCE, project_dir=tmp_path)
    assert not list(tmp_path.rglob("*synthetic.csv*"))
