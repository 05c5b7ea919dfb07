"""The log of predictions and their labels, in every store."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import msgspec
import pytest

from modelwright.store import clock
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
    assert store.labels.count("iris") == 1
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
    assert store.labels.count("iris") == 6_000


def test_two_who_tell_the_same_at_once_join_it_once(store):
    """However many tell a truth at the same time, one joins it."""
    store.predictions.add([prediction("a")])
    with ThreadPoolExecutor(8) as pool:
        told = list(
            pool.map(lambda n: store.labels.record("iris", [Truth("a", 1)], client=f"c{n}")[0], range(16))
        )
    assert sorted(each.outcome.value for each in told) == ["duplicate"] * 15 + ["joined"]
    assert store.labels.count("iris") == 1


def test_the_log_is_followed_from_where_one_stopped(store):
    """Oldest first, from a time and id on, page after page, up to a time, of one project."""
    store.predictions.add(predictions(10))
    store.predictions.add([prediction("x", project="fraud")])
    first = store.predictions.following("iris", limit=4)
    assert ids(first) == ["p000010", "p000009", "p000008", "p000007"]
    place = (first[-1].time, first[-1].id)
    rest = store.predictions.following("iris", after=place)
    assert ids(rest) == [f"p{number:06d}" for number in range(6, 0, -1)]
    until = NOON + timedelta(seconds=6)
    assert ids(store.predictions.following("iris", after=place, until=until)) == ["p000006", "p000005"]
    assert list(store.predictions.following("iris", after=(rest[-1].time, rest[-1].id))) == []
    assert store.predictions.count("iris", since=until) == 4


def test_rows_of_one_moment_are_followed_by_their_ids(store):
    """No row is left out or read twice where many share a time."""
    store.predictions.add([prediction(id) for id in "dbca"])
    assert ids(store.predictions.following("iris", after=(NOON, "b"))) == ["c", "d"]


def test_only_labels_that_joined_are_counted(store):
    """Corrections and contradictions add nothing; an orphan counts from its prediction's arrival on."""
    store.predictions.add([prediction("a")])
    for client, id, target in [("ann", "a", 0), ("ann", "a", 1), ("bob", "a", 2), ("bob", "late", 1)]:
        store.labels.record("iris", [Truth(id, target)], client=client)
    assert store.labels.count("iris") == 1
    assert (store.labels.orphans("iris"), store.labels.orphans("iris", client="ann")) == (1, 0)
    between = clock.now()
    store.predictions.add([prediction("late")])
    assert store.labels.count("iris") == 2
    assert store.labels.count("iris", since=between) == 1
    assert store.labels.orphans("iris", client="bob") == 0


def test_orphans_are_given_up_by_age_and_number(store):
    """The oldest go first; labels that met their prediction stay, and what was said of the gone ones goes."""
    store.predictions.add([prediction("a")])
    store.labels.record("iris", [Truth("a", 1)], client="ann")
    store.labels.record("iris", [Truth(f"o{number}", 1) for number in range(5)], client="ann")
    store.labels.record("iris", [Truth("o1", 2)], client="bob")
    store.labels.record("fraud", [Truth("o1", 2)], client="bob")
    assert store.labels.prune_orphans("iris", older_than=NOON, keep=5) == 0
    assert store.labels.prune_orphans("iris", keep=3) == 2
    assert list(store.labels.get("iris", "o1")) == []
    assert [len(store.labels.get("iris", id)) for id in ("a", "o4")] == [1, 1]
    assert store.labels.prune_orphans("iris", older_than=clock.now() + timedelta(seconds=1)) == 3
    assert (store.labels.count("iris"), store.labels.orphans("iris")) == (1, 0)
    assert store.labels.orphans("fraud") == 1


def test_labels_are_followed_in_the_order_they_joined(store):
    """First labels only; an orphan stands where its prediction arrived."""
    store.predictions.add([prediction("a"), prediction("b")])
    store.labels.record("iris", [Truth("late", 1), Truth("a", 0)], client="ann")
    store.labels.record("iris", [Truth("a", 2), Truth("b", 1)], client="ann")
    store.predictions.add([prediction("late")])
    told = store.labels.joined("iris")
    assert [label.prediction_id for _, label in told] == ["a", "b", "late"]
    assert [label.target for _, label in told] == [0, 1, 1]
    (time, label), *rest = told
    assert list(store.labels.joined("iris", after=(time, label.sequence))) == rest
    assert list(store.labels.joined("iris", after=(time, label.sequence), limit=1)) == rest[:1]
    assert list(store.labels.joined("fraud")) == []
