"""Online features: a generation is there whole or not at all."""

from __future__ import annotations

import threading

import pytest

from modelwright.store.errors import Unstorable

VALUES = {"Ann B": (1.0, None, "x"), 'Zoë "C" \'* %': (0.1 + 0.2, -5.0, ""), "0042": (1e308, 0.0, None)}
NAMES = ("recency", "gap", "team")


def test_nothing_is_known_at_first(store):
    """An empty store has no generation."""
    assert store.online.current("cards") is None
    assert store.online.all("cards") is None
    assert store.online.get("cards", ["Ann B"]) == {}


def test_values_come_back_as_they_were(store):
    """Numbers to the last bit, missing values and any spelling of a key."""
    record = store.online.replace("cards", NAMES, VALUES, as_of="2016-12-31", digest="d")
    assert record.keys == 3 and record.names == NAMES and record.as_of == "2016-12-31"
    assert store.online.current("cards") == record
    assert store.online.all("cards") == (record, VALUES)
    assert store.online.get("cards", ["Ann B", "nobody"]) == {"Ann B": VALUES["Ann B"]}


def test_a_generation_replaces_the_one_before(store):
    """Keys that are gone are gone, another project's stay, and numbers grow."""
    other = store.online.replace("other", NAMES, VALUES)
    first = store.online.replace("cards", NAMES, VALUES)
    second = store.online.replace("cards", ("recency",), {"Ann B": (2.0,)})
    assert second.sequence > first.sequence
    assert store.online.all("cards") == (second, {"Ann B": (2.0,)})
    assert store.online.get("cards", ["0042"]) == {}
    assert store.online.all("other") == (other, VALUES)


def test_a_key_that_is_too_long_changes_nothing(store):
    """It is refused before anything is written."""
    record = store.online.replace("cards", NAMES, VALUES)
    with pytest.raises(Unstorable):
        store.online.replace("cards", NAMES, {"x" * 500: (1.0, 1.0, "")})
    assert store.online.current("cards") == record


def test_readers_see_one_generation_whole(store):
    """While generations follow one another, nobody reads a mixture or a part."""
    keys = [f"key {number}" for number in range(50)]
    store.online.replace("cards", ("n",), dict.fromkeys(keys, (0.0,)))
    done = threading.Event()
    seen: list[set[object]] = []

    def read() -> None:
        while not done.is_set():
            found = store.online.all("cards")
            assert found is not None
            seen.append({*found[1].values(), len(found[1])})

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(1, 8):
        store.online.replace("cards", ("n",), dict.fromkeys(keys, (float(number),)))
    done.set()
    reader.join()
    assert seen and all(len(each) == 2 and 50 in each for each in seen)
