"""Prediction ids."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelwright.serve.errors import BadId
from modelwright.serve.ids import LONGEST_OF_ROW, IdMaker, given_id


@given(st.lists(st.integers(min_value=0, max_value=1 << 45), min_size=1, max_size=50))
def test_ids_ascend_whatever_the_clock_does(milliseconds: list[int]) -> None:
    """A clock that stands still or steps back makes no id descend or repeat; all are UUIDs of version 7."""
    times = iter([each * 1_000_000 for each in milliseconds])
    make = IdMaker(lambda: next(times))
    made = [make() for _ in milliseconds]
    assert made == sorted(set(made))
    assert all(uuid.UUID(id).version == 7 and uuid.UUID(id).variant == uuid.RFC_4122 for id in made)


def test_more_ids_than_fit_in_a_millisecond_ascend_too() -> None:
    """The counter overflows into the time."""
    make = IdMaker(lambda: 1_000_000_000)
    made = [make() for _ in range(10_000)]
    assert made == sorted(set(made))


@pytest.mark.parametrize("value", ["a", "order-1", "x" * 128, "a.b:c@d+e=f~g", "01a1fd8d-7f11-7000"])
def test_a_plain_text_is_an_id(value: str) -> None:
    """Printable ASCII is taken as it is."""
    assert given_id(value) == value


def test_a_whole_number_is_an_id() -> None:
    """As its digits; 17.0 is one to JSON, too."""
    assert given_id(17) == "17"
    assert given_id(-17.0) == "-17"
    assert given_id(2**64 - 1) == "18446744073709551615"


def test_what_names_a_row_of_a_batch_may_be_longer() -> None:
    """By the row's place behind the request's id."""
    row = "x" * 128 + ".9999999"
    assert given_id(row, longest=LONGEST_OF_ROW) == row
    with pytest.raises(BadId):
        given_id(row + "9", longest=LONGEST_OF_ROW)


@pytest.mark.parametrize(
    "value",
    ["", " ", "a b", "a/b", 'a"b', "a\\b", "é", "x" * 129, True, 1.5, 2**64, -(2.0**63), None, [], "a\n"],
)
def test_anything_else_is_refused(value: object) -> None:
    """With the place and what was sent."""
    with pytest.raises(BadId) as refused:
        given_id(value)
    assert refused.value.problems[0]["loc"] == ["body", "id"]
