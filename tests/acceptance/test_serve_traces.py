"""Traces: a span for each request, received by an OTLP collector of the tests' own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from modelwright.errors import MissingExtra
from modelwright.serve.tracing import TracesMisconfigured, traces_wanted
from serving import SETOSA, SOURCE, Server, eventually, iris_project, run_serve

pytest.importorskip("opentelemetry.exporter.otlp.proto.http", reason="the extra 'otel' sends traces")
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

BODY = {"features": SETOSA}
TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


class Collector:
    """What came, and how it behaves.

    Attributes:
        spans: Each span received, by name.
        resource: What was said of the sender.
        status: What it answers.
        hold: Where set, it answers only then.
    """

    def __init__(self) -> None:
        self.spans: list[Any] = []
        self.resource: dict[str, str] = {}
        self.headers: dict[str, str] = {}
        self.status = 200
        self.hold: Event | None = None
        self.url = ""

    def take(self, path: str, headers: dict[str, str], body: bytes) -> int:
        if self.hold is not None:
            self.hold.wait(30)
        assert path == "/v1/traces"
        self.headers = headers
        for sent in ExportTraceServiceRequest.FromString(body).resource_spans:
            self.resource = {each.key: each.value.string_value for each in sent.resource.attributes}
            self.spans += [span for scope in sent.scope_spans for span in scope.spans]
        return self.status

    def named(self, name: str) -> list[dict[str, Any]]:
        """The attributes of the spans of a name."""
        return [_attributes(span) for span in list(self.spans) if span.name == name]


def _attributes(span: Any) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in span.attributes}


@contextmanager
def collecting() -> Iterator[Collector]:
    """A collector on 127.0.0.1."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            self.send_response(collector.take(self.path, dict(self.headers), body))
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    collector.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield collector
    finally:
        if collector.hold is not None:
            collector.hold.set()
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with one released version."""
    return iris_project(tmp_path_factory.mktemp("iris"))


def environ(collector: Collector, **more: str) -> dict[str, str]:
    """What a person sets, with short waits."""
    return {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "100", **more}


def test_every_request_has_its_span(project: Path) -> None:
    """The fast lane, the longer way, a refusal, other routes: under the caller's trace, in standard words."""
    with collecting() as collector:
        told = environ(collector, OTEL_SERVICE_NAME="shop", OTEL_EXPORTER_OTLP_HEADERS="x-tenant=blue")
        with Server("--workers", "1", "--traces", cwd=project, env=told) as server:
            header = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
            quick = server.client.post("/predict", json=BODY, headers=header).json()
            named = server.client.post("/models/iris/predict", json=BODY).json()
            longer = server.client.post("/predict", json={"instances": [SETOSA, SETOSA]}, headers={"a": "b"})
            origin = {"origin": server.url, **header}
            slow = server.client.post("/predict", json=BODY, headers=origin).json()
            server.client.post("/predict", json={"features": ["x"]})
            server.client.get(f"/predictions/{quick['prediction_id']}")
            server.client.get("/nowhere")
            eventually(lambda: len(collector.spans) >= 7)
        assert collector.resource["service.name"] == "shop"
        assert collector.resource["service.version"]
        assert collector.headers["x-tenant"] == "blue"
        predictions = {
            each.get("modelwright.prediction.id"): each for each in collector.named("POST /predict")
        }
        for reply in (quick, slow):
            found = predictions[reply["prediction_id"]]
            assert found["http.response.status_code"] == 200
            assert found["http.route"] == found["url.path"] == "/predict"
            assert found["modelwright.model.name"] == "iris"
            assert found["modelwright.model.version"] == reply["model_version"]
            assert found["client.address"] == "127.0.0.1"
            assert found["modelwright.protocol"] == "predict"
        assert predictions[longer.json()["predictions"][0]["prediction_id"]]["modelwright.rows"] == 2
        assert 400 in {each["http.response.status_code"] for each in predictions.values()}
        (by_name,) = collector.named("POST /models/{name}/predict")
        assert by_name["modelwright.prediction.id"] == named["prediction_id"]
        assert by_name["url.path"] == "/models/iris/predict"
        (lineage,) = collector.named("GET /predictions/{id}")
        assert lineage["http.request.method"] == "GET"
        (unknown,) = collector.named("GET")
        assert unknown["http.response.status_code"] == 404
        traced = [span for span in collector.spans if span.trace_id.hex() == TRACE]
        assert len(traced) == 2
        assert {span.parent_span_id.hex() for span in traced} == {PARENT}
        assert all(0 < span.end_time_unix_nano - span.start_time_unix_nano < 10e9 for span in collector.spans)


@pytest.mark.slow
@pytest.mark.parametrize("trouble", ["away", "silent", "failing"])
def test_a_collector_in_trouble_costs_no_request(project: Path, trouble: str) -> None:
    """Requests are answered at once, and the server ends in time, whatever becomes of the spans."""
    with collecting() as collector:
        told = environ(collector, OTEL_BSP_MAX_QUEUE_SIZE="64", OTEL_BSP_MAX_EXPORT_BATCH_SIZE="32")
        if trouble == "away":
            told["OTEL_EXPORTER_OTLP_ENDPOINT"] = "http://127.0.0.1:9"
        elif trouble == "silent":
            collector.hold = Event()
        else:
            collector.status = 503
        with Server("--workers", "1", "--traces", cwd=project, env=told) as server:
            begun = time.monotonic()
            statuses = {server.client.post("/predict", json=BODY).status_code for _ in range(300)}
            assert statuses == {200}
            assert time.monotonic() - begun < 60  # one that waited for its spans would take ten seconds alone
            asked_to_stop = time.monotonic()
            assert server.stop() == 0
            assert time.monotonic() - asked_to_stop < 20


@pytest.mark.parametrize(
    "switch",
    [
        {},
        {"MODELWRIGHT_TRACES": "0"},
        {"MODELWRIGHT_TRACES": "1", "OTEL_SDK_DISABLED": "true"},
        {"MODELWRIGHT_TRACES": "1", "OTEL_TRACES_EXPORTER": "none"},
    ],
)
def test_off_is_off(switch: dict[str, str]) -> None:
    """Nothing is traced unless it was asked for, and OpenTelemetry's own switches hold."""
    assert not traces_wanted(switch)


def test_off_loads_nothing() -> None:
    """What a worker loads does not have OpenTelemetry in it."""
    look = "import modelwright.serve.worker, sys; print([name for name in sys.modules if 'opentel' in name])"
    ended = subprocess.run(
        [sys.executable, "-c", look],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
    )
    assert ended.stdout.strip() == "[]"


def test_what_cannot_be_traced_is_told_before_serving(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another exporter or protocol, a word that is none, and an extra that is missing, with what to do."""
    with pytest.raises(TracesMisconfigured, match="OTEL_TRACES_EXPORTER"):
        traces_wanted({"OTEL_TRACES_EXPORTER": "zipkin"}, asked=True)
    with pytest.raises(TracesMisconfigured, match="http/protobuf"):
        traces_wanted({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, asked=True)
    monkeypatch.setenv("MODELWRIGHT_TRACES", "perhaps")
    status, told = run_serve(project)
    assert (status, "neither on nor off" in told) == (3, True)
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http", None)
    with pytest.raises(MissingExtra, match=r"pip install 'modelwright\[otel\]'"):
        traces_wanted({}, asked=True)
