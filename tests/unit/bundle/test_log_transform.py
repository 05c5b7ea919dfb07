"""Numbers on a logarithmic scale: the encoder's, before the graph."""

from __future__ import annotations

import msgspec
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from modelwright.bundle.encode import Encoder
from modelwright.schema.columns import Column, Kind, TableSchema

SCHEMA = TableSchema(columns=(Column(name="amount", kind=Kind.NUMERIC, transform="log", nullable=True),))


@given(st.lists(st.floats(allow_nan=True, allow_infinity=False, width=64), min_size=1, max_size=20))
def test_sign_and_order_are_kept(values: list[float]):
    """Refunds stay below zero, order stays, missing stays missing, and training equals serving."""
    columns = {"amount": np.array(values)}
    encoder = Encoder.fit(SCHEMA, columns)
    seen = encoder.transform(columns).numbers[:, 0]
    np.testing.assert_array_equal(seen, encoder.transform_dense(columns)[0][:, 0])
    np.testing.assert_array_equal(np.isnan(seen), np.isnan(values))
    known = ~np.isnan(values)
    assert (np.diff(seen[known][np.argsort(np.array(values)[known], kind="stable")]) >= 0).all()
    assert (np.sign(seen[known]) * np.sign(np.array(values)[known]) >= 0).all()


def test_an_encoder_survives_its_json():
    """The scale is in the bundle; encoders without one are written as before."""
    columns = {"amount": np.array([1.0, 2.0])}
    encoder = Encoder.fit(SCHEMA, columns)
    again = msgspec.json.decode(msgspec.json.encode(encoder), type=Encoder)
    np.testing.assert_array_equal(again.transform(columns).numbers, encoder.transform(columns).numbers)
    assert not encoder.columnar
    plain = Encoder.fit(TableSchema(columns=(Column(name="amount", kind=Kind.NUMERIC),)), columns)
    assert b"log" not in msgspec.json.encode(plain) and plain.columnar
