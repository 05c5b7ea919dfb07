import io
import json

import pandas as pd
import pytest

from modelwright.bundle.answers import Answer
from modelwright.errors import ModelwrightError
from modelwright.serve.errors import BadBody, NotFound, TooLarge, Unsupported
from modelwright.serve.protocols import mlflow
from unit.serve.protocols.cases import NUMBERS, outcome

FRAME = pd.DataFrame({"length (cm)": [5.1, 6.0], "age": [3, None]})
ROWS = [{"length (cm)": 5.1, "age": 3.0}, {"length (cm)": 6.0, "age": None}]


def read(value, **headers):
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return mlflow.read(body, {name.replace("_", "-"): text for name, text in headers.items()}, NUMBERS)


@pytest.mark.parametrize(
    ("value", "rows"),
    [
        ({"dataframe_split": json.loads(FRAME.to_json(orient="split"))}, ROWS),
        ({"dataframe_records": json.loads(FRAME.to_json(orient="records"))}, ROWS),
        ({"dataframe_split": {"data": [[5.1, 3]]}}, [[5.1, 3]]),
        ({"instances": ROWS}, ROWS),
        ({"instances": [[5.1, 3], [6.0, None]]}, [[5.1, 3], [6.0, None]]),
        ({"inputs": {"length (cm)": [5.1, 6.0], "age": [3.0, None]}}, ROWS),
        ({"inputs": {"length (cm)": [[5.1], [6.0]], "age": [[3.0], [None]]}}, ROWS),
        ({"inputs": {"length (cm)": 5.1, "age": 3.0}}, ROWS[:1]),
        ({"inputs": [[5.1, 3]]}, [[5.1, 3]]),
    ],
)
def test_the_four_shapes_of_json_give_the_rows(value, rows):
    """As pandas and MLflow's clients write them."""
    call = read(value, content_type="application/json; charset=utf-8")
    assert (call.rows, call.ids, call.single) == (rows, [None] * len(rows), False)


def test_csv_and_parquet_as_pandas_writes_them_give_the_rows():
    """With the header, with and without the index."""
    for index in (True, False):
        csv = FRAME.to_csv(index=index).encode()
        assert read(csv, content_type="text/csv").rows == [
            {"length (cm)": "5.1", "age": "3.0"},
            {"length (cm)": "6.0", "age": None},
        ]
    stream = io.BytesIO()
    FRAME.to_parquet(stream)
    assert read(stream.getvalue(), content_type="application/vnd.apache.parquet").rows == ROWS


@pytest.mark.parametrize(
    ("value", "loc"),
    [
        ({}, ["body"]),
        ({"instances": ROWS, "inputs": ROWS}, ["body"]),
        ({"instances": ROWS, "extra": 1}, ["body", "extra"]),
        ({"instances": {"a": 1}}, ["body", "instances"]),
        ({"instances": [1, 2]}, ["body", "instances", 0]),
        ({"instances": []}, ["body"]),
        ({"inputs": {}}, ["body"]),
        ({"inputs": {"a": [1], "b": [1, 2]}}, ["body"]),
        ({"inputs": {"a": [1], "b": 2}}, ["body", "inputs", "b"]),
        ({"inputs": {"a": {"x": 1}}}, ["body", "inputs", "a"]),
        ({"inputs": 5}, ["body", "inputs"]),
        ({"dataframe_records": {}}, ["body", "dataframe_records"]),
        ({"dataframe_records": [[1]]}, ["body", "dataframe_records", 0]),
        ({"dataframe_split": []}, ["body", "dataframe_split"]),
        ({"dataframe_split": {"columns": ["a"], "data": [1]}}, ["body", "dataframe_split", "data", 0]),
        ({"dataframe_split": {"columns": ["a"], "data": [[1, 2]]}}, ["body", "dataframe_split", "data", 0]),
        ({"dataframe_split": {"columns": "a", "data": [[1]]}}, ["body", "dataframe_split", "columns"]),
        (
            {"dataframe_split": {"columns": ["a", "a"], "data": [[1, 2]]}},
            ["body", "dataframe_split", "columns"],
        ),
        ({"instances": ROWS, "params": []}, ["body", "params"]),
        ({"instances": ROWS, "params": {"details": 1}}, ["body", "params", "details"]),
        ([], ["body"]),
    ],
)
def test_other_shapes_are_refused_where_they_are_wrong(value, loc):
    """Exactly one of the four, of its own kind."""
    with pytest.raises(BadBody) as caught:
        read(value)
    assert caught.value.problems[0]["loc"] == loc


@pytest.mark.parametrize(
    "kind",
    [
        "text/plain",
        "application/json; charset=latin-1",
        "application/json; format=pandas-split",
        "text/csv;x=y",
    ],
)
def test_other_content_types_get_415_in_plain_text(kind):
    """As MLflow answers them."""
    with pytest.raises(Unsupported) as caught:
        read({"instances": ROWS}, content_type=kind)
    reply = mlflow.render_error(caught.value)
    assert (reply.status, reply.content_type) == (415, "text/plain; charset=utf-8")


def test_too_many_rows_are_refused():
    """In JSON too."""
    with pytest.raises(TooLarge):
        mlflow.read(b'{"instances": [[1, 2], [1, 2]]}', {}, NUMBERS, most_rows=1)


def test_the_request_id_numbers_the_rows():
    """The shapes have no place for ids of their own."""
    assert read({"instances": ROWS}, x_request_id="r").ids == ["r.0", "r.1"]


def test_predictions_are_plain():
    """As a scikit-learn flavour answers; several models by name."""
    call = read({"instances": ROWS})
    assert json.loads(mlflow.render(call, [outcome(), outcome()]).body) == {"predictions": [1, 1]}
    several = outcome(segment=Answer(4), spend=Answer(1.5))
    assert json.loads(mlflow.render(call, [several]).body) == {"predictions": [{"segment": 4, "spend": 1.5}]}


def test_params_may_ask_for_details():
    """Other params are ignored."""
    call = read({"instances": ROWS[:1], "params": {"details": True, "other": 1}})
    (answer,) = json.loads(mlflow.render(call, [outcome()]).body)["predictions"]
    assert answer["prediction_id"] == "p1"


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (BadBody("wrong"), 400, "BAD_REQUEST"),
        (NotFound("No such model."), 404, "RESOURCE_DOES_NOT_EXIST"),
        (ModelwrightError("Broken."), 500, "INTERNAL_ERROR"),
    ],
)
def test_errors_have_mlflows_shape(error, status, code):
    """A code and a message, never a stack."""
    reply = mlflow.render_error(error)
    document = json.loads(reply.body)
    assert (reply.status, document["error_code"]) == (status, code)
    assert set(document) == {"error_code", "message"}


def test_a_message_tells_the_first_problems():
    """Where each is, and how many more there are."""
    error = BadBody("wrong")
    error.problems = tuple({"loc": ["body", place], "msg": "odd"} for place in range(5))
    assert mlflow.sentence(error) == (
        "Input validation failed: body.0: odd; body.1: odd; body.2: odd; and 2 more"
    )
