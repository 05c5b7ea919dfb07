"""Rows completed by what is looked up."""

from __future__ import annotations

import numpy as np
import pytest

from modelwright.bundle.format import BundleSchema, Lookup
from modelwright.bundle.lookup import Known
from modelwright.bundle.rows import RowReader
from modelwright.schema.columns import Column, Kind, TableSchema

NAME = Column(name="name", kind=Kind.TEXT, nullable=True)
AMOUNT = Column(name="amount", kind=Kind.NUMERIC)
RECENCY = Column(name="recency", kind=Kind.NUMERIC, nullable=True)
TEAM = Column(name="team", kind=Kind.CATEGORICAL, nullable=True, categories=("a", "b"))
SCHEMA = BundleSchema(
    inputs=TableSchema(columns=(AMOUNT, NAME)),
    features=TableSchema(columns=(AMOUNT, RECENCY, TEAM)),
    lookup=Lookup(key="name", columns=(RECENCY, TEAM)),
)
ROWS = [("Ann", (3.0, "a")), ("Bob", (None, None))]


@pytest.fixture
def reader() -> RowReader:
    """A reader that knows Ann and Bob."""
    made = RowReader(SCHEMA)
    assert made.joiner is not None
    made.joiner.known = Known.of(ROWS, ["recency", "team"], number=1)
    return made


def test_what_is_known_is_added(reader: RowReader):
    """By the key, in the order of the rows, without a word."""
    reading = reader.read([{"amount": 1, "name": "Bob"}, {"amount": 2, "name": "Ann"}])
    np.testing.assert_array_equal(reading.columns["recency"], [np.nan, 3.0])
    assert reading.columns["team"].tolist() == ["", "a"]
    assert reading.warnings == [[], []] and not reading.errors


def test_strangers_are_answered_and_remarked_on(reader: RowReader):
    """An unknown name, an empty one and none leave the columns missing."""
    reading = reader.read([{"amount": 1, "name": "Eve"}, {"amount": 1, "name": ""}, {"amount": 1}])
    assert np.isnan(reading.columns["recency"]).all()
    assert reading.columns["team"].tolist() == ["", "", ""]
    assert [warnings[0].type for warnings in reading.warnings] == [
        "key_unknown",
        "key_missing",
        "key_missing",
    ]


def test_refused_rows_are_not_remarked_on(reader: RowReader):
    """A row with an error gets that error only."""
    reading = reader.read([{"amount": "x", "name": "Eve"}])
    assert len(reading.errors) == 1 and reading.warnings == [[]]


def test_before_the_first_generation(reader: RowReader):
    """With nothing at hand every name is a stranger's, and that is said."""
    assert reader.joiner is not None
    reader.joiner.known = None
    reading = reader.read([{"amount": 1, "name": "Ann"}])
    assert np.isnan(reading.columns["recency"]).all()
    assert reading.warnings[0][0].type == "no_features"


def test_a_generation_of_other_columns_serves_what_it_has(reader: RowReader):
    """A new version may want what an older generation does not hold: it is missing, and nothing fails."""
    assert reader.joiner is not None
    reader.joiner.known = Known.of([("Ann", ("a text", 1.0))], ["recency", "other"], number=2)
    reading = reader.read([{"amount": 1, "name": "Ann"}])
    assert np.isnan(reading.columns["recency"]).all() and reading.columns["team"].tolist() == [""]


def test_columns_read_otherwise_are_completed_alike(reader: RowReader):
    """The shortcut for plain rows and the longer way give the same columns and the same words."""
    rows = [{"amount": 1.0, "name": "Ann"}, {"amount": 2.0, "name": "Eve"}]
    names = np.array(["Ann", "Eve"], dtype=object)
    quick = reader.completed({"amount": np.array([1.0, 2.0]), "name": names})
    slow = reader.read(rows)
    assert quick.columns.keys() == slow.columns.keys()
    for name, values in quick.columns.items():
        np.testing.assert_array_equal(values, slow.columns[name])
    assert quick.warnings == slow.warnings
