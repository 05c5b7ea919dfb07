"""The routes beside predictions: metrics, log, truths, samples, jobs, versions; over two workers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families

from modelwright.store.records import JobState
from serving import IRIS, NAMED_SETOSA, PROJECT, SETOSA, Server, iris_project, stored

VIRGINICA = [6.3, 3.3, 6.0, 2.5]
RETRAINED = f"{PROJECT}retrain: {{new_samples: 10}}\n"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with one released version."""
    return iris_project(tmp_path_factory.mktemp("iris"), file=RETRAINED)


@pytest.fixture(scope="module")
def server(project: Path) -> Iterator[Server]:
    """It, served by two workers."""
    with Server("--workers", "2", cwd=project) as running:
        yield running


def fresh(server: Server) -> httpx.Client:
    """A client of a new connection, which may meet either worker."""
    return httpx.Client(base_url=server.url)


def test_metrics_count_over_all_workers(server: Server) -> None:
    """Whichever worker is asked, the counts are those of all, at once."""
    before = server.client.get("/metrics").json()
    for _ in range(20):
        with fresh(server) as client:
            assert client.post("/predict", json={"features": VIRGINICA}).status_code == 200
    assert server.client.post("/predict", json={"features": [1]}).status_code == 400
    for _ in range(4):
        with fresh(server) as client:
            after = client.get("/metrics").json()
            assert after["request_count"] == before["request_count"] + 21
            assert after["total_predictions"] == before["total_predictions"] + 20
            seen = before["prediction_distribution"].get("virginica", 0)
            assert after["prediction_distribution"]["virginica"] == seen + 20
    assert after["average_latency"] > 0
    assert after["retrain_threshold"] == 10
    assert after["model_info"]["feature_names"] == list(IRIS)
    assert after["model_info"]["target_names"] == ["setosa", "versicolor", "virginica"]
    assert after["model_info"]["model_loaded"] is True
    assert {"timestamp", "new_samples_pending"} <= set(after)


def test_prometheus_can_read_it_and_a_scraper_gets_it_from_metrics_too(server: Server) -> None:
    """The text parses in both formats, and says what was counted by route, protocol and status."""
    server.client.post("/predict", json={"features": SETOSA})
    text = server.client.get("/prometheus_metrics")
    assert text.headers["content-type"].startswith("text/plain")
    families = {family.name: family for family in text_string_to_metric_families(text.text)}
    samples = families["modelwright_requests"].samples
    labels = {"route": "/predict", "protocol": "predict", "status": "200"}
    assert any(sample.labels == labels and sample.value > 0 for sample in samples)
    assert families["modelwright_request_duration_seconds"].type == "histogram"
    assert any(s.labels["answer"] == "setosa" for s in families["modelwright_predictions"].samples)
    roles = {(s.labels["role"], s.labels["slot"]) for s in families["modelwright_process_open_fds"].samples}
    assert roles == {("worker", "0"), ("worker", "1"), ("keeper", "0")}
    accept = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1"
    scraped = server.client.get("/metrics", headers={"accept": accept})
    assert scraped.headers["content-type"].startswith("application/openmetrics-text")
    assert list(parse_openmetrics(scraped.text))


def test_history_pages_and_filters(server: Server) -> None:
    """History is newest first, pages by id without gap or overlap, and filters."""
    ids = [
        server.client.post("/predict", json={"features": SETOSA}).json()["prediction_id"] for _ in range(5)
    ]
    assert server.client.get(f"/predictions/{ids[-1]}").status_code == 200
    page = server.client.get("/predictions/history", params={"limit": 3}).json()
    assert [each["prediction_id"] for each in page["predictions"]] == ids[:1:-1]
    rest = server.client.get(
        "/predictions/history", params={"limit": 2, "before": page["next_before"]}
    ).json()
    assert [each["prediction_id"] for each in rest["predictions"]] == ids[1::-1]
    assert server.client.get("/predictions/history", params={"version": 2}).json()["count"] == 0
    assert server.client.get("/predictions/history", params={"until": "2020-01-01"}).json()["count"] == 0
    for wrong in ({"limit": "0"}, {"limit": "x"}, {"since": "soon"}, {"labelled": "maybe"}):
        reply = server.client.get("/predictions/history", params=wrong)
        assert reply.status_code == 400
        assert reply.json()["details"][0]["loc"][0] == "query"
    assert server.client.get("/predictions/history", params={"before": "nobody"}).status_code == 404


def test_a_prediction_knows_where_it_came_from(server: Server) -> None:
    """A prediction's lineage names version, decision, run, data and release."""
    id = server.client.post("/predict", json={"features": SETOSA}).json()["prediction_id"]
    found = server.client.get(f"/predictions/{id}").json()
    assert found["inputs"] == NAMED_SETOSA
    version = found["lineage"]["version"]
    assert version["version"] == found["model_version"] == 1
    assert version["decision"]["reasons"]
    assert {"run_id", "dataset_md5", "git_commit", "environment"} <= set(version)
    assert found["lineage"]["release"]["reason"] == "a test"
    assert server.client.get("/predictions/no-such-id").status_code == 404


def test_a_truth_is_stored_for_its_prediction(server: Server) -> None:
    """Feedback by label or by name is stored as the target column holds it; the newest counts."""
    id = server.client.post("/predict", json={"features": SETOSA}).json()["prediction_id"]
    waited = server.client.get("/metrics").json()["new_samples_pending"]
    reply = server.client.post("/feedback", json={"prediction_id": id, "target": "setosa"})
    assert reply.status_code == 201
    counted = server.client.get("/metrics").json()["new_samples_pending"]
    assert counted == waited + 1, "a labelled prediction waits for a retraining as a sample does"
    assert reply.json()["target"] == 0
    server.client.post("/feedback", json={"feedback": [{"prediction_id": id, "label": 1}]})
    found = server.client.get(f"/predictions/{id}").json()
    assert found["label"] == 1
    assert [label["target"] for label in found["labels"]] == [0, 1]
    labelled = server.client.get("/predictions/history", params={"labelled": "true"}).json()
    assert id in {each["prediction_id"] for each in labelled["predictions"]}
    wrong = server.client.post("/feedback", json={"prediction_id": id, "target": "rose"})
    assert wrong.status_code == 400
    (problem,) = wrong.json()["details"]
    assert (problem["type"], problem["input"]) == ("label_unknown", "rose")
    assert problem["msg"] == "Must be one of the labels 0 (setosa), 1 (versicolor), 2 (virginica)."
    assert server.client.post("/feedback", json={"prediction_id": id, "target": True}).status_code == 400
    orphan = server.client.post("/feedback", json={"prediction_id": "nobody", "target": 0})
    assert (orphan.status_code, orphan.json()["outcome"]) == (202, "orphan")
    assert server.client.post("/feedback", json={"target": 0}).status_code == 400


def test_the_listing_names_every_route(server: Server) -> None:
    """What GET / lists is what there is, but for the parts of pages and what versions repeat."""
    listed = set(server.client.get("/").json()["endpoints"])
    document = server.client.get("/openapi.json").json()["paths"]
    described = {
        f"{method.upper()} {path.replace('/models/iris', '/models/{name}')}"
        for path, operations in document.items()
        for method in operations
        if method != "parameters"
    }
    assert described <= listed
    assert listed - described == {"GET /dashboard", "GET /docs", "GET /openapi.json"}


def test_a_mis_spelt_filter_is_refused(server: Server) -> None:
    """A parameter that would do nothing is told, with those there are."""
    for path in ("/predictions/history?labeled=true", "/versions?limt=3"):
        refused = server.client.get(path)
        assert refused.status_code == 400
        assert refused.json()["details"][0]["loc"][0] == "query"
        assert "limit" in refused.json()["details"][0]["msg"]


def test_a_row_that_is_refused_is_shown_as_it_came(server: Server) -> None:
    """The input of an error is JSON as it was sent, not a description of it."""
    (problem,) = server.client.post("/predict", json={"features": [5.1, "x", None]}).json()["details"]
    assert problem["input"] == [5.1, "x", None]
    (problem,) = server.client.post("/predict", json={"features": [0] * 400}).json()["details"]
    assert problem["input"] == [*[0] * 20, "and 380 more"]


def test_the_methods_of_a_path_are_told(server: Server) -> None:
    """405 names every method that any route of the path takes."""
    refused = server.client.request("DELETE", "/thresholds")
    assert refused.status_code == 405
    assert refused.headers["allow"] == "GET, HEAD, POST"


def test_the_index_lists_what_is_ready(server: Server) -> None:
    """V2's repository index takes no body or an object, and with ready only what may be asked."""
    for body in (b"", b"{}", b'{"ready": true}'):
        assert server.client.post("/v2/repository/index", content=body).json()[0]["state"] == "READY"
    assert server.client.post("/v2/repository/index", content=b"[]").status_code == 400


def test_truths_in_every_form_and_what_became_of_them(server: Server) -> None:
    """CSV, JSON lines and SageMaker's records are joined by one rule, and counted by outcome."""
    client = server.client
    ids = [client.post("/predict", json={"features": SETOSA}).json()["prediction_id"] for _ in range(3)]
    csv = "prediction_id,target\n" + "".join(f"{id},setosa\n" for id in [*ids, ids[0], "early"])
    reply = client.post("/feedback", content=csv, headers={"content-type": "text/csv"})
    assert reply.status_code == 201 and reply.json()["stored"] == 4
    counts = {name: count for name, count in reply.json()["outcomes"].items() if count}
    assert counts == {"joined": 3, "duplicate": 1, "orphan": 1}
    lines = "".join(
        json.dumps({"groundTruthData": {"data": label, "encoding": "CSV"}, "eventMetadata": {"eventId": id}})
        + "\n"
        for id, label in zip(ids, ("0", "1", "virginica"), strict=True)
    )
    reply = client.post("/feedback", content=lines, headers={"content-type": "application/jsonlines"})
    counts = {name: count for name, count in reply.json()["outcomes"].items() if count}
    assert counts == {"duplicate": 1, "corrected": 2}
    assert client.post("/predict", json={"features": SETOSA, "id": "early"}).status_code == 200
    found = client.get("/predictions/early").json()
    assert found["label"] == 0
    labelled = client.get("/predictions/history", params={"labelled": "true"}).json()
    assert "early" in {each["prediction_id"] for each in labelled["predictions"]}


def test_samples_are_stored_for_training(server: Server, project: Path) -> None:
    """Labelled rows are validated and stored by column name, in each of their shapes."""
    before = server.client.get("/metrics").json()["new_samples_pending"]
    bodies = (
        {"features": SETOSA, "target": 0},
        {"features": NAMED_SETOSA, "target": "setosa"},
        {**NAMED_SETOSA, "target": 0},
        {"samples": [{"features": SETOSA, "target": 0}, {"features": VIRGINICA, "target": 2}]},
    )
    for body in bodies:
        reply = server.client.post("/add_training_data", json=body)
        assert reply.status_code == 201, reply.text
    assert reply.json()["new_samples_pending"] == before + 5
    assert reply.json()["threshold_reached"] is (before + 5 >= reply.json()["retrain_threshold"])
    assert reply.json()["retrain_triggered"] is (reply.json()["job_id"] is not None)
    with stored(project / ".modelwright") as store:
        assert store.samples.take("iris")[-2].features == NAMED_SETOSA
    for wrong in (
        {"features": SETOSA},
        {"features": ["x", 1, 1, 1], "target": 0},
        {"features": [1], "target": 0},
    ):
        assert server.client.post("/add_training_data", json=wrong).status_code == 400


def test_a_wish_to_retrain_becomes_a_job(server: Server, project: Path) -> None:
    """``/trigger_retrain`` writes a job that waits."""
    with stored(project / ".modelwright") as store:
        for waiting in store.jobs.list("iris"):  # samples of the tests before may have asked for one
            if waiting.state is JobState.QUEUED:
                store.jobs.move(waiting.id, JobState.CANCELLED)
    reply = server.client.post("/trigger_retrain", json={"reason": "new season"})
    assert reply.status_code == 202
    with stored(project / ".modelwright") as store:
        job = store.jobs.get(reply.json()["job_id"])
    assert (job.state.value, job.trigger, job.reason) == ("queued", "manual", "new season")
    assert server.client.post("/trigger_retrain").status_code == 202
    assert server.client.post("/trigger_retrain", json={"reason": 3}).status_code == 400


def test_versions_are_listed(server: Server) -> None:
    """The registered versions are told, with what is live."""
    listed = server.client.get("/versions").json()
    assert listed["champion"] == 1
    assert [(each["version"], each["served"]) for each in listed["versions"]] == [(1, True)]
