"""The handler for AWS Lambda: events in, answers out, the log in the store before it returns."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from modelwright.serve.aws_lambda import RECEIVED, Function
from serving import NAMED_SETOSA, SETOSA, stored, write_iris_bundle

INPUT = {"input": NAMED_SETOSA}


@pytest.fixture
def function(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Function]:
    """The handler over a bundle that the environment names."""
    monkeypatch.chdir(tmp_path)
    write_iris_bundle(tmp_path / "model", project="flowers", number=3)
    monkeypatch.setenv("MODELWRIGHT_BUNDLE", str(tmp_path / "model"))
    made = Function()
    yield made
    made.close()


def gateway(path: str, body: Any, *, encoded: bool = False, method: str = "POST") -> dict[str, Any]:
    """An event of an HTTP API."""
    text = body if isinstance(body, str) else json.dumps(body)
    return {
        "version": "2.0",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"content-type": "application/json"},
        "requestContext": {"stage": "$default", "http": {"method": method, "path": path}},
        "body": base64.b64encode(text.encode()).decode() if encoded else text,
        "isBase64Encoded": encoded,
    }


def test_a_direct_invocation(function: Function, tmp_path: Path):
    """The event is the request; message and response are there, and the log is in the store."""
    answer = function(INPUT, None)
    assert answer["message"] == RECEIVED == "Received data successfully"
    assert answer["response"]["prediction_name"] == "setosa"
    with stored(tmp_path / ".modelwright") as store:
        assert store.predictions.get("flowers", answer["prediction_id"]) is not None


def test_through_a_gateway(function: Function):
    """Plain and Base64 bodies, at /predict and at the function's own path, are answered alike."""
    for event in (gateway("/predict", INPUT, encoded=True), gateway("/", INPUT)):
        reply = function(event)
        assert reply["statusCode"] == 200
        document = json.loads(reply["body"])
        assert list(document)[:2] == ["message", "response"]
        assert int(reply["headers"]["content-length"]) == len(reply["body"].encode())
    first = {
        "httpMethod": "POST",
        "path": "/predict",
        "headers": {},
        "body": json.dumps({"features": SETOSA}),
    }
    assert "message" not in json.loads(function(first)["body"])


def test_the_other_routes_answer_too(function: Function):
    """Health, the list of routes, and what does not exist."""
    assert json.loads(function(gateway("/health", "", method="GET"))["body"])["model_loaded"] is True
    assert function(gateway("/nowhere", "", method="GET"))["statusCode"] == 404


def test_several_rows(function: Function):
    """A batch has one response a row."""
    answer = function({"input": [NAMED_SETOSA, NAMED_SETOSA]})
    assert [each["prediction_name"] for each in answer["response"]] == ["setosa", "setosa"]


def test_bad_requests_are_told(function: Function):
    """A wrong row, no JSON, and a body that is not the Base64 it claims to be are 400s with a reason."""
    assert function({"input": {"sepal length (cm)": "long"}})["statusCode"] == 400
    assert function(gateway("/predict", "{"))["statusCode"] == 400
    broken = {**gateway("/predict", ""), "body": "%", "isBase64Encoded": True}
    assert "Base64" in json.loads(function(broken)["body"])["error"]


def test_a_function_may_write_in_its_temporary_folder_only(tmp_path: Path):
    """On Lambda, with nothing said, the journal goes to the temporary folder."""
    write_iris_bundle(tmp_path / "model", project="flowers", number=3)
    (tmp_path / "tmp").mkdir()
    (tmp_path / "task").mkdir()
    code = (
        "import json; from modelwright.serve.aws_lambda import handler;"
        f"print(json.dumps(handler({INPUT!r}, None)))"
    )
    environment = {
        "PATH": "",
        "PYTHONPATH": ":".join(sys.path),
        "TMPDIR": str(tmp_path / "tmp"),
        "AWS_LAMBDA_FUNCTION_NAME": "flowers",
        "MODELWRIGHT_BUNDLE": str(tmp_path / "model"),
    }
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        cwd=tmp_path / "task",
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout)["message"] == RECEIVED
    assert (tmp_path / "tmp" / "modelwright").is_dir() and not any((tmp_path / "task").iterdir())
