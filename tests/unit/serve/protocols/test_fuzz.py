"""Arbitrary bytes, and bodies that are nearly right, never raise anything but a refusal."""

import json
import tracemalloc

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from modelwright.schema.columns import TableSchema
from modelwright.serve.errors import ServeError
from modelwright.serve.protocols import mlflow, predict, sagemaker, v2
from unit.serve.protocols.cases import MIXED, NUMBERS

KINDS = [
    "",
    "application/json",
    "text/csv",
    "application/x-npy",
    "application/vnd.apache.parquet",
    "multipart/form-data; boundary=b",
    "application/octet-stream",
]
WORDS = [
    "features", "input", "instances", "id", "inputs", "outputs", "dataframe_split", "dataframe_records",
    "columns", "data", "params", "details", "name", "shape", "datatype", "parameters", "binary_data_size",
    "FP32", "BYTES", "BOOL", "INT64", "age", "length (cm)", "a", "binary_data", "binary_data_output",
]  # fmt: skip
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-3, 3)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(WORDS)
    | st.text(max_size=5)
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=6),
    max_leaves=25,
)
TENSORS = st.lists(
    st.fixed_dictionaries(
        {"name": st.sampled_from(["age", "length (cm)", "a", "t"]), "datatype": st.sampled_from(WORDS)},
        optional={
            "shape": st.lists(st.integers(-1, 3), max_size=3) | JSON,
            "data": st.lists(SCALARS, max_size=6)
            | st.lists(st.lists(SCALARS, max_size=2), max_size=3)
            | JSON,
            "parameters": JSON | st.fixed_dictionaries({"binary_data_size": st.integers(-1, 40)}),
        },
    ),
    max_size=3,
)
INFER = st.fixed_dictionaries(
    {"inputs": TENSORS}, optional={"id": SCALARS, "outputs": JSON, "parameters": JSON}
)
BODIES = st.binary(max_size=200) | st.builds(lambda value: json.dumps(value).encode(), JSON | INFER)
LENGTHS = st.none() | st.integers(-5, 300).map(str) | st.text(max_size=5)
CODECS = [predict.read, mlflow.read, v2.read, sagemaker.read]
BOMBS = [
    b"[" * 10**6,
    b'{"a":' * 10**6,
    b'"' + b"\\u0041" * 10**5,
    b"9" * 10**6,
    b"[" + b"1e308," * 10**5 + b"1]",
]


def tried(codec, body: bytes, headers: dict[str, str], schema: TableSchema) -> None:
    try:
        call = codec(body, headers, schema, most_rows=100)
    except ServeError as error:
        assert 400 <= error.status < 500
    else:
        assert 1 <= len(call.rows) == len(call.ids) <= 100
        assert all(isinstance(row, dict | list) for row in call.rows)


@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.__module__.rpartition(".")[2])
@given(BODIES, st.sampled_from(KINDS), LENGTHS, st.binary(max_size=40), st.sampled_from([NUMBERS, MIXED]))
@example(b"{}", "application/json", "2", b"", NUMBERS)
def test_any_bytes_are_a_call_or_refused(codec, body, kind, length, tail, schema):
    """Whatever the content type says."""
    headers = {"content-type": kind} if kind else {}
    if length is not None:
        headers["inference-header-content-length"] = length
    tried(codec, body + tail, headers, schema)


@given(INFER, st.binary(max_size=40))
def test_any_bytes_after_the_json_of_an_inference_are_a_call_or_refused(value, tail):
    """With the length of the JSON said rightly."""
    head = json.dumps(value).encode()
    tried(v2.read, head + tail, {"inference-header-content-length": str(len(head))}, NUMBERS)


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_nearly_numpy_and_parquet_files_are_refused(head, tail):
    """Their magic alone makes no file."""
    for magic, kind in ((b"\x93NUMPY\x01\x00", KINDS[3]), (b"PAR1", KINDS[4])):
        tried(sagemaker.read, magic + head + tail + magic, {"content-type": kind}, NUMBERS)


@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.__module__.rpartition(".")[2])
@pytest.mark.parametrize("bomb", BOMBS, ids=["lists", "objects", "escapes", "digits", "numbers"])
def test_memory_stays_in_proportion_to_the_body(codec, bomb):
    """A body's decoded form takes at most some dozen times its size."""
    tracemalloc.start()
    try:
        tried(codec, bomb, {}, NUMBERS)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 24 * len(bomb) + 2**20
