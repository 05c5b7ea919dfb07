"""Bytes written from arrays are the messages that protobuf itself would read."""

from __future__ import annotations

import numpy as np
import onnx
from hypothesis import given
from hypothesis import strategies as st

from modelwright.bundle import wire

WHOLE = st.integers(-(2**63), 2**63 - 1)


@given(st.lists(WHOLE, max_size=50))
def test_whole_numbers_are_read_back(values: list[int]) -> None:
    """Any 64-bit number, negative ones and none at all included."""
    data = wire.numbers_attribute("numbers é", np.array(values, dtype=np.int64))
    read = onnx.AttributeProto.FromString(data)
    assert (read.name, read.type) == ("numbers é", onnx.AttributeProto.INTS)
    assert list(read.ints) == values


@given(st.lists(st.floats(width=32, allow_nan=False), max_size=50))
def test_decimal_numbers_are_read_back(values: list[float]) -> None:
    """Bit for bit, as float32."""
    read = onnx.AttributeProto.FromString(wire.numbers_attribute("x", np.array(values)))
    assert read.type == onnx.AttributeProto.FLOATS
    assert np.array(read.floats, np.float32).tobytes() == np.array(values, np.float32).tobytes()


def test_booleans_become_whole_numbers() -> None:
    """NumPy's booleans are no numbers to ONNX, so they are written as 0 and 1."""
    read = onnx.AttributeProto.FromString(wire.numbers_attribute("flags", np.array([True, False])))
    assert list(read.ints) == [1, 0]
