"""The quick reader: what it takes, it takes exactly as the reader of all rows does."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelwright.bundle.format import BundleSchema
from modelwright.bundle.rows import RowReader
from modelwright.schema.columns import Column, Kind, TableSchema
from modelwright.serve.quick import QuickReader

SCHEMA = TableSchema(
    columns=(
        Column(name="plain", kind=Kind.NUMERIC),
        Column(name="a: b", kind=Kind.NUMERIC, nullable=True, observed_min=-5, observed_max=5),
        Column(name="whole", kind=Kind.INTEGER, nullable=True, minimum=0),
        Column(name="it's 'x'", kind=Kind.BOOLEAN, nullable=True),
        Column(name="größe", kind=Kind.CATEGORICAL, categories=("klein", "groß"), nullable=True),
        Column(name="words", kind=Kind.TEXT, nullable=True),
    )
)
QUICK = QuickReader.fitting(SCHEMA)
READER = RowReader(BundleSchema(inputs=SCHEMA, features=SCHEMA))

cells = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-10, 10),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.floats(-6, 6),
    st.sampled_from(["klein", "groß", "riesig", "", " ", "1", "true", "a:b"]),
    st.text(max_size=5),
)
rows = st.one_of(
    st.fixed_dictionaries({"plain": cells}, optional=dict.fromkeys(SCHEMA.names[1:], cells)),
    st.fixed_dictionaries(dict.fromkeys(SCHEMA.names, cells)),
    st.lists(cells, min_size=5, max_size=7),
)


@given(row=rows, shape=st.sampled_from(["features", "input", "plain"]), id=st.none() | st.just("given"))
def test_what_it_takes_means_the_same(row: Any, shape: str, id: str | None) -> None:
    """Any body is either left to the longer way, or gives the same arrays without a word to say."""
    if shape == "plain" and not isinstance(row, dict):
        shape = "features"
    body: dict[str, Any] = dict(row) if shape == "plain" else {shape: row}
    if id is not None:
        body["id"] = id
    assert QUICK is not None
    found = QUICK.read(json.dumps(body).encode())
    if found is None:
        return
    values, given_ = found
    assert given_ == id
    reading = READER.read([row])
    assert not reading.errors
    assert not any(reading.warnings)
    for name, array in QUICK.columns([values]).items():
        np.testing.assert_array_equal(array, reading.columns[name])


def test_it_takes_the_ordinary_row_in_every_shape() -> None:
    """The shortcut is taken: rows that leave no question don't go the longer way."""
    row = {"plain": 1, "a: b": -1.5, "whole": 3, "it's 'x'": True, "größe": "groß", "words": "ein Wort"}
    bodies: list[Any] = [row, {"features": row}, {"input": row}, {"features": list(row.values())}]
    for body in bodies:
        for encoded in (json.dumps(body), json.dumps(body, ensure_ascii=False, indent=2)):
            found = QUICK.read(encoded.encode())  # type: ignore[union-attr]
            assert found == ((1.0, -1.5, 3.0, True, "groß", "ein Wort"), None)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        b"\xff",
        b'{"features": 1}',
        b'{"features": [1], "input": [1]}',
        b'{"plain": 1, "plain": 2, "a: b": null, "whole": 1, "words": "w"}',
        b'{"plain": 1e999}',
        b'{"plain": 1, "extra": 2}',
    ],
)
def test_it_leaves_the_rest_to_the_longer_way(body: bytes) -> None:
    """Broken, ambiguous, unknown and repeated things are not for the shortcut."""
    assert QUICK.read(body) is None  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "columns",
    [
        (),
        (Column(name="when", kind=Kind.DATETIME),),
        (Column(name="picture", kind=Kind.IMAGE),),
        (Column(name="id", kind=Kind.NUMERIC),),
        (Column(name="features", kind=Kind.NUMERIC),),
        (Column(name='quoted "x"', kind=Kind.NUMERIC),),
        (Column(name="back\\slash", kind=Kind.NUMERIC),),
    ],
)
def test_some_schemas_have_no_shortcut(columns: tuple[Column, ...]) -> None:
    """Date-times and images always need a word; columns called like the shapes would be ambiguous."""
    assert QuickReader.fitting(TableSchema(columns=columns)) is None
