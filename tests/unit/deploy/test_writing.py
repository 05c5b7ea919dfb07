"""Rendered files: brought up to date, and never written over a person's work."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelwright.deploy.writing import NOTE, Changed, write_files


def test_files_are_brought_up_to_date(tmp_path: Path) -> None:
    """What is as it was last made is overwritten; what is so already is left alone."""
    write_files({"a.yml": "1", "b/c.yml": "2"}, tmp_path)
    again = write_files({"a.yml": "1", "b/c.yml": "3"}, tmp_path)
    assert (again.written, again.same) == (("b/c.yml",), ("a.yml",))
    assert (tmp_path / "b" / "c.yml").read_text() == "3"


def test_a_person_s_work_is_kept(tmp_path: Path) -> None:
    """A changed file refuses the whole writing and is named; force overwrites it."""
    write_files({"a.yml": "1", "b.yml": "1"}, tmp_path)
    (tmp_path / "a.yml").write_text("mine")
    with pytest.raises(Changed) as raised:
        write_files({"a.yml": "2", "b.yml": "2"}, tmp_path)
    assert raised.value.details == ("a.yml",) or list(raised.value.details) == ["a.yml"]
    assert (tmp_path / "b.yml").read_text() == "1"
    write_files({"a.yml": "2", "b.yml": "2"}, tmp_path, force=True)
    assert (tmp_path / "a.yml").read_text() == "2"


def test_a_file_that_was_there_before_is_a_person_s(tmp_path: Path) -> None:
    """Also where no note says what was made, or the note is damaged."""
    (tmp_path / "a.yml").write_text("mine")
    (tmp_path / NOTE).write_text("{")
    with pytest.raises(Changed):
        write_files({"a.yml": "1"}, tmp_path)
