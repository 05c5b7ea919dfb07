"""The walk from an answer back to where it came from."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelwright.store.lineage import document, meant, trace
from modelwright.store.records import Verdict
from modelwright.testing.factories import NOON, decision, prediction, version
from modelwright.testing.memory import MemoryStore

LONG_AGO = "01a1fdb9-b3ff-7000-b0c2-524a5ca3640b"


def filled(*ids: str, **changes) -> MemoryStore:
    store = MemoryStore()
    store.versions.add(version(1))
    store.predictions.add([prediction(id, **changes) for id in ids])
    return store


def test_an_answer_leads_to_its_version_release_and_labels():
    """Everything the store knows of an answer's origin is found, the truth that counts first."""
    store = filled("a")
    release = store.releases.append("iris", 1, reason="first", actor="ann")
    store.predictions.add([prediction("b", time=release.released + timedelta(seconds=1))])
    store.labels.add("iris", "b", 0, client="ann")
    store.labels.add("iris", "b", 1, client="ann")
    found = trace(store, "iris", "b")
    assert found.version == store.versions.get("iris", 1)
    assert found.release == release
    assert [label.target for label in found.labels] == [0, 1]
    assert found.label.target == 1
    shown = document(found)
    assert shown["lineage"]["version"]["decision"]["verdict"] == "accepted"
    assert shown["lineage"]["version"]["dataset_md5"] == version(1).dataset_md5
    assert shown["lineage"]["release"]["actor"] == "ann"
    assert (shown["prediction_id"], shown["label"]) == ("b", 1)


def test_what_is_missing_is_none():
    """An answer from before its release, by a version that is gone, or without truth is no error."""
    store = filled("a", version=7)
    found = trace(store, "iris", "a")
    assert (found.version, found.release, found.label, found.labels) == (None, None, None, ())
    assert document(found)["lineage"] == {"version": None, "release": None}
    assert trace(store, "iris", "b") is None
    assert trace(store, "fraud", "a") is None


def test_the_features_looked_up_are_told():
    """The generation an answer names: live, taken over by another one, or known of by its number only."""
    store = filled()
    answer = {"prediction": 1, "features_generation": 0}
    for generation, as_of in enumerate(("2016-12-30", "2016-12-31"), 1):
        kept = store.online.replace("iris", ["a"], {"ann": (1.0,)}, as_of=as_of, digest=as_of)
        data = {"generation": kept.sequence, "keys": kept.keys, "as_of": as_of}
        store.events.add("iris", "features", "brought", data)
        outputs = answer | {"features_generation": kept.sequence}
        store.predictions.add([prediction(f"p{generation}", outputs=outputs)])
    store.predictions.add([prediction("lost", outputs=answer | {"features_generation": 77})])
    first, second = (trace(store, "iris", id).features for id in ("p1", "p2"))
    assert (first.as_of, first.keys, first.live) == ("2016-12-30", 1, False)
    assert (second.as_of, second.keys, second.live) == ("2016-12-31", 1, True)
    assert first.written is not None and second.number > first.number
    lost = trace(store, "iris", "lost").features
    assert (lost.number, lost.live, lost.written) == (77, False, None)
    shown = document(trace(store, "iris", "p1"))["lineage"]["features"]
    assert (shown["number"], shown["live"]) == (first.number, False)
    store.predictions.add([prediction("plain")])
    assert trace(store, "iris", "plain").features is None


def test_the_release_is_the_one_of_that_time():
    """A version that was live twice answers by the release that was there then, however many came since."""
    store = filled()
    store.versions.add(version(2))
    first = store.releases.append("iris", 1, reason="first", actor="ann")
    others = [store.releases.append("iris", 1 + turn % 2, reason="", actor="bob") for turn in range(250)]
    late = NOON.replace(year=2100)
    store.predictions.add([prediction("old", time=first.released), prediction("new", time=late)])
    old = trace(store, "iris", "old").release
    assert old.version == 1 and old.released <= first.released
    assert trace(store, "iris", "new").release.sequence == others[-2].sequence


def test_a_rejected_version_says_why():
    """A challenger's answer leads to a version with no release, and to the gate's reasons."""
    store = MemoryStore()
    store.versions.add(version(3, decision=decision(Verdict.REJECTED, "f1 is below its floor.")))
    store.predictions.add([prediction("a", version=3, role="challenger")])
    found = trace(store, "iris", "a")
    assert found.release is None
    assert found.version.decision.reasons == ("f1 is below its floor.",)


def test_the_beginning_of_one_id_is_enough():
    """A beginning that only one id has means that one; one that several have means none of them."""
    store = filled(LONG_AGO, "01a1fdb9-c000-7000-a000-000000000000", "order-17")
    assert meant(store, "iris", "01a1fdb9-b3") == (LONG_AGO, [])
    whole, near = meant(store, "iris", "01a1fdb9-")
    assert whole is None and LONG_AGO in near
    assert meant(store, "iris", "o") == (None, [])


@given(st.integers(9, len(LONG_AGO) - 1), st.sampled_from("0123456789abcdefx"))
def test_a_mistyped_id_is_recognised(place, character):
    """Whichever character beyond the first ones is wrong, the right id is offered."""
    store = filled(LONG_AGO, *(f"01a1fdb{digit}-0000-7000-8000-{digit:012}" for digit in range(9)))
    typed = LONG_AGO[:place] + character + LONG_AGO[place + 1 :]
    if typed != LONG_AGO:
        assert meant(store, "iris", typed)[1][0] == LONG_AGO


@pytest.mark.parametrize("typed", ["", "nobody", "x" * 5000, "\x00", "%"])
def test_nonsense_is_near_nothing(typed):
    """What is like no id is offered none."""
    assert meant(filled(LONG_AGO), "iris", typed) == (None, [])
