"""The encoder: what each kind of column becomes."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundles import make_table, objects
from modelwright.bundle.encode import Encoder
from modelwright.schema.columns import Column, Kind, TableSchema


def schema_of(**kinds: Kind) -> TableSchema:
    return TableSchema(columns=tuple(Column(name=name, kind=kind) for name, kind in kinds.items()))


def test_date_parts_are_those_of_the_calendar() -> None:
    """Year, month, day, weekday (Monday 0), hour with minutes, and days since the earliest training date."""
    when = np.array(
        ["2024-02-29T18:30:00", "2024-03-01", "1969-12-31T23:00:00", "NaT"], dtype="datetime64[us]"
    )
    encoder = Encoder.fit(schema_of(when=Kind.DATETIME), {"when": when[:2]})
    numbers, strings = encoder.transform_dense({"when": when})
    assert encoder.number_names[:2] == ("when.year", "when.month")
    assert numbers[0].tolist() == [2024, 2, 29, 3, 18.5, 0]
    assert numbers[1].tolist() == [2024, 3, 1, 4, 0, pytest.approx(5.5 / 24)]
    assert numbers[2, :5].tolist() == [1969, 12, 31, 2, 23]
    assert np.isnan(numbers[3]).all()
    assert strings.shape == (4, 0)


def test_columns_that_carry_nothing_are_left_out_with_a_reason() -> None:
    """Identifiers, constants, images and near-unique categories are never features."""
    many = objects([f"value {number}" for number in range(300)])
    schema = schema_of(i=Kind.IDENTIFIER, c=Kind.CONSTANT, p=Kind.IMAGE, u=Kind.CATEGORICAL, x=Kind.NUMERIC)
    columns = dict.fromkeys("icpu", many) | {"x": np.arange(300.0)}
    encoder = Encoder.fit(schema, columns)
    assert encoder.names == ("x",)
    assert set(encoder.ignored) == set("icpu")
    assert "300 different values in 300 rows" in encoder.ignored["u"]


def test_only_the_features_asked_for_are_used() -> None:
    """A model of several sees its own columns."""
    table = make_table(20)
    encoder = Encoder.fit(table.schema, table.columns, features=["size", "n 1"])
    assert (encoder.number_names, encoder.string_names) == (("n 1",), ("size",))


def test_what_float32_cannot_hold_becomes_its_largest() -> None:
    """A huge number stays finite and keeps its sign."""
    encoder = Encoder.fit(schema_of(x=Kind.NUMERIC), {"x": np.zeros(2)})
    numbers, _ = encoder.transform_dense({"x": np.array([1e300, -1e300])})
    assert np.isfinite(numbers).all()
    assert numbers[0, 0] == -numbers[1, 0] == np.finfo(np.float32).max


def test_what_a_string_tensor_cannot_hold_is_replaced() -> None:
    """NUL and lone surrogates would cut a string off, or fail inside ONNX Runtime."""
    encoder = Encoder.fit(schema_of(s=Kind.CATEGORICAL), {"s": objects(["a", "b"])})
    _, strings = encoder.transform_dense({"s": objects(["a\0b", "\ud800x", "é"])})
    assert strings[:, 0].tolist() == ["a\ufffdb", "\ufffdx", "é"]


def test_training_and_serving_encode_alike() -> None:
    """The sparse block of training holds what serving appends to the numbers."""
    table = make_table(50, text=True)
    encoder = Encoder.fit(table.schema, table.columns)
    packed = encoder.transform(table.columns)
    numbers, strings = encoder.transform_dense(table.columns)
    assert packed.text is not None
    assert np.array_equal(np.hstack([packed.numbers, packed.text.dense()]), numbers, equal_nan=True)
    assert np.array_equal(packed.strings, strings)
    assert not encoder.columnar


def test_rows_can_be_taken() -> None:
    """Taking rows by number or by mask gives those rows of every block, in that order."""
    table = make_table(30, text=True)
    packed = Encoder.fit(table.schema, table.columns).transform(table.columns)
    assert packed.text is not None
    some = packed.take([7, 3, 3])
    assert some.rows == 3
    assert some.text is not None
    assert np.array_equal(some.text.dense(), packed.text.dense()[[7, 3, 3]])
    mask = np.arange(30) % 2 == 0
    assert np.array_equal(packed.take(mask).strings, packed.strings[::2])


def test_no_rows_are_no_problem() -> None:
    """An empty batch has empty tensors of the right widths."""
    table = make_table(30, text=True)
    encoder = Encoder.fit(table.schema, table.columns)
    numbers, strings = encoder.transform_dense(table.part(slice(0, 0)))
    assert numbers.shape == (0, len(encoder.number_names))
    assert strings.shape == (0, 2)


@given(st.integers(0, 2**32 - 1), st.booleans(), st.booleans())
def test_json_round_trip_encodes_identically(seed: int, strings: bool, text: bool) -> None:
    """The encoder read back from its JSON gives the same bits."""
    table = make_table(25, seed=seed, strings=strings, text=text)
    encoder = Encoder.fit(table.schema, table.columns)
    again = msgspec.json.decode(msgspec.json.encode(encoder), type=Encoder)
    for first, second in zip(
        encoder.transform_dense(table.columns), again.transform_dense(table.columns), strict=True
    ):
        assert first.dtype == second.dtype
        assert first.tobytes() == second.tobytes() or first.tolist() == second.tolist()
    assert again.number_names == encoder.number_names
