"""The log of predictions and their labels, in every store."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import msgspec
import pytest

from modelwright.store.errors import UnknownPrediction, Unstorable
from modelwright.store.records import Truth
from modelwright.testing.factories import NOON, prediction, predictions, version


def ids(records):
    return [record.id for record in records]


def test_a_prediction_comes_back_as_it_was(store):
    """Every field is kept, also of a refused row."""
    answered = prediction("a", warnings=({"loc": ["x"], "type": "range"},), client="bob", protocol="v2")
    refused = prediction("b", status=400, inputs="not a row", outputs={"error": "no"}, role="canary")
    assert store.predictions.add([answered, refused]) == 2
    assert store.predictions.get("iris", "a") == answered
    assert store.predictions.get("iris", "b") == refused
    assert store.predictions.get("iris", "c") is None
    assert store.predictions.get("fraud", "a") is None


def test_an_answer_may_be_given_as_json(store):
    """What was put into JSON already is stored as it is, and comes back as what it says."""
    ready = msgspec.Raw(b'{"prediction":1,"probabilities":{"ja \\u00e4":0.25}}')
    assert store.predictions.add([prediction("a", outputs=ready)]) == 1
    assert store.predictions.get("iris", "a").outputs == {"prediction": 1, "probabilities": {"ja ä": 0.25}}


def test_adding_again_changes_nothing(store):
    """Delivery may be repeated: the first row stays, and only new ones count."""
    assert store.predictions.add([]) == 0
    assert store.predictions.add([prediction("a", client="first"), prediction("a", client="twin")]) == 1
    assert store.predictions.add([prediction("a", client="again"), prediction("b")]) == 1
    assert store.predictions.get("iris", "a").client == "first"
    assert store.predictions.count("iris") == 2


def test_ids_are_a_projects_own(store):
    """The same id in two projects is two predictions."""
    assert store.predictions.add([prediction("a"), prediction("a", project="fraud")]) == 2
    assert store.predictions.count("fraud") == 1


def test_one_row_that_cannot_be_kept_keeps_all_out(store):
    """A batch is stored as a whole or not at all."""
    with pytest.raises(Unstorable, match="prediction id"):
        store.predictions.add([prediction("a"), prediction("x" * 201)])
    with pytest.raises(Unstorable, match="JSON"):
        store.predictions.add([prediction("a"), prediction("b", inputs=object())])
    with pytest.raises(Unstorable, match="latency"):
        store.predictions.add([prediction("a"), prediction("b", latency=float("nan"))])
    assert store.predictions.count("iris") == 0


def test_many_are_read_at_once(store):
    """Those asked for that are there, by id, also more than one statement can carry."""
    store.predictions.add(predictions(12_000))
    wanted = [f"p{number:06d}" for number in range(1, 13_001)]
    found = store.predictions.get_many("iris", wanted)
    assert len(found) == 12_000
    assert found["p012000"].time == NOON
    assert store.predictions.get_many("iris", []) == {}
    assert store.predictions.get_many("fraud", wanted[:3]) == {}


def test_history_is_newest_first_in_pages_without_gap_or_overlap(store):
    """Pages follow each other exactly, also among rows of one and the same instant."""
    records = [*predictions(7), *[prediction(f"same-{number}") for number in range(5)]]
    store.predictions.add(records)
    expected = ids(sorted(records, key=lambda record: (record.time, record.id), reverse=True))
    assert ids(store.predictions.history("iris")) == expected
    pages, before = [], None
    while page := store.predictions.history("iris", limit=4, before=before):
        pages += ids(page)
        before = page[-1].id
    assert pages == expected


def test_history_is_narrowed_by_version_label_and_time(store):
    """Each filter works alone and with the others; since is included, until is not."""
    store.predictions.add([*predictions(6), prediction("v2", version=2, time=NOON + timedelta(seconds=3))])
    store.labels.add("iris", "p000004", 1)
    store.labels.add("iris", "v2", 1)
    history = store.predictions.history
    assert ids(history("iris", version=2)) == ["v2"]
    assert ids(history("iris", labelled=True)) == ["v2", "p000004"]
    assert ids(history("iris", labelled=True, version=1)) == ["p000004"]
    assert ids(history("iris", labelled=False, limit=2)) == ["p000001", "p000002"]
    since, until = NOON + timedelta(seconds=2), NOON + timedelta(seconds=4)
    assert ids(history("iris", since=since, until=until)) == ["v2", "p000003", "p000004"]
    assert ids(history("iris", since=since, until=until, before="v2", labelled=True)) == ["p000004"]
    assert store.predictions.count("iris", version=2) == 1
    assert list(history("fraud")) == []


def test_a_page_cannot_start_after_an_unknown_prediction(store):
    """A pruned or mistyped id is told, not taken for the end."""
    with pytest.raises(UnknownPrediction, match="'gone'"):
        store.predictions.history("iris", before="gone")


def test_pruning_by_age_takes_the_older_with_their_labels(store):
    """What is as old as the limit stays; the labels of what went are gone, others stay."""
    store.predictions.add([*predictions(5), prediction("other", project="fraud")])
    store.labels.add("iris", "p000005", 1)
    store.labels.add("iris", "p000001", 1)
    assert store.predictions.prune("iris", older_than=NOON + timedelta(seconds=3)) == 3
    assert ids(store.predictions.history("iris")) == ["p000001", "p000002"]
    assert list(store.labels.get("iris", "p000005")) == []
    assert len(store.labels.get("iris", "p000001")) == 1
    assert store.predictions.count("fraud") == 1
    assert store.predictions.prune("iris") == 0


def test_pruning_by_number_keeps_the_newest(store):
    """Down to ``keep`` rows, also over several batches, and nothing when there are fewer."""
    store.predictions.add(predictions(5_500))
    assert store.predictions.prune("iris", keep=3) == 5_497
    assert ids(store.predictions.history("iris")) == ["p000001", "p000002", "p000003"]
    assert store.predictions.prune("iris", keep=3) == 0
    assert store.predictions.prune("iris", keep=0) == 3


def test_labels_are_corrected_by_further_labels(store):
    """All labels of a prediction are kept in order, and the last one of whoever spoke first counts."""
    store.predictions.add([prediction("a"), prediction("b")])
    first = store.labels.add("iris", "a", "setosa", client="ann")
    second = store.labels.add("iris", "a", {"class": "virginica"}, client="ann")
    assert list(store.labels.get("iris", "a")) == [first, second]
    assert second.sequence > first.sequence
    assert (first.target, first.client, first.prediction_id) == ("setosa", "ann", "a")
    assert store.labels.latest("iris", ["a", "b", "c"]) == {"a": second}
    assert store.labels.count("iris") == 2
    assert store.labels.count("fraud") == 0
    assert list(store.labels.get("fraud", "a")) == []


def test_a_label_may_overtake_its_prediction(store):
    """A label that came first counts once the prediction is delivered."""
    store.labels.add("iris", "late", 1)
    assert store.predictions.add([prediction("late"), prediction("late", project="fraud")]) == 2
    assert ids(store.predictions.history("iris", labelled=True)) == ["late"]
    assert list(store.predictions.history("fraud", labelled=True)) == []


def test_the_ids_around_one_are_found(store):
    """In the order of ids, some before and some after, of this project only; the id need not be there."""
    store.predictions.add([prediction(id) for id in ("a", "b", "d", "e", "Z", "é")])
    store.predictions.add([prediction("c", project="fraud")])
    assert store.predictions.neighbours("iris", "c", limit=2) == ["b", "d"]
    assert store.predictions.neighbours("iris", "d", limit=2) == ["b", "d"]
    assert store.predictions.neighbours("iris", "c") == ["Z", "a", "b", "d", "e", "é"]
    assert store.predictions.neighbours("iris", "", limit=2) == ["Z"]
    assert store.predictions.neighbours("none", "c") == []


def test_what_becomes_of_a_truth(store):
    """Joined once, duplicates not stored, corrections and contradictions kept, orphans joined later."""
    store.versions.add(version(1))
    store.versions.add(version(2))
    store.releases.append("iris", 2, reason="", actor="ann")
    store.predictions.add([prediction("a"), prediction("b", version=2)])

    def tell(client, **targets):
        truths = [Truth(id, target) for id, target in targets.items()]
        return [
            (each.outcome.value, each.late) for each in store.labels.record("iris", truths, client=client)
        ]

    assert tell("ann", a=0, b=1, c=2) == [("joined", True), ("joined", False), ("orphan", False)]
    assert tell("ann", a=0, b=2, c=2) == [("duplicate", False), ("corrected", False), ("duplicate", False)]
    assert tell("bob", a=0, b=3) == [("duplicate", False), ("contradicting", False)]
    assert tell("bob", b=3) == [("duplicate", False)]
    assert store.labels.latest("iris", ["b"])["b"].target == 2
    assert [label.target for label in store.labels.get("iris", "b")] == [1, 2, 3]
    assert tell("operator:eve", b=3) == [("corrected", False)]
    assert store.labels.latest("iris", ["b"])["b"].target == 3
    assert tell("ann", b=1) == [("contradicting", False)]
    assert ids(store.predictions.history("iris", labelled=True)) == ["b", "a"]
    store.predictions.add([prediction("c"), prediction("c", project="fraud")])
    assert ids(store.predictions.history("iris", labelled=True)) == ["c", "b", "a"]
    assert store.labels.record("iris", [], client="ann") == []
    assert store.labels.latest("fraud", ["a", "c"]) == {}


def test_many_truths_at_once(store):
    """More than one statement can carry, each with its own outcome, in order."""
    store.predictions.add(predictions(6_000))
    truths = [Truth(f"p{number:06d}", number % 3) for number in range(1, 6_101)]
    told = [each.outcome.value for each in store.labels.record("iris", truths, client="ann")]
    assert told == ["joined"] * 6_000 + ["orphan"] * 100
    again = store.labels.record("iris", truths, client="ann")
    assert {each.outcome.value for each in again} == {"duplicate"}
    assert store.labels.count("iris") == 6_100


def test_two_who_tell_the_same_at_once_join_it_once(store):
    """However many tell a truth at the same time, one joins it."""
    store.predictions.add([prediction("a")])
    with ThreadPoolExecutor(8) as pool:
        told = list(
            pool.map(lambda n: store.labels.record("iris", [Truth("a", 1)], client=f"c{n}")[0], range(16))
        )
    assert sorted(each.outcome.value for each in told) == ["duplicate"] * 15 + ["joined"]
    assert store.labels.count("iris") == 1
