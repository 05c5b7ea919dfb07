"""What a person or a program reads first: the listing, the OpenAPI document and its page."""

from __future__ import annotations

from importlib.resources import files

from starlette.requests import Request
from starlette.responses import Response

from modelwright import __version__
from modelwright.serve.openapi import Served, document
from modelwright.serve.routes.replies import json_response
from modelwright.serve.site import Site

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
_ASSETS = {
    "docs.html": "text/html",
    "docs.js": "text/javascript",
    "docs.css": "text/css",
    "form.js": "text/javascript",
}
_LISTED = {
    "GET /": "this listing",
    "GET /dashboard": "pages that show all of it, and what may be changed",
    "GET /docs": "interactive documentation",
    "GET /openapi.json": "the OpenAPI document",
    "GET /health": "health in one look",
    "GET /health/live": "the process answers",
    "GET /health/ready": "it may be sent requests",
    "GET /metrics": "counts since the start; in Prometheus's words where Accept asks for them",
    "GET /prometheus_metrics": "the same in Prometheus's words",
    "GET /predictions/history": "the prediction log, newest first",
    "GET /predictions/{id}": "one prediction and its lineage",
    "GET /versions": "registered versions",
    "GET /thresholds": "thresholds of alarms and retraining, with where each was set",
    "POST /thresholds": "set them",
    "POST /feedback": "tell the truth of a prediction",
    "POST /add_training_data": "give labelled rows for training",
    "POST /trigger_retrain": "ask for a retraining",
    "POST /webhooks/alertmanager": "Alertmanager's webhook: ask for a retraining",
    "POST /predict": "predict one row or several",
    "POST /models/{name}/predict": "the same for one of several models",
    "POST /invocations": "MLflow scoring, SageMaker container",
    "GET /ping": "MLflow, SageMaker: it may be sent requests",
    "GET /version": "MLflow's version",
    "GET /v2": "Open Inference Protocol V2: the server",
    "GET /v2/health/live": "the process answers",
    "GET /v2/health/ready": "it may be sent requests",
    "POST /v2/repository/index": "the models there are",
    "GET /v2/models/{name}": "a model's inputs and outputs",
    "GET /v2/models/{name}/ready": "it may be asked",
    "POST /v2/models/{name}/infer": "predict; all three also with /versions/{version}",
    "POST /endpoints/{name}/invocations": "SageMaker runtime",
}


class Docs:
    """Handlers."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def listing(self, _request: Request) -> Response:
        """The endpoints there are, and the models served."""
        models = {
            name: {"version": each.version, "task": each.bundle.manifest.task.value}
            for name, each in self._site.engine.deployments.items()
        }
        return json_response(
            {"service": "modelwright", "version": __version__, "models": models, "endpoints": _LISTED}
        )

    async def openapi(self, request: Request) -> Response:
        """The OpenAPI document of what is live."""
        served = [
            Served(
                name=name,
                version=each.version,
                inputs=each.inputs,
                looks_up=each.bundle.rows.joiner is not None,
                models=each.bundle.manifest.models,
                example=each.bundle.example.get("request") if isinstance(each.bundle.example, dict) else None,
            )
            for name, each in self._site.engine.deployments.items()
        ]
        paths = {getattr(route, "path", "") for route in request.app.routes}
        return json_response(document(served, paths=paths, auth=self._site.gate.on))

    async def page(self, _request: Request) -> Response:
        """The page that shows it."""
        return _asset("docs.html")

    async def asset(self, request: Request) -> Response:
        """A part of the page."""
        return _asset(request.url.path.rpartition("/")[2])


def _asset(name: str) -> Response:
    body = (files("modelwright.serve") / "page" / name).read_bytes()
    headers = {"content-security-policy": _POLICY, "x-content-type-options": "nosniff"}
    return Response(body, media_type=_ASSETS[name], headers=headers)
