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
from modelwright.serve.protocols import predict
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
    values, given_ = found.values, found.given
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
            assert found == ((1.0, -1.5, 3.0, True, "groß", "ein Wort"), None, {})


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


LINEAGE = TableSchema(
    columns=(
        Column(name="plain", kind=Kind.NUMERIC),
        Column(name="spare", kind=Kind.NUMERIC, nullable=True),
        Column(name="words", kind=Kind.TEXT),
    ),
    target=Column(name="Class", kind=Kind.INTEGER),
    identifier="id",
    ignored=("boat", "features", "a:b"),
)
BESIDE = QuickReader.fitting(LINEAGE)


@pytest.mark.parametrize(
    ("body", "given", "carried"),
    [
        ({"features": {"plain": 1, "words": "w", "id": 7}}, None, {"id": 7}),
        ({"input": {"id": "x", "plain": 1, "words": "w", "boat": None}}, None, {"id": "x", "boat": None}),
        ({"features": {"plain": 1, "words": "w", "Class": 1}, "id": "mine"}, "mine", {"Class": 1}),
        ({"id": "mine", "input": {"plain": 1, "words": "w"}}, "mine", {}),
        ({"id": 7, "plain": 1, "words": "w", "Class": 0}, None, {"id": 7, "Class": 0}),
        ({"id": "mine", "plain": 1, "words": "w"}, "mine", {}),
        ({"plain": 1, "words": "w", "boat": "4: D", "a:b": 1.5}, None, {"boat": "4: D", "a:b": 1.5}),
    ],
)
def test_the_training_datas_other_columns_do_not_cost_the_shortcut(
    body: dict[str, Any], given: str | None, carried: dict[str, Any]
) -> None:
    """They are kept for the log and read by no model; a row's ``id`` is the client's or the table's."""
    assert BESIDE is not None
    found = BESIDE.read(json.dumps(body).encode())
    assert found == ((1.0, None, "w"), given, carried)


@pytest.mark.parametrize(
    "body",
    [
        '{"plain": 1, "plain": 2, "words": "w"}',
        '{"features": {"plain": 1, "plain": 2, "words": "w"}}',
        '{"features": {"plain": 1, "words": "w", "words": "v"}}',
        '{"features": {"plain": 1, "words": "\\u003a", "words": "v"}}',
        '{"features": {"plain": 1, "words": "a:b", "boat": 1, "boat": 2}}',
        '{"features": {"plain": 1, "words": "a", "a\\u003ab": 1, "plain": 2}}',
        '{"features": {"plain": 1, "words": "a"}, "features": {"plain": 1, "words": "a"}}',
        '{"id": "a", "features": {"plain": 1, "words": "a"}, "id": "b"}',
        '{"id": 1, "plain": 1, "words": "a", "id": 2}',
        '{"plain": 1, "words": "a", "boat": 99999999999999999999}',
        '{"plain": 1, "words": "a", "boat": [1]}',
        '{"plain": 1, "words": "a", "id": true, "id": 1}',
    ],
)
def test_a_name_that_stands_twice_is_never_taken(body: str) -> None:
    """Neither where another name is absent, nor where texts and names have colons, plain or escaped."""
    assert BESIDE is not None
    assert BESIDE.read(body.encode()) is None


twice = st.lists(
    st.tuples(
        st.sampled_from(["plain", "spare", "words", "id", "Class", "a:b", "a\\u003ab"]),
        st.sampled_from(["1", "null", '"w"', '"a:b"', '"\\u003A"', "2.5"]),
    ),
    max_size=6,
)


@given(members=twice, shape=st.sampled_from(['{"features": %s}', "%s", '{"id": "i", "input": %s}']))
def test_the_shortcut_and_the_careful_parser_agree(members: list[tuple[str, str]], shape: str) -> None:
    """What the shortcut takes, the parser that refuses repeated names reads as the same row."""
    assert BESIDE is not None
    body = (shape % ("{" + ",".join(f'"{name}":{value}' for name, value in members) + "}")).encode()
    found = BESIDE.read(body)
    if found is None:
        return
    call = predict.read(body, {}, LINEAGE)
    (row,) = call.rows
    assert isinstance(row, dict)
    assert call.ids == [None if found.given is None else str(found.given)]
    told = dict(zip(LINEAGE.names, found.values, strict=True)) | dict(found.carried)
    assert {key: value for key, value in told.items() if value is not None} == {
        key: value for key, value in row.items() if value is not None
    }


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
