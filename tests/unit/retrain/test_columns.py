"""Rows that clients sent, as rows of the base table."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelwright.bundle.read import open_bundle
from modelwright.data.load import read_table
from modelwright.project.load import load
from modelwright.retrain.additions import Addition
from modelwright.retrain.columns import append, spelled
from modelwright.retrain.dataset import assemble, read_note, with_data
from modelwright.schema.columns import Column, Kind

WHEN = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
WEIRD = 'say "hi", größe.x'


def base() -> pa.Table:
    return pa.table(
        {
            "whole": pa.array([1, 2, None], pa.int64()),
            WEIRD: pa.array([0.1, None, 1e-12], pa.float64()),
            "code": pa.array(["007", None, "x, y"], pa.string()),
            "flag": pa.array([True, None, False], pa.bool_()),
            "when": pa.array([WHEN, None, WHEN], pa.timestamp("us", "UTC")),
        }
    )


def test_types_stay_and_missing_stays_missing():
    """New rows take the base's types; a column that was not sent is missing in them."""
    cells = {
        "whole": [4.0, None],
        WEIRD: [0.5, None],
        "code": ["0042", None],
        "flag": [1.0, 0.0],
        "when": [WHEN, None],
    }
    made = append(base(), cells, 2)
    assert made.schema == base().schema
    assert made.slice(3).to_pylist() == [
        {"whole": 4, WEIRD: 0.5, "code": "0042", "flag": True, "when": WHEN},
        {"whole": None, WEIRD: None, "code": None, "flag": False, "when": None},
    ]
    assert append(base(), {}, 1).slice(3).to_pylist() == [dict.fromkeys(base().column_names)]


def test_a_value_that_does_not_fit_widens_its_column():
    """A fraction makes whole numbers numbers, a word makes them text; no row is lost."""
    assert append(base(), {"whole": [1.5]}, 1).column("whole").to_pylist() == [1.0, 2.0, None, 1.5]
    assert append(base(), {"whole": ["new"]}, 1).column("whole").to_pylist() == ["1", "2", None, "new"]


@given(st.lists(st.one_of(st.none(), st.floats(allow_nan=False, width=32)), min_size=1, max_size=20))
def test_numbers_are_the_same_after_the_way_through(values):
    """From column array to table no number changes."""
    array = np.array([np.nan if value is None else value for value in values])
    cells = spelled(array, Column(name=WEIRD, kind=Kind.NUMERIC), pa.float64())
    assert append(base(), {WEIRD: cells}, len(values)).column(WEIRD).to_pylist()[3:] == values


def test_dates_and_booleans_are_spelled_as_the_file_spells_them():
    """Where the base has text, so do the new rows, in the same words."""
    moments = np.array(["2024-05-06T07:08:09", "NaT"], dtype="datetime64[us]")
    date = Column(name="d", kind=Kind.DATETIME, form="%d.%m.%Y")
    assert spelled(moments, date, pa.string()) == ["06.05.2024", None]
    yes = Column(name="b", kind=Kind.BOOLEAN, categories=("no", "yes"))
    assert spelled(np.array([1.0, 0.0, np.nan]), yes, pa.string()) == ["yes", "no", None]


@pytest.mark.slow
def test_a_jobs_data_are_the_base_and_what_came_and_never_change(served):
    """Readable rows are added as they came, an unreadable one is told, a second look changes nothing."""
    champion = open_bundle(served.settings.work_dir / "bundles" / "v1")
    good = Addition("sample:1", {"size": 10.5, "colour": "red", "flag": True}, "yes", WHEN, 1)
    bad = Addition("sample:2", {"size": "huge", "colour": "red", "flag": True}, "no", WHEN, 2)
    late = Addition("prediction:p1", {"size": 1.25, "colour": "grün", "flag": False}, "no", WHEN)
    arguments = {"job": "abc", "work_dir": served.settings.work_dir, "labels_seen": 1}
    note = assemble(served.project, champion, [good, bad, late], **arguments)
    assert note.ids == ("sample:1", "prediction:p1") and note.samples == (1, 2)
    assert [id for id, _ in note.left_out] == ["sample:2"] and "size" in note.left_out[0][1]
    place = Path(served.project.directory / note.source)
    table = read_table(str(place), base=served.project.directory).table
    assert table.num_rows == 202
    assert table.slice(200).to_pylist() == [
        {"size": 10.5, "colour": "red", "flag": "true", "label": "yes"},
        {"size": 1.25, "colour": "grün", "flag": "false", "label": "no"},
    ]
    content = place.read_bytes()
    assert (
        assemble(served.project, champion, [], **arguments)
        == note
        == read_note(served.settings.work_dir, "abc")
    )
    assert place.read_bytes() == content
    assert with_data(served.project, note).file.data.source == str(place)


@pytest.mark.slow
def test_the_newest_rows_only_where_asked_for(served):
    """With ``newest`` old base rows go first."""
    champion = open_bundle(served.settings.work_dir / "bundles" / "v1")
    project = load(served.again(newest=50).path)
    sent = [
        Addition(f"sample:{n}", {"size": 9.0 + n, "colour": "red", "flag": True}, "yes", WHEN, n)
        for n in range(10)
    ]
    note = assemble(project, champion, sent, job="abc", work_dir=served.settings.work_dir, labels_seen=0)
    assert (note.base_rows, len(note.ids)) == (40, 10)
    table = read_table(note.source, base=project.directory).table
    assert table.num_rows == 50
