"""Values survive the way into a database and back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelwright.store.codec import MAX_KEY, keep, key, micros, moment, pack, restore, unpack
from modelwright.store.errors import Unstorable

ANY_TEXT = st.text(alphabet=st.characters(exclude_categories=[]))


@given(ANY_TEXT)
def test_text_is_kept_without_what_databases_refuse(text):
    """Escaped text encodes to UTF-8, holds no U+0000, and gives the original back."""
    kept = keep(text)
    assert "\x00" not in kept
    kept.encode()
    assert restore(kept) == text


@given(st.text(alphabet=st.characters(min_codepoint=32, exclude_categories=["Cs"])))
def test_ordinary_text_is_kept_as_it_is(text):
    """People who look into the database read what was written, backslashes and quotes too."""
    assert keep(text) == text


@given(ANY_TEXT, ANY_TEXT)
def test_different_texts_stay_different(one, other):
    """No escape makes two identifiers the same."""
    assert (keep(one) == keep(other)) == (one == other)


@given(st.datetimes(timezones=st.timezones()))
def test_times_are_exact_in_every_zone(time):
    """The same instant to the microsecond, told in UTC."""
    try:
        utc = time.astimezone(UTC)
    except OverflowError:  # beyond the years 1 and 9999
        return
    assert moment(micros(time)) == utc
    assert moment(micros(time)).utcoffset() == timedelta(0)


@given(st.datetimes(), st.datetimes())
def test_times_order_as_their_numbers(one, other):
    """Before and after are the same for times and for what is stored."""
    first, second = one.replace(tzinfo=UTC), other.replace(tzinfo=timezone(timedelta(0)))
    assert (micros(first) < micros(second)) == (first < second)


def test_a_time_without_zone_is_refused():
    """It could mean anything."""
    with pytest.raises(Unstorable, match=r"2026-01-02.*no time zone"):
        micros(datetime(2026, 1, 2))


@given(ANY_TEXT)
def test_json_text_holds_nothing_a_database_refuses(text):
    """Any string, as value and as key."""
    packed = pack({text: text})
    assert "\x00" not in packed
    packed.encode()
    unpack(packed)


def test_what_is_no_json_is_refused():
    """An object without a JSON form, and nesting without end, are told as such."""
    endless: list[object] = []
    endless.append(endless)
    for value in (object(), endless):
        with pytest.raises(Unstorable, match="JSON"):
            pack(value)


def test_a_missing_value_stays_missing_and_nan_stays_nan():
    """The fast encoder would write both as null."""
    assert pack({"a": None}) == '{"a":null}'
    assert (
        repr(unpack(pack({"a": [None, float("nan")], "b": float("inf")}))) == "{'a': [None, nan], 'b': inf}"
    )


def test_an_identifier_has_a_length_that_an_index_can_hold():
    """One character more than the most is refused, with its beginning named."""
    assert key("é" * MAX_KEY, "name") == "é" * MAX_KEY
    with pytest.raises(Unstorable, match="The name 'xxx"):
        key("x" * (MAX_KEY + 1), "name")
