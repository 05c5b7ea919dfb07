"""A bare data file becomes a project once, whoever comes first."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from modelwright.cli import adopt as room
from modelwright.cli.adopt import adopt
from modelwright.project.load import load
from modelwright.schema.metrics import Task

ROWS = "size,label\n" + "\n".join(f"{i % 7}.5,{'yes' if i % 7 > 3 else 'no'}" for i in range(60)) + "\n"


@pytest.fixture
def table(tmp_path):
    """A data file in a folder of its own."""
    file = tmp_path / "shop" / "rows.csv"
    file.parent.mkdir()
    file.write_text(ROWS)
    return file


def test_who_comes_second_takes_the_project_of_the_first(table, monkeypatch):
    """Two at once on one file: the slower one goes on with what the faster one wrote, as if run later."""
    written = room._write

    def beaten(*args):
        written(*args)
        return written(*args)

    monkeypatch.setattr(room, "_write", beaten)
    path = adopt(str(table), target="label", task=None, name=None)
    assert load(path).file.data.target == "label"


def test_a_folder_called_data_is_named_after_the_one_around_it(table):
    """A project called data would say nothing; any other folder gives its name."""
    arrow = pa.table({"x": [float(i % 9) for i in range(60)], "y": [i % 9 * 2.0 for i in range(60)]})
    for folder, name in (("data", "shop"), ("parts", "parts")):
        place = table.parent / folder
        place.mkdir()
        pq.write_table(arrow, place / "a.parquet")
        path = adopt(str(place), target="y", task=Task.REGRESSION, name=None)
        assert load(path).name == name
        path.unlink()
