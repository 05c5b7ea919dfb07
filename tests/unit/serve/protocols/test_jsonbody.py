import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelwright.serve.errors import BadBody
from modelwright.serve.protocols import jsonbody

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def refused(body: bytes) -> str:
    with pytest.raises(BadBody) as caught:
        jsonbody.parse(body)
    return str(caught.value.problems[0]["msg"])


@given(VALUES)
def test_any_json_value_survives(value):
    """What a JSON library writes is read back, colons and quotes in names and texts included."""
    assert jsonbody.parse(json.dumps(value).encode()) == value


@pytest.mark.parametrize(
    "wrap", [lambda number: number, lambda number: [{"a": [number]}]], ids=["bare", "deep"]
)
def test_whole_numbers_beyond_64_bits_are_floating_ones(wrap):
    """No log and no model holds others; those within stay exact."""
    for number in (2**64, -(2**63) - 1, 10**300):
        parsed = jsonbody.parse(json.dumps(wrap(number)).encode())
        assert parsed == wrap(float(number))
        msgspec.msgpack.encode(parsed)
    for number in (2**64 - 1, -(2**63)):
        assert jsonbody.parse(json.dumps(wrap(number)).encode()) == wrap(number)


def test_a_byte_order_mark_is_no_harm():
    """Some editors put one before the JSON."""
    assert jsonbody.parse(b"\xef\xbb\xbf[1]") == [1]


@pytest.mark.parametrize(
    "body",
    [b'{"a":1,"a":2}', b'[{"x":{"a":1,"b":0,"a":1}}]', b'{"\\u0061":1,"a":2}'],
    ids=["plain", "nested", "escaped"],
)
def test_a_name_that_stands_twice_is_refused_by_name(body):
    """Which of two values counts is not agreed on between programs."""
    assert "'a' stands twice" in refused(body)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "empty"),
        (b"  \n", "empty"),
        (b'{"a":NaN}', "NaN and Infinity"),
        (b"[-Infinity]", "NaN and Infinity"),
        (b"[" * 100_000, "deeply"),
        (b'{"a":' * 100_000, "deeply"),
        (b"1e999", "range"),
        (b"[" + b"9" * 400 + b"]", "range"),
        (b"9" * 100_000, "range"),
        (b'"\xff"', "UTF-8"),
        (b'{"a":1', "truncated"),
        (b"{} {}", "malformed"),
        (b'"\\ud800"', "not valid JSON"),
    ],
)
def test_what_is_no_json_is_refused_with_the_reason(body, words):
    """NaN, depth, numbers without end, torn and broken bodies are each told apart."""
    assert words in refused(body)


def test_a_text_of_backslashes_takes_no_time():
    """The check for duplicate names works in one pass, whatever a text holds."""
    text = "\\" * 1_000_000 + '":'
    assert jsonbody.parse(json.dumps({"t": text}).encode()) == {"t": text}


@pytest.mark.parametrize(
    ("value", "name"), [(None, "null"), (True, "true"), (1.5, "a number"), ("", "a string")]
)
def test_only_an_object_is_an_object(value, name):
    """The message says what was sent instead."""
    with pytest.raises(BadBody) as caught:
        jsonbody.parse_object(json.dumps(value).encode())
    assert name in caught.value.problems[0]["msg"]
