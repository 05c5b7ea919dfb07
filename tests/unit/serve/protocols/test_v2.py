import json
import math

import numpy as np
import pytest
import tritonclient.http as triton
from hypothesis import given
from hypothesis import strategies as st

from modelwright.bundle.answers import Answer
from modelwright.schema.columns import Column, Kind, TableSchema
from modelwright.serve.errors import BadBody, TooLarge, Unsupported
from modelwright.serve.protocols import v2, v2_replies
from modelwright.serve.protocols.tensors import DTYPES
from unit.serve.protocols.cases import MIXED, NUMBERS, classifier, clustering, outcome, regressor

ONE = TableSchema(columns=(Column(name="x", kind=Kind.NUMERIC),))


def tensor(name, shape, datatype, data, **parameters):
    described = {"name": name, "shape": shape, "datatype": datatype, "data": data}
    return described | ({"parameters": parameters} if parameters else {})


def read(inputs, schema=NUMBERS, headers=None, **more):
    body = json.dumps({"inputs": inputs, **more}).encode()
    return v2.read(body, headers or {}, schema)


def triton_request(inputs, outputs=None, **more):
    """What Triton's own client would send."""
    body, length = triton.InferenceServerClient.generate_request_body(inputs, outputs=outputs, **more)
    return body, {} if length is None else {"inference-header-content-length": str(length)}


def triton_input(name, array, datatype, binary=True):
    made = triton.InferInput(name, list(array.shape), datatype)
    made.set_data_from_numpy(array, binary_data=binary)
    return made


COLUMNS = [tensor("length (cm)", [2], "FP32", [5.1, 6]), tensor("age", [2, 1], "INT64", [[3], [None]])]


def test_one_tensor_a_column_gives_the_rows():
    """Of shape [N] or [N, 1], nested or flat, with nulls."""
    call = read(COLUMNS)
    assert call.rows == [{"length (cm)": 5.1, "age": 3}, {"length (cm)": 6, "age": None}]
    assert not call.single


@pytest.mark.parametrize("data", [[[1, 2], [3, 4]], [1, 2, 3, 4]], ids=["nested", "flat"])
def test_a_packed_tensor_gives_the_rows(data):
    """In the schema's order, whatever it is called."""
    assert read([tensor("input-0", [2, 2], "FP32", data)]).rows == [[1, 2], [3, 4]]


def test_a_packed_tensor_of_bytes_may_carry_texts():
    """Numbers among them in quotes, as in CSV."""
    call = read([tensor("t", [1, 3], "BYTES", ["1", "x", None])], MIXED)
    assert call.rows == [["1", "x", None]]


def test_a_schema_of_one_column_reads_its_tensor_by_name_or_not():
    """[N, 1] is both a column and all columns."""
    assert read([tensor("x", [2, 1], "FP32", [1, 2])], ONE).rows == [{"x": 1}, {"x": 2}]
    assert read([tensor("other", [2, 1], "FP32", [1, 2])], ONE).rows == [[1], [2]]


def test_the_id_is_echoed_and_numbers_the_rows():
    """One row has the id itself; without one the header's counts."""
    call = read(COLUMNS, id="r")
    assert (call.echo, call.ids) == ("r", ["r.0", "r.1"])
    assert read([tensor("t", [1, 2], "FP32", [1, 2])], id="r").ids == ["r"]
    call = read([tensor("t", [1, 2], "FP32", [1, 2])], headers={"x-request-id": "h"})
    assert (call.echo, call.ids) == (None, ["h"])


@pytest.mark.parametrize("binary", [True, False])
def test_tritons_client_is_read(binary):
    """Numbers of several types, texts and booleans, as bytes and as JSON."""
    schema = TableSchema(
        columns=(
            Column(name="f", kind=Kind.NUMERIC),
            Column(name="i", kind=Kind.INTEGER),
            Column(name="s", kind=Kind.TEXT),
            Column(name="b", kind=Kind.BOOLEAN),
        )
    )
    body, headers = triton_request(
        [
            triton_input("f", np.array([1.5, 2.5], "f4"), "FP32", binary),
            triton_input("i", np.array([[7], [8]], "i8"), "INT64", binary),
            triton_input("s", np.array(["ü", ""], object), "BYTES", binary),
            triton_input("b", np.array([True, False]), "BOOL", binary),
        ],
        request_id="r",
    )
    call = v2.read(body, headers, schema)
    assert call.rows == [{"f": 1.5, "i": 7, "s": "ü", "b": True}, {"f": 2.5, "i": 8, "s": "", "b": False}]
    assert (call.echo, call.binary) == ("r", True)


@given(st.sampled_from(sorted(DTYPES)), st.data())
def test_every_datatype_survives_as_bytes(datatype, data):
    """What NumPy writes is what is read; NaN is missing."""
    raw = data.draw(st.binary(min_size=DTYPES[datatype].itemsize, max_size=DTYPES[datatype].itemsize))
    value = np.frombuffer(raw, DTYPES[datatype])[0].item()
    head = {"name": "x", "shape": [1], "datatype": datatype, "parameters": {"binary_data_size": len(raw)}}
    text = json.dumps({"inputs": [head]}).encode()
    call = v2.read(text + raw, {"inference-header-content-length": str(len(text))}, ONE)
    assert call.rows == [{"x": None if isinstance(value, float) and math.isnan(value) else value}]


def test_an_images_bytes_become_base64():
    """They are no text; in another column that is a mistake."""
    for name, wanted in (("photo", "/9j/"), ('b "q" ü', None)):
        inputs = [
            triton_input("a", np.array([1.0], "f4"), "FP32"),
            triton_input(name, np.array([b"\xff\xd8\xff"], object), "BYTES"),
        ]
        body, headers = triton_request(inputs)
        if wanted:
            assert v2.read(body, headers, MIXED).rows == [{"a": 1.0, "photo": wanted}]
        else:
            with pytest.raises(BadBody, match="validation"):
                v2.read(body, headers, MIXED)


GOOD = tensor("age", [1], "INT64", [1])


@pytest.mark.parametrize(
    "inputs",
    [
        None,
        [],
        {},
        [5],
        [{"name": "age"}],
        [{**GOOD, "name": 5}],
        [{**GOOD, "name": "nothing"}],
        [{**GOOD, "datatype": "INT4"}],
        [{**GOOD, "datatype": ["INT64"]}],
        [{**GOOD, "shape": 1}],
        [{**GOOD, "shape": [True]}],
        [{**GOOD, "shape": [-1]}],
        [{**GOOD, "shape": [2**70]}],
        [{**GOOD, "shape": [2]}],
        [{**GOOD, "shape": []}],
        [{**GOOD, "shape": [1, 1, 1, 1, 1]}],
        [{**GOOD, "shape": [1, 2], "data": [1, 2], "datatype": "BOOL"}],
        [{**GOOD, "data": None}],
        [{**GOOD, "data": {}}],
        [{**GOOD, "data": ["1"]}],
        [{**GOOD, "data": [1.5]}],
        [{**GOOD, "data": [True]}],
        [{**GOOD, "data": [2**63]}],
        [{**GOOD, "data": [[[1]]]}],
        [{**GOOD, "datatype": "FP32", "data": [[]]}],
        [{**GOOD, "datatype": "BYTES", "data": [1]}],
        [{**GOOD, "datatype": "BOOL", "data": [2]}],
        [{**GOOD, "parameters": []}],
        [{**GOOD, "parameters": {"binary_data_size": 8}}],
        [{**GOOD, "parameters": {"shared_memory_region": "x"}}],
        [GOOD, GOOD],
        [GOOD, tensor("length (cm)", [2], "FP32", [1, 2])],
        [tensor("age", [0], "INT64", [])],
    ],
)
def test_what_is_no_tensor_is_refused(inputs):
    """With 400, where MLServer would answer 500."""
    with pytest.raises(BadBody):
        read(inputs)


def test_numbers_cannot_carry_a_schema_with_texts():
    """The column that cannot be sent so is named."""
    with pytest.raises(BadBody) as caught:
        read([tensor("t", [1, 3], "FP32", [1, 2, 3])], MIXED)
    assert 'b "q" ü' in caught.value.problems[0]["msg"]


@pytest.mark.parametrize("length", ["", "x", "-1", "0", "99999999999999999999", "10000", "²"])
def test_a_wrong_header_length_is_refused(length):
    """It is a number of bytes of the body."""
    with pytest.raises(BadBody):
        read([GOOD], headers={"inference-header-content-length": length})


@pytest.mark.parametrize(
    ("size", "tail"),
    [
        (8, b"1234567"),
        (8, b"123456789"),
        (-1, b""),
        (4, b"1234"),
        (True, b"1"),
        ("8", b"12345678"),
        (2**80, b""),
    ],
)
def test_binary_data_that_is_not_there_is_refused(size, tail):
    """Too short, too long, or of no length at all."""
    head = {"name": "age", "shape": [1], "datatype": "INT64", "parameters": {"binary_data_size": size}}
    text = json.dumps({"inputs": [head]}).encode()
    with pytest.raises(BadBody):
        v2.read(text + tail, {"inference-header-content-length": str(len(text))}, NUMBERS)


@pytest.mark.parametrize(
    "tail", [b"", b"\x01", b"\x02\0\0\0a", b"\0\0\0\0\0", b"\xff\xff\xff\xff", b"\1\0\0\0\xff"]
)
def test_texts_that_do_not_fit_their_lengths_are_refused(tail):
    """Each length is checked against the bytes that are left."""
    head = {"name": "age", "shape": [1], "datatype": "BYTES", "parameters": {"binary_data_size": len(tail)}}
    text = json.dumps({"inputs": [head]}).encode()
    with pytest.raises(BadBody):
        v2.read(text + tail, {"inference-header-content-length": str(len(text))}, NUMBERS)


def test_rows_and_content_types_are_limited():
    """As in the other protocols."""
    body = json.dumps({"inputs": [tensor("t", [2, 2], "FP32", [1, 2, 3, 4])]}).encode()
    with pytest.raises(TooLarge):
        v2.read(body, {}, NUMBERS, most_rows=1)
    with pytest.raises(Unsupported):
        v2.read(body, {"content-type": "text/csv"}, NUMBERS)


@pytest.mark.parametrize(
    "more",
    [
        {"id": 5},
        {"id": "a b"},
        {"parameters": 5},
        {"outputs": {}},
        {"outputs": [5]},
        {"outputs": [{"name": 5}]},
        {"outputs": [{"name": "x", "parameters": {"classification": 2}}]},
    ],
)
def test_what_is_said_beside_the_inputs_is_checked(more):
    """Ids, parameters and outputs."""
    with pytest.raises(BadBody):
        read([GOOD, tensor("length (cm)", [1], "FP32", [1])], **more)


def test_an_answer_has_its_fields_as_tensors():
    """With the labels of the probabilities, and the id."""
    entry = classifier(names=("zero", "one"))
    reply = v2_replies.render(read(COLUMNS, id="r"), [outcome("a"), outcome("b")], [entry], "m")
    document = json.loads(reply.body)
    assert (document["model_name"], document["model_version"], document["id"]) == ("m", "3", "r")
    by_name = {output["name"]: output for output in document["outputs"]}
    assert by_name["prediction"] == {"name": "prediction", "shape": [2], "datatype": "INT64", "data": [1, 1]}
    assert by_name["probabilities"]["shape"] == [2, 2]
    assert by_name["probabilities"]["data"] == [0.25, 0.75, 0.25, 0.75]
    assert json.loads(by_name["probabilities"]["parameters"]["labels"]) == ["zero", "one"]
    assert by_name["prediction_id"]["data"] == ["a", "b"]


def test_tritons_client_reads_binary_answers():
    """All outputs as bytes where none is named, else those that are asked for so."""
    entry = classifier(names=("zero", "one"))
    for outputs in (
        None,
        [
            triton.InferRequestedOutput("probabilities"),
            triton.InferRequestedOutput("prediction", binary_data=False),
        ],
    ):
        body, headers = triton_request([triton_input("t", np.ones((1, 2), "f4"), "FP32")], outputs)
        call = v2.read(body, headers, NUMBERS)
        reply = v2_replies.render(call, [outcome()], [entry], "m")
        length = int(reply.headers["inference-header-content-length"])
        result = triton.InferenceServerClient.parse_response_body(reply.body, header_length=length)
        assert result.as_numpy("probabilities").tolist() == [[0.25, 0.75]]
        assert result.as_numpy("prediction").tolist() == [1]
        if outputs is None:
            assert result.as_numpy("prediction_name").tolist() == [b"one"]
        else:
            assert result.get_output("prediction_name") is None
            assert "data" in result.get_output("prediction")


@pytest.mark.parametrize(
    ("labels", "datatype"),
    [
        ((0, 1), "INT64"),
        ((False, True), "BOOL"),
        ((0.5, 1), "FP64"),
        (("a", "b"), "BYTES"),
        ((0, "b"), "BYTES"),
        ((0, True), "BYTES"),
        ((0, 2**63), "BYTES"),
    ],
)
@pytest.mark.parametrize("binary", [True, False])
def test_a_label_has_the_datatype_that_holds_all_labels(labels, datatype, binary):
    """And is written so."""
    call = read([tensor("t", [2, 2], "FP32", [1, 2, 3, 4])], parameters={"binary_data_output": binary})
    done = [outcome(model=Answer(label, "n", 1.0, {"n": 1.0, "m": 0.0})) for label in labels]
    reply = v2_replies.render(call, done, [classifier(labels=labels)], "m")
    length = reply.headers.get("inference-header-content-length")
    result = triton.InferenceServerClient.parse_response_body(
        reply.body, header_length=length and int(length)
    )
    assert result.get_output("prediction")["datatype"] == datatype
    got = result.as_numpy("prediction").tolist()
    texts = [str(label) for label in labels]
    assert [value.decode() if isinstance(value, bytes) else value for value in got] == (
        texts if datatype == "BYTES" else list(labels)
    )


def test_several_models_have_outputs_of_their_own():
    """Each under its model's name; a clustering has no probabilities."""
    models = [clustering("segment"), regressor("spend")]
    done = outcome(segment=Answer(4), spend=Answer(1.5))
    reply = v2_replies.render(read([tensor("t", [1, 2], "FP32", [1, 2])]), [done], models, "m")
    outputs = {output["name"]: output["data"] for output in json.loads(reply.body)["outputs"]}
    assert outputs == {"segment.prediction": [4], "spend.prediction": [1.5], "prediction_id": ["p1"]}


@pytest.mark.parametrize("names", [["nothing"], ["prediction", "prediction"]])
def test_outputs_there_are_not_are_refused_before_predicting(names):
    """Also one asked for twice."""
    call = read([tensor("t", [1, 2], "FP32", [1, 2])], outputs=[{"name": name} for name in names])
    with pytest.raises(BadBody):
        v2_replies.check_outputs(call, [classifier()])


def test_warnings_are_a_parameter():
    """One list a row, as JSON text."""
    call = read([tensor("t", [1, 2], "FP32", [1, 2])])
    reply = v2_replies.render(call, [outcome(warnings=({"msg": "odd"},))], [classifier()], "m")
    assert json.loads(json.loads(reply.body)["parameters"]["warnings"]) == [[{"msg": "odd"}]]


def test_metadata_names_columns_and_outputs():
    """With any number of rows, and labels where there are probabilities."""
    document = v2_replies.model_metadata("m", [3], MIXED, [classifier(names=("zero", "one"))])
    assert document["platform"] == "onnx_onnxv1"
    assert document["inputs"][0] == {"name": "a", "datatype": "FP64", "shape": [-1]}
    assert [item["datatype"] for item in document["inputs"][1:]] == ["BYTES", "BYTES"]
    assert [(item["name"], item["shape"]) for item in document["outputs"]] == [
        ("prediction", [-1]),
        ("prediction_name", [-1]),
        ("confidence", [-1]),
        ("probabilities", [-1, 2]),
        ("prediction_id", [-1]),
    ]
    assert "binary_tensor_data" in v2_replies.server_metadata("1.0")["extensions"]


def test_a_datatype_loses_nothing_of_its_column():
    """A gap in whole numbers is NaN, so they are sent as floating ones."""
    kinds = {
        v2_replies.datatype_of(Column(name="c", kind=kind, nullable=gaps))
        for kind, gaps in [(Kind.INTEGER, True), (Kind.NUMERIC, False)]
    }
    assert kinds == {"FP64"}
    assert v2_replies.datatype_of(Column(name="c", kind=Kind.BOOLEAN)) == "BOOL"
    assert v2_replies.datatype_of(Column(name="c", kind=Kind.INTEGER)) == "INT64"


def test_the_index_lists_what_is_ready_and_why_not():
    """As Triton's repository index."""
    assert v2_replies.repository_index([("a", 3, ""), ("b", 1, "broken")]) == [
        {"name": "a", "version": "3", "state": "READY", "reason": ""},
        {"name": "b", "version": "1", "state": "UNAVAILABLE", "reason": "broken"},
    ]


def test_errors_have_the_protocols_shape():
    """One sentence under one key."""
    reply = v2_replies.render_error(BadBody("wrong", loc=("body", "inputs")))
    assert (reply.status, json.loads(reply.body)) == (
        400,
        {"error": "Input validation failed: body.inputs: wrong"},
    )
