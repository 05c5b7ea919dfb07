"""Truths in every form they come in."""

from __future__ import annotations

import base64
import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelwright.bundle.format import ModelEntry
from modelwright.schema.metrics import Parity, Task
from modelwright.serve.errors import BadBody, ServeError, Unsupported
from modelwright.serve.protocols.truths import read
from modelwright.serve.targets import checked_target

CSV = {"content-type": "text/csv; charset=utf-8"}
LINES = {"content-type": "application/jsonlines"}
RECORD = {
    "groundTruthData": {"data": "1", "encoding": "CSV"},
    "eventMetadata": {"eventId": "a"},
    "eventVersion": "0",
}


def model(*labels, task=Task.CLASSIFICATION, name="model", names=()) -> ModelEntry:
    parity = Parity(rows=1, labels_differ=0, max_difference=0.0)
    return ModelEntry(
        name=name, task=task, file="", estimator="", labels=labels, label_names=names, parity=parity
    )


def pairs(body, headers):
    told, _ = read(body if isinstance(body, bytes) else json.dumps(body).encode(), headers)
    return [(each.id, each.target) for each in told]


def test_json_comes_alone_or_in_a_list():
    """One object, a list under "feedback" or a bare list; with the names people give it."""
    assert read(b'{"prediction_id": "a", "target": 1}', {})[1] is False
    assert pairs({"feedback": [{"id": "a", "label": 1}, {"prediction_id": 7, "actual": None}]}, {}) == [
        ("a", 1), ("7", None),
    ]  # fmt: skip
    assert pairs([{"prediction_id": "a", "target": {"x": 1}}], {}) == [("a", {"x": 1})]


def test_csv_has_a_header():
    """Columns by name in any order, quoted cells, Windows' line ends; a column a model."""
    assert pairs(b'\xef\xbb\xbftarget,prediction_id\r\n"a,b",x\r\n\r\n2,y\r\n', CSV) == [
        ("x", "a,b"),
        ("y", "2"),
    ]
    assert pairs(b"id,segment,will_spend\nx,3,yes\n", CSV) == [("x", {"segment": "3", "will_spend": "yes"})]


@pytest.mark.parametrize(
    ("record", "target"),
    [
        (RECORD, "1"),
        ({**RECORD, "groundTruthData": {"data": "[1]", "encoding": "JSON"}}, [1]),
        (
            {**RECORD, "groundTruthData": {"data": base64.b64encode(b"yes").decode(), "encoding": "BASE64"}},
            "yes",
        ),
    ],
)
def test_ground_truth_records_of_sagemaker(record, target):
    """In JSON or a line each, in their encodings; the caller's inference id names the prediction."""
    line = json.dumps(record).encode()
    assert pairs(line, {}) == [("a", target)]
    own = {**record, "eventMetadata": {"eventId": "a", "inferenceId": "mine"}}
    assert pairs(line + b"\n\n" + json.dumps(own).encode() + b"\n", LINES) == [
        ("a", target),
        ("mine", target),
    ]


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"", {}), (b"7", {}), (b"[]", {}), (b'{"feedback": {}}', {}), (b'{"prediction_id": "a"}', {}),
        (b'{"target": 1}', {}), (b'{"prediction_id": "a b", "target": 1}', {}), (b"x,y\n1,2\n", CSV),
        (b"id,target\n1\n", CSV), (b"id,id\n1,2\n", CSV), (b'id,target\n"a,1\n', CSV), (b"\xff", CSV),
        (b"{", LINES),
        (json.dumps({**RECORD, "groundTruthData": "1"}).encode(), {}),
        (json.dumps({**RECORD, "eventMetadata": {}}).encode(), {}),
        (json.dumps({**RECORD, "groundTruthData": {"data": "1,2", "encoding": "CSV"}}).encode(), {}),
        (json.dumps({**RECORD, "groundTruthData": {"data": "?", "encoding": "BASE64"}}).encode(), {}),
        (json.dumps({**RECORD, "groundTruthData": {"data": "1", "encoding": "XML"}}).encode(), {}),
    ],
)  # fmt: skip
def test_what_is_no_truth_is_refused(body, headers):
    """With 400 and the place, never with a fault of ours."""
    with pytest.raises(BadBody):
        read(body, headers)


def test_other_forms_are_not_read():
    """A form nobody reads is named."""
    with pytest.raises(Unsupported):
        read(b"x", {"content-type": "application/xml"})


@given(st.binary(max_size=200), st.sampled_from([{}, CSV, LINES]))
def test_no_body_is_a_fault_of_ours(body, headers):
    """Whatever is sent, it is read or refused."""
    with contextlib.suppress(ServeError):
        read(body, headers)


def test_targets_are_what_the_models_know():
    """Labels as they are or by name or as text; numbers, also as text; new classes only where allowed."""
    iris = [model(0, 1, names=("setosa", "versicolor"))]
    assert [checked_target(iris, value, ()) for value in (1, "1", "versicolor")] == [1, 1, 1]
    price = [model(task=Task.REGRESSION)]
    assert checked_target(price, "2.5", (), text=True) == 2.5
    for models, value, options in (
        (iris, 2, {}), (iris, "rose", {"new_classes": True}), (iris, None, {"new_classes": True}),
        (price, "2.5", {}), (price, "x", {"text": True}), (price, "nan", {"text": True}), (price, True, {}),
        ([model("a", "b")], "", {"new_classes": True}), ([model("a", "b")], 7, {"new_classes": True}),
        ([*iris, model("a", name="b")], 1, {}), ([*iris, model("a", name="b")], {"c": 1}, {}),
    ):  # fmt: skip
        with pytest.raises(BadBody):
            checked_target(models, value, (), **options)
    with pytest.raises(BadBody) as refused:
        checked_target([model("a", "b")], 7, (), new_classes=True)
    assert refused.value.problems[0]["msg"].endswith("or a new one: a text of 1 to 200 characters.")
    assert checked_target(iris, 2, (), new_classes=True) == 2
    assert checked_target(iris, "2", (), new_classes=True, text=True) == 2
    assert checked_target([model("a", "b")], "c", (), new_classes=True) == "c"
    assert checked_target([*iris, model("a", name="b")], {"b": "a"}, ()) == {"b": "a"}
