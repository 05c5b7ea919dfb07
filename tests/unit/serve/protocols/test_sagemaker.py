import io
import json

import numpy as np
import pytest

from modelwright.bundle.answers import Answer
from modelwright.serve.errors import BadBody, BadId, NotFound, NotReady, Unsupported
from modelwright.serve.protocols import sagemaker
from unit.serve.protocols.cases import NUMBERS, outcome


def read(body, **headers):
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return sagemaker.read(body, named, NUMBERS)


def npy(array):
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("kind", "body", "rows"),
    [
        ("text/csv", b"5.1,3\n", [["5.1", "3"]]),
        ("text/csv; charset=utf-8", b"age,length (cm)\n3,5.1", [{"age": "3", "length (cm)": "5.1"}]),
        ("application/json", b"[[5.1, 3]]", [[5.1, 3]]),
        ("application/json", b'{"instances": [[5.1, 3]]}', [[5.1, 3]]),
        ("application/json", b'{"features": [5.1, 3]}', [[5.1, 3]]),
        ("application/json", b'{"length (cm)": 5.1, "age": 3}', [{"length (cm)": 5.1, "age": 3}]),
        ("application/x-npy", npy(np.array([[5.5, 3]])), [[5.5, 3.0]]),
    ],
)
def test_what_sagemakers_clients_send_is_read(kind, body, rows):
    """CSV with and without a header, JSON of several shapes, NumPy."""
    assert read(body, content_type=kind).rows == rows


def test_other_content_types_are_refused():
    """Pickles in NumPy's archive among them."""
    with pytest.raises(Unsupported):
        read(b"", content_type="application/x-npz")


def test_the_inference_id_is_the_clients_id():
    """Before any other."""
    body = b'{"features": [5.1, 3], "id": "body"}'
    assert read(body, x_amzn_sagemaker_inference_id="inf", x_request_id="h").ids == ["inf"]
    assert read(body, x_request_id="h").ids == ["body"]
    assert read(b"1,2\n3,4", content_type="text/csv", x_amzn_sagemaker_inference_id="i").ids == ["i.0", "i.1"]
    with pytest.raises(BadId):
        read(body, x_amzn_sagemaker_inference_id="a b")


@pytest.mark.parametrize(
    ("accept", "kind", "body"),
    [
        ("", "application/json", b'{"predictions":[1,1]}'),
        ("text/csv", "text/csv; charset=utf-8", b"1\n1\n"),
    ],
)
def test_answers_come_as_accepted(accept, kind, body):
    """JSON unless something else is liked better."""
    call = read(b"[[1,2],[3,4]]", accept=accept)
    reply = sagemaker.render(call, [outcome("a"), outcome("b")])
    assert (reply.content_type, reply.body) == (kind, body)


def test_answers_as_lines_and_as_a_numpy_array():
    """Lines hold all there is; the array plain values, several models side by side."""
    reply = sagemaker.render(read(b"[[1,2]]", accept="application/jsonlines"), [outcome("a")])
    assert json.loads(reply.body)["prediction_id"] == "a"
    call = read(b"[[1,2],[1,2]]", accept="application/x-npy")
    reply = sagemaker.render(call, [outcome(model=Answer(label)) for label in ("x", "ü")])
    assert np.load(io.BytesIO(reply.body), allow_pickle=False).tolist() == ["x", "ü"]
    reply = sagemaker.render(call, [outcome(s=Answer(1), t=Answer(0.5)), outcome(s=Answer(2), t=Answer(1.5))])
    assert np.load(io.BytesIO(reply.body), allow_pickle=False).tolist() == [[1, 0.5], [2, 1.5]]


def test_labels_with_commas_are_quoted_in_csv():
    """As CSV has it."""
    reply = sagemaker.render(read(b"[[1,2]]", accept="text/csv"), [outcome(model=Answer('a,"b"'))])
    assert reply.body == b'"a,""b"""\n'


def test_an_answer_that_cannot_be_given_is_refused():
    """406."""
    with pytest.raises(sagemaker.NotAcceptable):
        read(b"[[1,2]]", accept="image/png")


def test_custom_attributes_and_variant_come_back():
    """As the runtime does."""
    call = read(b"[[1,2]]", x_amzn_sagemaker_custom_attributes="trace=1")
    assert sagemaker.render(call, [outcome()]).headers == {
        "x-amzn-invoked-production-variant": "AllTraffic",
        "x-amzn-sagemaker-custom-attributes": "trace=1",
    }


def test_a_models_error_is_the_runtimes_424():
    """With the status and the words it had."""
    reply = sagemaker.render_error(BadBody("wrong"))
    document = json.loads(reply.body)
    assert (reply.status, reply.headers["x-amzn-errortype"]) == (424, "ModelError")
    assert (document["OriginalStatusCode"], set(document)) == (
        400,
        {"Message", "OriginalStatusCode", "OriginalMessage", "LogStreamArn"},
    )


def test_other_errors_are_the_runtimes_own():
    """Not there, not ready."""
    for error, kind in ((NotFound("No."), "ValidationError"), (NotReady("No."), "ServiceUnavailable")):
        reply = sagemaker.render_error(error)
        assert (reply.status, reply.headers["x-amzn-errortype"]) == (error.status, kind)
