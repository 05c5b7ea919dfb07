"""A server as people start it: real bundle, real processes, real sockets, real store."""

from __future__ import annotations

import json
import shlex
import subprocess
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from serving import (
    IRIS,
    NAMED_SETOSA,
    PROJECT,
    SETOSA,
    Server,
    eventually,
    iris_project,
    release,
    run_serve,
    stored,
    write_iris_bundle,
)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with one released version."""
    return iris_project(tmp_path_factory.mktemp("iris"))


@pytest.fixture(scope="module")
def server(project: Path) -> Iterator[Server]:
    """It, served."""
    with Server("--workers", "2", cwd=project) as running:
        yield running


@pytest.mark.parametrize(
    "body",
    [
        {"features": SETOSA},
        {"features": NAMED_SETOSA},
        NAMED_SETOSA,
        {"input": NAMED_SETOSA},
        {"features": [str(value) for value in SETOSA]},
    ],
    ids=["list", "named", "plain", "input", "numeric strings"],
)
def test_every_body_shape_gets_the_same_answer(server: Server, body: dict[str, Any]) -> None:
    """Each shape of one row is answered alike, with all fields."""
    reply = server.client.post("/predict", json=body)
    assert reply.status_code == 200
    answer = reply.json()
    assert answer["prediction"] == 0
    assert answer["prediction_name"] == "setosa"
    assert answer["confidence"] == 1.0
    assert set(answer["probabilities"]) == {"setosa", "versicolor", "virginica"}
    assert answer["model_version"] == 1
    assert 0 < answer["latency"] < 5
    assert uuid.UUID(answer["prediction_id"]).version == 7


def test_a_batch_is_answered_row_by_row(server: Server) -> None:
    """``instances`` gives one answer a row, each with an id of its own."""
    reply = server.client.post("/predict", json={"instances": [SETOSA, NAMED_SETOSA, {"features": SETOSA}]})
    answers = reply.json()["predictions"]
    assert [answer["prediction_name"] for answer in answers] == ["setosa"] * 3
    assert len({answer["prediction_id"] for answer in answers}) == 3


@pytest.mark.parametrize(
    ("body", "kind", "place"),
    [
        (b"", "json_invalid", ["body"]),
        (b"{", "json_invalid", ["body"]),
        (b'{"features": [NaN, 1, 1, 1]}', "json_invalid", ["body"]),
        (b'{"features": [1, 2, 3]}', "list_length", ["body", "features"]),
        (b'{"features": {}}', "missing", ["body", "features", IRIS[0]]),
        (b'{"features": ["a", 1, 1, 1]}', "number_type", ["body", "features", IRIS[0]]),
        (b'"text"', "dict_type", ["body"]),
    ],
)
def test_bad_input_is_told_with_its_place(server: Server, body: bytes, kind: str, place: list[str]) -> None:
    """What does not validate gets 400 with loc, msg, type and input, and is in the log under an id."""
    reply = server.client.post("/predict", content=body, headers={"content-type": "application/json"})
    assert reply.status_code == 400
    document = reply.json()
    assert document["error"] == "Input validation failed"
    first = document["details"][0]
    assert set(first) == {"loc", "msg", "type", "input"}
    assert first["type"] == kind
    assert first["loc"] == place
    assert document["prediction_id"]


def test_values_outside_the_training_range_are_answered_with_a_warning(server: Server) -> None:
    """An unusual row is answered and flagged."""
    answer = server.client.post("/predict", json={"features": [50.0, 3.5, 1.4, 0.2]}).json()
    assert "prediction" in answer
    assert answer["warnings"][0]["loc"] == ["features", IRIS[0]]


def test_the_clients_id_is_the_predictions_id(server: Server) -> None:
    """An ``id`` in the body or in X-Request-Id names the prediction."""
    given = f"order-{uuid.uuid4()}"
    assert (
        server.client.post("/predict", json={"features": SETOSA, "id": given}).json()["prediction_id"]
        == given
    )
    header = f"trace-{uuid.uuid4()}"
    reply = server.client.post("/predict", json={"features": SETOSA}, headers={"x-request-id": header})
    assert reply.json()["prediction_id"] == header


def test_every_answer_and_every_refusal_is_in_the_store(server: Server, project: Path) -> None:
    """The store has what was answered, as it was understood, and what was refused, soon after."""
    answered = server.client.post("/predict", json={"features": SETOSA}).json()
    refused = server.client.post("/predict", json={"features": [1]}).json()
    with stored(project / ".modelwright") as store:
        record = eventually(lambda: store.predictions.get("iris", answered["prediction_id"]))
        assert record.inputs == NAMED_SETOSA
        assert record.outputs["prediction_name"] == "setosa"
        assert (record.status, record.version, record.protocol) == (200, 1, "predict")
        assert record.latency == pytest.approx(answered["latency"], abs=1e-6)
        record = eventually(lambda: store.predictions.get("iris", refused["prediction_id"]))
        assert record.status == 400
        assert record.outputs["error"] == "Input validation failed"


def test_health_listing_and_documentation(server: Server) -> None:
    """The other routes answer, and the documentation needs nothing from outside."""
    health = server.client.get("/health").json()
    assert health["status"] == "healthy"
    assert {"timestamp", "version", "model_version"} <= set(health)
    assert server.client.get("/health/live").status_code == 200
    assert server.client.get("/health/ready").json()["ready"] is True
    assert "POST /predict" in server.client.get("/").json()["endpoints"]
    assert "/predict" in server.client.get("/openapi.json").json()["paths"]
    page = server.client.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert "http" not in page.text


def test_an_unknown_route_and_a_wrong_method_are_told(server: Server) -> None:
    """Errors have the one shape on every route."""
    assert server.client.get("/nothing").status_code == 404
    assert "error" in server.client.get("/nothing").json()
    assert server.client.get("/predict").status_code == 405
    assert "error" in server.client.get("/predict").json()


def test_the_curl_line_works_when_pasted(server: Server) -> None:
    """What is printed at the start can be pasted."""
    output = subprocess.run(shlex.split(server.ready["curl"]), capture_output=True, check=True).stdout
    assert b'"prediction_name":"setosa"' in output


def test_a_bundle_alone_is_served(tmp_path: Path) -> None:
    """Without a project a bundle is served, with a store of its own here."""
    write_iris_bundle(tmp_path / "bundle", project="flowers", number=7)
    with Server("--bundle", tmp_path / "bundle", "--workers", "1", cwd=tmp_path) as server:
        answer = server.client.post("/predict", json={"features": SETOSA}).json()
        assert answer["model_version"] == 7
    with stored(tmp_path / ".modelwright") as store:
        assert store.predictions.get("flowers", answer["prediction_id"]) is not None


def test_stopping_delivers_what_is_left_and_says_ok(project: Path, tmp_path: Path) -> None:
    """SIGTERM ends with status 0, and the journals are empty."""
    work_dir = tmp_path / ".modelwright"
    (tmp_path / "project.yaml").write_text(PROJECT)
    release(work_dir, 1, write_iris_bundle(work_dir / "bundles" / "v1"))
    with Server("--workers", "1", cwd=tmp_path) as server:
        ids = [
            server.client.post("/predict", json={"features": SETOSA}).json()["prediction_id"]
            for _ in range(50)
        ]
        assert server.stop() == 0
    with stored(work_dir) as store:
        assert set(store.predictions.get_many("iris", ids)) == set(ids)
    assert not [path for path in (work_dir / "journal").iterdir() if path.is_dir()]
    assert not list((work_dir / "run").iterdir())


@pytest.mark.parametrize(
    ("make", "code", "words"),
    [
        (lambda folder: None, 3, "no released version"),
        (
            lambda folder: (folder / ".modelwright" / "bundles" / "v1" / "model.onnx").write_bytes(b"x"),
            6,
            "checksum",
        ),
    ],
    ids=["nothing released", "damaged bundle"],
)
def test_what_cannot_be_served_is_told_with_its_exit_code(
    tmp_path: Path, make: Any, code: int, words: str
) -> None:
    """A server that cannot start ends with the reason, the remedy and the right status."""
    (tmp_path / "project.yaml").write_text(PROJECT)
    work_dir = tmp_path / ".modelwright"
    if code == 6:
        release(work_dir, 1, write_iris_bundle(work_dir / "bundles" / "v1"))
    make(tmp_path)
    status, told = run_serve(tmp_path)
    assert status == code
    assert words in told
    assert "Traceback" not in told


def test_a_port_in_use_is_told(server: Server, project: Path) -> None:
    """A second server on the same port is refused before anything starts."""
    status, told = run_serve(project, "--port", server.url.rsplit(":", 1)[1])
    assert status == 7
    assert "Cannot listen" in told


def test_a_request_sent_again_under_its_id_gets_the_same_answer_and_one_row(
    server: Server, project: Path
) -> None:
    """The same id and input give the same bytes, from any worker, before and after delivery; one row."""
    id = f"order-{uuid.uuid4()}"
    body = {"features": SETOSA, "id": id}
    first = server.client.post("/predict", json=body)
    again = []
    for _ in range(6):
        with httpx.Client(base_url=server.url) as client:
            again.append(client.post("/predict", json=body).content)
    assert set(again) == {first.content}
    with stored(project / ".modelwright") as store:
        eventually(lambda: store.predictions.get("iris", id))
        rows = store.predictions.count("iris")
        with httpx.Client(base_url=server.url) as client:
            assert client.post("/predict", json=body).content == first.content
            assert client.post("/predict", json={"features": NAMED_SETOSA, "id": id}).content == first.content
            other = client.post("/predict", json={"features": [5.0, 3.5, 1.4, 0.2], "id": id})
        assert other.status_code == 409
        time.sleep(0.5)
        assert store.predictions.count("iris") == rows


def test_equal_requests_at_the_same_time_get_one_answer(server: Server) -> None:
    """Twenty equal requests under one id, on twenty connections at once, get one answer."""
    body = {"instances": [SETOSA, SETOSA], "id": f"race-{uuid.uuid4()}"}
    with ThreadPoolExecutor(20) as pool:
        replies = list(pool.map(lambda _: httpx.post(f"{server.url}/predict", json=body).content, range(20)))
    assert len(set(replies)) == 1
    assert [each["prediction_id"] for each in json.loads(replies[0])["predictions"]] == [
        f"{body['id']}.0",
        f"{body['id']}.1",
    ]


def test_a_refusal_sent_again_under_its_id_is_the_same_refusal(server: Server, project: Path) -> None:
    """Refusals are idempotent too."""
    body = {"features": ["a", 1, 1, 1], "id": f"bad-{uuid.uuid4()}"}
    first = server.client.post("/predict", json=body)
    assert first.status_code == 400
    with stored(project / ".modelwright") as store:
        eventually(lambda: store.predictions.get("iris", body["id"]))
    again = server.client.post("/predict", json=body)
    assert (again.status_code, again.json()) == (400, first.json())
    assert server.client.post("/predict", json={**body, "features": SETOSA}).status_code == 409
