import json

import pytest

from modelwright.bundle.answers import Answer
from modelwright.schema.columns import Column, Kind, TableSchema
from modelwright.serve.errors import BadBody, BadId, TooLarge, Unsupported
from modelwright.serve.protocols import predict
from unit.serve.protocols.cases import NUMBERS, outcome

ROW = {"length (cm)": 5.1, "age": None}
LIST = [5.1, None]


def read(value, schema=NUMBERS, **headers):
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return predict.read(body, {name.replace("_", "-"): text for name, text in headers.items()}, schema)


@pytest.mark.parametrize(
    ("value", "row"),
    [
        ({"features": LIST}, LIST),
        ({"features": ROW}, ROW),
        ({"input": ROW}, ROW),
        (ROW, ROW),
        (LIST, LIST),
    ],
    ids=["list", "object", "input", "plain", "bare list"],
)
def test_every_shape_of_one_row_is_that_row(value, row):
    """One row answers with one object, whatever it is wrapped in."""
    call = read(value)
    assert (call.rows, call.ids, call.single) == ([row], [None], True)


@pytest.mark.parametrize(
    "value",
    [
        {"instances": [LIST, ROW, {"features": LIST}, {"input": ROW}]},
        [LIST, ROW, {"features": LIST}, {"input": ROW}],
        {"features": [LIST, ROW, {"features": LIST}, {"input": ROW}]},
    ],
    ids=["instances", "bare", "features"],
)
def test_every_shape_of_several_rows_is_those_rows(value):
    """Rows of one batch may differ in shape."""
    call = read(value)
    assert (call.rows, call.single) == ([LIST, ROW, LIST, ROW], False)


def test_an_id_is_the_clients_wherever_it_stands():
    """In the body it wins over the header; a number is an id too."""
    assert read({"features": LIST, "id": "a"}).ids == ["a"]
    assert read({**ROW, "id": 17}, x_request_id="h").ids == ["17"]
    assert read(ROW, x_request_id="h").ids == ["h"]
    assert read({**ROW, "id": "a"}).rows == [ROW]


def test_rows_of_a_batch_have_their_own_ids_or_the_batchs():
    """Under the request's id they are numbered."""
    call = read({"instances": [LIST, {"features": LIST, "id": "own"}], "id": "b"})
    assert call.ids == ["b.0", "own"]
    assert read({"instances": [LIST], "id": "b"}).ids == ["b"]
    assert read({"instances": [LIST, {**ROW, "id": "own"}]}).ids == [None, "own"]


def test_every_id_that_may_be_given_to_a_request_may_be_given_to_a_batch():
    """Its rows' are longer."""
    assert read({"instances": [LIST, LIST], "id": "x" * 128}).ids == ["x" * 128 + ".0", "x" * 128 + ".1"]


@pytest.mark.parametrize("body", [ROW, {**ROW, "id": "a"}, {"instances": [LIST], "id": "a"}])
def test_a_header_that_is_no_id_is_refused_whatever_the_body_says(body):
    """The log and traces name the request by it."""
    with pytest.raises(BadId) as caught:
        read(body, x_request_id="a b")
    assert caught.value.problems[0]["loc"] == ["header", "x-request-id"]


def test_one_id_for_two_rows_is_refused():
    """They would be one row in the log."""
    with pytest.raises(BadBody) as caught:
        read({"instances": [{**ROW, "id": "a"}, {**ROW, "id": "a"}]})
    assert caught.value.problems[0]["loc"] == ["body", "instances", 1]


@pytest.mark.parametrize("given", ["", "a b", "a/b", "x" * 129, 1.5, 2**64, True, ["a"], {"a": 1}])
def test_an_id_that_cannot_be_one_is_refused(given):
    """It would not fit in a path or a log."""
    with pytest.raises(BadId):
        read({"features": LIST, "id": given})


def test_columns_may_be_called_as_the_protocols_own_words():
    """A cell is never a list or an object, so there is nothing to confuse."""
    schema = TableSchema(
        columns=tuple(
            Column(name=name, kind=Kind.NUMERIC) for name in ("id", "features", "input", "instances")
        )
    )
    row = {"id": 1, "features": 2, "input": 3, "instances": 4}
    assert read(row, schema).rows == [row]
    assert read(row, schema).ids == [None]
    call = read({"features": row, "id": "mine"}, schema)
    assert (call.rows, call.ids) == ([row], ["mine"])
    assert read({"instances": [row]}, schema).rows == [row]


@pytest.mark.parametrize(
    ("value", "loc"),
    [
        ({"features": LIST, "Id": "a"}, ["body", "Id"]),
        ({"instances": [LIST], "ids": ["a"]}, ["body", "ids"]),
        ({"instances": [{"features": LIST, "x": 1}]}, ["body", "instances", 0, "x"]),
        ({"instances": [LIST, 5]}, ["body", "instances", 1]),
        ({"instances": []}, ["body"]),
        ([], ["body"]),
        (5, ["body"]),
        (None, ["body"]),
        ("text", ["body"]),
    ],
)
def test_what_is_no_call_is_refused_where_it_is_wrong(value, loc):
    """A mistyped id must not silently cost a client its idempotence."""
    with pytest.raises(BadBody) as caught:
        read(value)
    assert caught.value.problems[0]["loc"] == loc


def test_too_many_rows_are_refused():
    """The limit is told."""
    with pytest.raises(TooLarge, match="at most 2"):
        predict.read(json.dumps([LIST] * 3).encode(), {}, NUMBERS, most_rows=2)


def test_content_types():
    """JSON under its names and curl's default are read; others are not."""
    for kind in (
        "application/json; charset=utf-8",
        "application/vnd.x+json",
        "application/x-www-form-urlencoded",
    ):
        assert read(ROW, content_type=kind).rows == [ROW]
    for kind in ("text/xml", "application/json; charset=latin-1"):
        with pytest.raises(Unsupported):
            read(ROW, content_type=kind)


def test_one_row_answers_one_object():
    """With the fields that are promised, in their order."""
    reply = predict.render(read(ROW), [outcome()])
    assert reply.status == 200
    assert list(json.loads(reply.body)) == [
        "prediction",
        "prediction_name",
        "confidence",
        "probabilities",
        "latency",
        "prediction_id",
        "model_version",
    ]


def test_a_batch_answers_a_list_and_warnings_stand_with_their_row():
    """Also a batch of one."""
    reply = json.loads(predict.render(read([ROW]), [outcome(warnings=({"msg": "odd"},))]).body)
    assert [answer["warnings"] for answer in reply["predictions"]] == [[{"msg": "odd"}]]


def test_several_models_answer_under_their_names_and_plainly_beside():
    """A model called as one of the fields keeps to outputs."""
    done = outcome(segment=Answer(4), outputs=Answer(1.5), latency=Answer(2))
    reply = json.loads(predict.render(read(ROW), [done]).body)
    assert reply["segment"] == 4
    assert reply["outputs"] == {
        "segment": {"prediction": 4},
        "outputs": {"prediction": 1.5},
        "latency": {"prediction": 2},
    }
    assert reply["latency"] == 0.001


def test_errors_have_one_shape():
    """Sentence, details, and no stack."""
    with pytest.raises(BadBody) as caught:
        read(b"{")
    reply = predict.render_error(caught.value)
    assert reply.status == 400
    document = json.loads(reply.body)
    assert document["error"] == "Input validation failed"
    assert set(document["details"][0]) == {"loc", "msg", "type", "input"}


def test_the_table_s_own_number_is_no_id_of_the_request() -> None:
    """Where the identifier column is called ``id``, a number in a plain row is lineage; a text is an id."""
    schema = TableSchema(columns=(Column(name="a", kind=Kind.NUMERIC),), identifier="id")
    call = read({"a": 1, "id": 17}, schema)
    assert (call.rows, call.ids) == ([{"a": 1, "id": 17}], [None])
    call = read({"a": 1, "id": "mine"}, schema)
    assert (call.rows, call.ids) == ([{"a": 1}], ["mine"])
    assert read({"features": {"a": 1}, "id": 17}, schema).ids == ["17"]
