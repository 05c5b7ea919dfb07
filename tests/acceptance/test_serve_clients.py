"""The programs that people ask other servers with, unchanged: they get what they expect."""

from __future__ import annotations

import base64
import io
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import boto3
import httpx
import numpy as np
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from tritonclient import http as triton

from servers import free_port
from serving import IRIS, NAMED_SETOSA, SETOSA, Server, eventually, iris_project, stored, write_iris_bundle

VIRGINICA = [6.3, 3.3, 6.0, 2.5]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with one released version."""
    return iris_project(tmp_path_factory.mktemp("iris"))


@pytest.fixture(scope="module")
def server(project: Path) -> Iterator[Server]:
    """It, served."""
    with Server("--workers", "1", cwd=project) as running:
        yield running


@pytest.fixture(scope="module")
def tritons(server: Server) -> Iterator[triton.InferenceServerClient]:
    """Triton's client."""
    client = triton.InferenceServerClient(server.url.removeprefix("http://"))
    yield client
    client.close()


@pytest.fixture(scope="module")
def sagemaker(server: Server) -> object:
    """Amazon's runtime client, with the server as its endpoint."""
    return boto3.client(
        "sagemaker-runtime",
        endpoint_url=server.url,
        region_name="eu-west-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"max_attempts": 1}),
    )


@pytest.mark.parametrize(
    "body",
    [
        {"dataframe_split": {"columns": IRIS, "data": [SETOSA, VIRGINICA]}},
        {"dataframe_records": [NAMED_SETOSA, dict(zip(IRIS, VIRGINICA, strict=True))]},
        {"instances": [NAMED_SETOSA, dict(zip(IRIS, VIRGINICA, strict=True))]},
        {"inputs": {name: [a, b] for name, a, b in zip(IRIS, SETOSA, VIRGINICA, strict=True)}},
    ],
    ids=["split", "records", "instances", "inputs"],
)
def test_mlflow_shapes_are_answered(server: Server, body: dict[str, object]) -> None:
    """Each of MLflow's JSON shapes gets ``{"predictions": [...]}``."""
    reply = server.client.post("/invocations", json=body)
    assert reply.json() == {"predictions": [0, 2]}


def test_mlflow_csv_and_parquet_are_answered(server: Server) -> None:
    """MLflow's tables are read."""
    import pyarrow as pa
    from pyarrow import parquet

    lines = [",".join(IRIS), ",".join(map(str, SETOSA))]
    csv = server.client.post(
        "/invocations", content="\n".join(lines), headers={"content-type": "text/csv; charset=utf-8"}
    )
    assert csv.json() == {"predictions": [0]}
    file = io.BytesIO()
    parquet.write_table(pa.table({name: [value] for name, value in NAMED_SETOSA.items()}), file)
    table = server.client.post(
        "/invocations",
        content=file.getvalue(),
        headers={"content-type": "application/vnd.apache.parquet"},
    )
    assert table.json() == {"predictions": [0]}


def test_mlflow_errors_have_its_shape(server: Server) -> None:
    """What MLflow's clients cannot send is refused as MLflow does, without a stack."""
    reply = server.client.post("/invocations", json={"rows": []})
    assert reply.status_code == 400
    assert {"error_code", "message"} <= set(reply.json())
    assert "stack_trace" not in reply.json()
    odd = server.client.post("/invocations", content=b"x", headers={"content-type": "text/xml"})
    assert odd.status_code == 415


def test_mlflow_and_sagemaker_ping(server: Server) -> None:
    """``/ping`` says 200 with an empty line, ``/version`` a bare text."""
    ping = server.client.get("/ping")
    assert (ping.status_code, ping.content) == (200, b"\n")
    assert server.client.get("/version").headers["content-type"].startswith("text/plain")


def test_triton_asks_about_the_server_and_its_models(tritons: triton.InferenceServerClient) -> None:
    """Health, metadata and the repository's index are as Triton's client expects them."""
    assert tritons.is_server_live()
    assert tritons.is_server_ready()
    assert tritons.is_model_ready("iris")
    assert not tritons.is_model_ready("rose")
    assert tritons.get_server_metadata()["name"] == "modelwright"
    metadata = tritons.get_model_metadata("iris", "1")
    assert [each["name"] for each in metadata["inputs"]] == list(IRIS)
    assert tritons.get_model_repository_index()[0]["name"] == "iris"


@pytest.mark.parametrize("binary", [False, True])
def test_triton_infers(tritons: triton.InferenceServerClient, binary: bool) -> None:
    """Columns as tensors, in JSON or in bytes, give tensors back."""
    inputs = []
    for name, values in zip(IRIS, np.array([SETOSA, VIRGINICA]).T, strict=True):
        tensor = triton.InferInput(name, [2], "FP64")
        tensor.set_data_from_numpy(values.copy(), binary_data=binary)
        inputs.append(tensor)
    wanted = [triton.InferRequestedOutput("prediction", binary_data=binary)]
    result = tritons.infer("iris", inputs, outputs=wanted, request_id=f"triton-{binary}")
    assert result.as_numpy("prediction").tolist() == [0, 2]
    assert result.get_response()["id"] == f"triton-{binary}"


def test_v2_json_is_answered_in_the_lane(server: Server, project: Path) -> None:
    """A plain V2 request is answered and logged like any other."""
    body = {
        "inputs": [
            {"name": name, "shape": [1], "datatype": "FP64", "data": [value]}
            for name, value in NAMED_SETOSA.items()
        ]
    }
    reply = server.client.post("/v2/models/iris/infer", json=body).json()
    outputs = {each["name"]: each["data"] for each in reply["outputs"]}
    assert outputs["prediction"] == [0]
    assert reply["model_version"] == "1"
    with stored(project / ".modelwright") as store:
        record = eventually(lambda: store.predictions.get("iris", outputs["prediction_id"][0]))
    assert (record.protocol, record.inputs) == ("v2", NAMED_SETOSA)
    assert server.client.post("/v2/models/iris/versions/9/infer", json=body).status_code == 404
    assert isinstance(server.client.post("/v2/models/rose/infer", json=body).json()["error"], str)


def test_boto3_invokes_the_endpoint(sagemaker: object, project: Path) -> None:
    """SageMaker's runtime client invokes with its Inference-Id, and again gets the same."""
    asked = {
        "EndpointName": "iris",
        "ContentType": "text/csv",
        "Body": ",".join(map(str, SETOSA)),
        "InferenceId": "sage-1",
    }
    first = sagemaker.invoke_endpoint(**asked)  # type: ignore[attr-defined]
    again = sagemaker.invoke_endpoint(**asked)  # type: ignore[attr-defined]
    assert first["Body"].read() == again["Body"].read() == b'{"predictions":[0]}'
    assert first["InvokedProductionVariant"]
    with stored(project / ".modelwright") as store:
        record = eventually(lambda: store.predictions.get("iris", "sage-1"))
    assert record.protocol == "sagemaker"


def test_boto3_gets_other_forms_and_errors(sagemaker: object) -> None:
    """NumPy files in, CSV out; what cannot be read is a ModelError with the message."""
    file = io.BytesIO()
    np.save(file, np.array([SETOSA, VIRGINICA]))
    reply = sagemaker.invoke_endpoint(  # type: ignore[attr-defined]
        EndpointName="iris", ContentType="application/x-npy", Accept="text/csv", Body=file.getvalue()
    )
    assert reply["Body"].read() == b"0\n2\n"
    with pytest.raises(ClientError, match="values"):
        sagemaker.invoke_endpoint(EndpointName="iris", ContentType="text/csv", Body="1,2")  # type: ignore[attr-defined]


def test_curl_and_httpx_send_what_they_send(server: Server) -> None:
    """A bare ``curl -d`` (which calls it a form), chunked bodies, Expect and HTTP/1.0 all work."""
    body = '{"features": [5.1, 3.5, 1.4, 0.2]}'
    for options in (
        ["-d", body],
        ["-H", "content-type: application/json", "-H", "transfer-encoding: chunked", "-d", body],
        ["-H", "content-type: application/json", "-H", "expect: 100-continue", "-d", body],
        ["--http1.0", "-H", "content-type: application/json", "-d", body],
        ["-H", "content-type: application/json; charset=UTF-8", "-d", body],
    ):
        ended = subprocess.run(
            ["curl", "-s", "--max-time", "10", f"{server.url}/predict", *options],
            capture_output=True,
            check=True,
        )
        assert b'"prediction_name":"setosa"' in ended.stdout, options
    pieces = (piece for piece in (body[:10].encode(), body[10:].encode()))
    chunked = httpx.post(
        f"{server.url}/predict", content=pieces, headers={"content-type": "application/json"}
    )
    assert chunked.json()["prediction"] == 0


def test_a_large_batch_is_answered_beside_the_loop(server: Server) -> None:
    """Thousands of rows in one body are answered in order."""
    rows = [SETOSA, VIRGINICA] * 2000
    answers = server.client.post("/predict", json={"instances": rows}).json()["predictions"]
    assert [answer["prediction"] for answer in answers] == [0, 2] * 2000
    too_many = server.client.post("/predict", json={"instances": [SETOSA] * 10_001})
    assert too_many.status_code == 413


def test_mlflow_s_own_client_is_served(server: Server) -> None:
    """MLflow's scoring client waits for the server and invokes it."""
    client_module = pytest.importorskip("mlflow.pyfunc.scoring_server.client")
    import pandas as pd

    client = client_module.ScoringServerClient("127.0.0.1", int(server.url.rsplit(":", 1)[1]))
    client.wait_server_ready(timeout=10, scoring_server_proc=server.process)
    frame = pd.DataFrame([SETOSA, VIRGINICA], columns=list(IRIS))
    assert client.invoke(frame).get_predictions()[0].tolist() == [0, 2]


def test_basic_authorization_means_nothing_where_nobody_is_asked(server: Server) -> None:
    """Headers nobody asked for do no harm."""
    header = "Basic " + base64.b64encode(b"a:b").decode()
    reply = server.client.post("/predict", json={"features": SETOSA}, headers={"authorization": header})
    assert reply.status_code == 200


def test_a_sagemaker_container_serves_what_it_is_given(tmp_path: Path) -> None:
    """``serve`` alone, with the model where the platform puts it and the port it names."""
    base = tmp_path / "ml"
    write_iris_bundle(base / "model", project="flowers")
    port = free_port()
    env = {"SAGEMAKER_BASE_DIR": str(base), "SAGEMAKER_BIND_TO_PORT": str(port)}
    with Server(cwd=tmp_path, port=None, env=env) as server:
        assert server.url == f"http://127.0.0.1:{port}"
        assert server.client.get("/ping").status_code == 200
        for body, kind in (
            (",".join(map(str, SETOSA)), "text/csv"),
            ('{"features": [5.1, 3.5, 1.4, 0.2]}', "application/json"),
            ('{"instances": [[5.1, 3.5, 1.4, 0.2]]}', "application/json"),
        ):
            reply = server.client.post("/invocations", content=body, headers={"content-type": kind})
            assert reply.json() == {"predictions": [0]}, body


def test_several_models_in_one_server(tmp_path: Path) -> None:
    """Each under its name, the first also at the root; a name nobody has is told."""
    write_iris_bundle(tmp_path / "a", project="first", number=1)
    write_iris_bundle(tmp_path / "b", project="second", number=2, seed=3)
    with Server(tmp_path / "a", tmp_path / "b", "--workers", "1", cwd=tmp_path) as server:
        ask = {"features": SETOSA}
        assert server.client.post("/predict", json=ask).json()["model_version"] == 1
        assert server.client.post("/models/second/predict", json=ask).json()["model_version"] == 2
        assert server.client.post("/models/third/predict", json=ask).status_code == 404
        assert set(server.client.get("/metrics").json()["models"]) == {"first", "second"}
        page = {"model": "second"}
        eventually(lambda: server.client.get("/predictions/history", params=page).json()["count"] == 1)
        server.process.send_signal(signal.SIGHUP)
        assert server.client.post("/predict", json=ask).status_code == 200
