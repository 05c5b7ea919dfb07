"""The rules of what becomes of a truth."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from modelwright.store.records import LabelOutcome, Truth
from modelwright.store.truths import OPERATOR, Sending, Tally, counting, same
from modelwright.testing.factories import prediction
from modelwright.testing.memory import MemoryStore

CLIENTS = st.sampled_from(["", "ann", "bob", OPERATOR + "eve"])
TARGETS = st.sampled_from([0, 1, True, "1", 1.0, None, {"a": 1}])
TOLD = st.lists(st.tuples(st.sampled_from("ab"), TARGETS, CLIENTS), max_size=12)


def test_sameness_knows_types():
    """1 is 1.0, but neither true nor the text; objects are compared by content."""
    assert same(1, 1.0) and same("é", "é") and same({"a": [1]}, {"a": [1]}) and same(None, None)
    assert not same(1, True) and not same("1", 1) and not same(0, None) and not same({"a": 1}, {"a": 2})


@given(TOLD)
def test_each_prediction_is_joined_once_and_nothing_is_lost(told):
    """Whatever is told by whom in which order: one join an id, and every word that is new is kept."""
    store = MemoryStore()
    store.predictions.add([prediction("a"), prediction("b")])
    tally = Tally()
    for id, target, client in told:
        tally.add(store.labels.record("iris", [Truth(id, target)], client=client))
    mentioned = {id for id, _, _ in told}
    assert tally.joined == len(mentioned)
    assert store.labels.count("iris") == tally.joined
    kept = sum(len(store.labels.get("iris", id)) for id in "ab")
    assert kept == tally.joined + tally.corrected + tally.contradicting
    assert tally.orphan == tally.refused == 0


@given(TOLD)
def test_the_word_of_others_does_not_count(told):
    """What counts is the first client's or an operator's word, never a third one's."""
    store = MemoryStore()
    for id, target, client in told:
        store.labels.record("iris", [Truth(id, target)], client=client)
    for id in "ab":
        labels = store.labels.get("iris", id)
        counts = counting(labels)
        if counts is not None:
            assert counts.client == labels[0].client or counts.client.startswith(OPERATOR)
            if any(label.client.startswith(OPERATOR) for label in labels):
                assert counts.client.startswith(OPERATOR)


@given(TOLD)
def test_telling_all_of_it_again_changes_nothing(told):
    """A repeated delivery by one client, in one order, ends in what was there."""
    store = MemoryStore()
    first = {id: target for id, target, _ in reversed(told)}
    truths = [Truth(id, target) for id, target in first.items()]
    store.labels.record("iris", truths, client="ann")
    before = store.labels.latest("iris", list("ab"))
    again = store.labels.record("iris", truths, client="ann")
    assert {each.outcome for each in again} <= {LabelOutcome.DUPLICATE}
    assert store.labels.latest("iris", list("ab")) == before


def test_one_sending_does_not_contradict_itself():
    """Within one request the first word stands; the same again is a duplicate, another a contradiction."""
    sending = Sending()
    fresh, others = sending.fresh([Truth("a", 1), Truth("a", 1), Truth("a", 2), Truth("b", 1)])
    assert fresh == [Truth("a", 1), Truth("b", 1)]
    assert [each.outcome.value for each in others] == ["duplicate", "contradicting"]
    assert sending.fresh([Truth("b", 1)])[0] == []
