"""What a person or a program reads first: the listing, the OpenAPI document and its page."""

from __future__ import annotations

from importlib.resources import files

from starlette.requests import Request
from starlette.responses import Response

from modelwright import __version__
from modelwright.serve.openapi import document
from modelwright.serve.routes.replies import json_response
from modelwright.serve.site import Site

_POLICY = "default-src 'self'; style-src 'self' 'unsafe-inline'; frame-ancestors 'none'"
_LISTED = {
    "GET /": "this listing",
    "GET /docs": "interactive documentation",
    "GET /openapi.json": "the OpenAPI document",
    "GET /health": "health in one look",
    "GET /health/live": "the process answers",
    "GET /health/ready": "it may be sent requests",
    "POST /predict": "predict one row or several",
    "POST /models/{name}/predict": "the same for one of several models",
    "POST /invocations": "MLflow scoring, SageMaker container",
    "POST /v2/models/{name}/infer": "Open Inference Protocol V2",
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

    async def openapi(self, _request: Request) -> Response:
        """The OpenAPI document of what is live."""
        return json_response(document(self._site.engine.deployments))

    async def page(self, _request: Request) -> Response:
        """The page that shows it."""
        return Response(
            _packaged("docs.html"), media_type="text/html", headers={"content-security-policy": _POLICY}
        )

    async def script(self, _request: Request) -> Response:
        """The page's script."""
        return Response(_packaged("docs.js"), media_type="text/javascript")


def _packaged(name: str) -> bytes:
    return (files("modelwright.serve") / "page" / name).read_bytes()
