"""The OpenAPI document says what the server does, in the words of the model it serves."""

import json
from datetime import UTC, datetime
from typing import Any

import jsonschema
import pytest
import schemathesis
from hypothesis import given
from hypothesis import strategies as st

from modelwright.bundle.rows import TableReader
from modelwright.schema.columns import Column, Kind, TableSchema
from modelwright.serve import openapi, openapi_schemas
from modelwright.serve.openapi import Served
from modelwright.serve.protocols import mlflow, predict, v2
from unit.serve.protocols.cases import classifier, clustering, outcome, regressor

SCHEMA = TableSchema(
    columns=(
        Column(
            name="Amount (€)", kind=Kind.NUMERIC, observed_min=0.5, observed_max=9.5, minimum=0.0, unit="EUR"
        ),
        Column(
            name="age", kind=Kind.INTEGER, nullable=True, observed_min=18.0, observed_max=99.0, strict=True
        ),
        Column(name="colour", kind=Kind.CATEGORICAL, categories=("red", "blue"), description="As painted."),
        Column(name="size", kind=Kind.CATEGORICAL, categories=("S", "L"), strict=True, nullable=True),
        Column(name="member", kind=Kind.BOOLEAN),
        Column(name="since", kind=Kind.DATETIME, observed_min=0.0, observed_max=86400.0),
        Column(name="story", kind=Kind.TEXT, example="Once"),
        Column(name="photo", kind=Kind.IMAGE, nullable=True),
    )
)
ONE = Served(name="shop", version=3, inputs=SCHEMA, models=(classifier(names=("zero", "one")),))
TWO = Served(name="cards", version=1, inputs=SCHEMA, models=(clustering("segment"), regressor("spend")))


def columns(document: dict[str, Any]) -> dict[str, Any]:
    return document["components"]["schemas"]["Row"]["properties"]


def validator(document: dict[str, Any], name: str) -> jsonschema.Draft202012Validator:
    schema = {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
    return jsonschema.Draft202012Validator(schema)


def test_columns_have_their_types_ranges_and_categories():
    """What is refused is a limit; what is only unusual stands beside it."""
    found = columns(openapi.document([ONE]))
    assert list(found) == list(SCHEMA.names)
    assert (found["Amount (€)"]["type"], found["Amount (€)"]["minimum"]) == ("number", 0.0)
    assert found["Amount (€)"]["x-observed"] == [0.5, 9.5]
    assert "Unit: EUR." in found["Amount (€)"]["description"]
    assert (found["age"]["type"], found["age"]["minimum"], found["age"]["maximum"]) == (
        ["integer", "null"],
        18.0,
        99.0,
    )
    assert "enum" not in found["colour"]
    assert found["colour"]["x-categories"] == ["red", "blue"]
    assert found["size"]["enum"] == ["S", "L", None]
    assert found["member"]["type"] == "boolean"
    assert "from 1970-01-01 to 1970-01-02" in found["since"]["description"]
    assert found["story"]["examples"] == ["Once"]
    assert found["story"]["minLength"] == 1
    assert "minLength" not in found["size"]


def test_required_columns_are_those_that_may_not_be_missing():
    """By the schema."""
    required = openapi.document([ONE])["components"]["schemas"]["Row"]["required"]
    assert required == ["Amount (€)", "colour", "member", "since", "story"]


def test_the_made_example_is_a_row_without_a_remark():
    """It can be sent as it stands, in each protocol."""
    row = openapi.example_row(ONE)
    reading = TableReader(SCHEMA).read([row])
    assert (reading.errors, reading.warnings) == ([], [[]])
    document = openapi.document([ONE])
    for example in document["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"][
        "examples"
    ].values():
        validator(document, "Request").validate(example["value"])
        assert predict.read(json.dumps(example["value"]).encode(), {}, SCHEMA).rows
    for example in document["paths"]["/invocations"]["post"]["requestBody"]["content"]["application/json"][
        "examples"
    ].values():
        assert mlflow.read(json.dumps(example["value"]).encode(), {}, SCHEMA).rows
    infer = document["paths"]["/v2/models/shop/infer"]["post"]["requestBody"]["content"]["application/json"][
        "example"
    ]
    assert v2.read(json.dumps(infer).encode(), {}, SCHEMA).rows == [row]


def test_the_bundles_example_goes_before_a_made_one():
    """In the order of the schema."""
    one = Served(
        name="shop",
        version=3,
        inputs=SCHEMA,
        models=ONE.models,
        example={"features": {"age": 5, "Amount (€)": 1}},
    )
    assert list(openapi.example_row(one).items()) == [("Amount (€)", 1), ("age", 5)]


def test_every_example_fits_its_schema():
    """A reader may send what is shown."""
    document = openapi.document([ONE])
    for item in document["paths"].values():
        for content in item.get("post", {}).get("requestBody", {}).get("content", {}).values():
            shown = [one["value"] for one in content.get("examples", {}).values()]
            shown += [content["example"]] if "example" in content else []
            schema = content["schema"] | {"components": document["components"]}
            for example in shown:
                jsonschema.Draft202012Validator(schema).validate(example)


@pytest.mark.parametrize(
    ("labels", "line", "fits"),
    [
        ((0, 1), "order-17,1", True),
        ((0, 1), "order-17,7", False),
        ((0, 1), "order 17,1", False),
        (("a.b", "c|d"), "1,c|d", True),
        (("a.b", "c|d"), "1,axb", False),
        (("red, or so", "blue"), "1,blue", True),
        (("red, or so", "blue"), "1,red, or so", False),
        (("red, or so", "blue"), '1,"red, or so"', True),
        (('the "red"', "blue"), '1,"the ""red"""', True),
    ],
)
def test_a_csv_of_truths_is_described_line_by_line(labels, line, fits):
    """By its header and the labels there are."""
    schema = openapi_schemas.truths_csv([classifier(labels=labels)])
    text = f"prediction_id,target\n{line}\n"
    assert jsonschema.Draft202012Validator(schema).is_valid(text) is fits


@pytest.mark.parametrize(
    ("values", "fits"),
    [
        ({"retrain.new_samples": 50, "retrain.every": "1h 30m", "retrain.on_drift": None}, True),
        ({"retrain.quality.f1": 0.9, "retrain.quality.window": 100, "monitor.drift.psi": 0.1}, True),
        ({}, False),
        ({"retrain.new_sample": 50}, False),
        ({"retrain.quality.rmse": 3}, False),
        ({"retrain.cooldown": "0s"}, False),
        ({"retrain.cooldown": 1e300}, False),
    ],
)
def test_thresholds_are_named_with_what_each_may_be(values, fits):
    """Also the metrics of the models that are served."""
    document = openapi.document([ONE])
    assert validator(document, "Thresholds").is_valid({"thresholds": values}) is fits


def test_answers_are_described_by_labels():
    """And what the server sends fits."""
    document = openapi.document([ONE])
    answer = document["components"]["schemas"]["Answer"]["properties"]
    assert answer["prediction"]["enum"] == [0, 1]
    assert list(answer["probabilities"]["properties"]) == ["zero", "one"]
    sent = json.loads(json.dumps(predict.document(outcome())))
    validator(document, "Answer").validate(sent)
    with pytest.raises(jsonschema.ValidationError):
        validator(document, "Answer").validate({**sent, "prediction": 7})


def test_several_models_answer_under_their_names():
    """Each with its own kind of answer."""
    answer = openapi.document([TWO])["components"]["schemas"]["Answer"]["properties"]
    assert list(answer["outputs"]["properties"]) == ["segment", "spend"]
    assert (answer["segment"]["type"], answer["spend"]["type"]) == ("integer", "number")


def test_several_bundles_have_routes_of_their_own():
    """The first also at the root."""
    document = openapi.document([ONE, TWO])
    assert {"/predict", "/models/shop/predict", "/models/cards/predict", "/v2/models/cards/infer"} <= set(
        document["paths"]
    )
    assert [one["path"] for one in document["x-modelwright"]["served"]] == [
        "/predict",
        "/models/cards/predict",
    ]
    assert document["x-modelwright"]["served"][1]["row"] in document["components"]["schemas"]


def test_only_what_is_routed_is_promised():
    """By the server's own table."""
    document = openapi.document([ONE], paths={"/predict", "/models/{name}/predict", "/health"})
    assert set(document["paths"]) == {"/predict", "/models/shop/predict", "/health"}


def test_credentials_are_said_where_they_are_needed():
    """And only there."""
    assert "security" not in openapi.document([ONE])
    document = openapi.document([ONE], auth=True)
    assert set(document["components"]["securitySchemes"]) == {"bearer", "key"}


def test_a_server_without_a_model_has_a_document():
    """Before the first release."""
    assert openapi.document([])["info"]["title"] == "Modelwright"


@pytest.mark.parametrize(
    "served", [[], [ONE], [TWO], [ONE, TWO]], ids=["none", "one", "several models", "two"]
)
def test_the_document_is_one(served):
    """A tool that lives by such documents reads it; every schema is one, every reference leads somewhere."""
    document = json.loads(json.dumps(openapi.document(served, auth=True)))
    assert sum(1 for _ in schemathesis.openapi.from_dict(document).get_all_operations()) >= 10
    for name, schema in document["components"]["schemas"].items():
        jsonschema.Draft202012Validator.check_schema(schema)
        list(validator(document, name).iter_errors({}))
    tags = {tag["name"] for tag in document["tags"]}
    for item in document["paths"].values():
        for verb in ("get", "post"):
            assert verb not in item or set(item[verb]["tags"]) <= tags


KINDS = [Kind.NUMERIC, Kind.INTEGER, Kind.BOOLEAN, Kind.CATEGORICAL, Kind.TEXT, Kind.DATETIME, Kind.IMAGE]
NUMBERS = st.none() | st.floats(-1e300, 1e300)


@given(
    st.builds(
        Column,
        name=st.text(min_size=1),
        kind=st.sampled_from(KINDS),
        nullable=st.booleans(),
        strict=st.booleans(),
        observed_min=NUMBERS,
        observed_max=NUMBERS,
        minimum=NUMBERS,
        maximum=NUMBERS,
        categories=st.lists(st.text(min_size=1), max_size=3, unique=True).map(tuple),
    )
)
def test_any_column_has_a_schema(column):
    """That is one, and JSON."""
    schema = openapi_schemas.column(column)
    jsonschema.Draft202012Validator.check_schema(json.loads(json.dumps(schema, allow_nan=False)))


def test_dates_beyond_the_calendar_are_shown_as_numbers():
    """A column's range is not always one of dates."""
    column = Column(
        name="t",
        kind=Kind.DATETIME,
        observed_min=-1e300,
        observed_max=datetime(2020, 1, 2, tzinfo=UTC).timestamp(),
    )
    assert openapi_schemas.column(column)["description"] == "In training from -1e+300 to 2020-01-02."
