"""The application: a table of routes. What they do is in ``routes``; no logic here."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from modelwright.errors import ModelwrightError
from modelwright.serve.routes.docs import Docs
from modelwright.serve.routes.health import Health
from modelwright.serve.routes.predictions import invocations, predictor
from modelwright.serve.routes.replies import error_response, json_response
from modelwright.serve.site import Site
from modelwright.serve.wires import PREDICT, SAGEMAKER, V2


def build_app(site: Site) -> Starlette:
    """The ASGI application over ``site``."""
    health, docs = Health(site), Docs(site)
    predict, infer, runtime = (predictor(site, wire) for wire in (PREDICT, V2, SAGEMAKER))
    routes = [
        Route("/", docs.listing),
        Route("/docs", docs.page),
        Route("/docs.js", docs.script),
        Route("/openapi.json", docs.openapi),
        Route("/health", health.health),
        Route("/health/live", health.live),
        Route("/health/ready", health.ready),
        Route("/predict", predict, methods=["POST"]),
        Route("/models/{name}/predict", predict, methods=["POST"]),
        Route("/invocations", invocations(site), methods=["POST"]),
        Route("/v2/models/{name}/infer", infer, methods=["POST"]),
        Route("/endpoints/{name}/invocations", runtime, methods=["POST"]),
    ]
    return Starlette(
        routes=routes,
        exception_handlers={ModelwrightError: _told, HTTPException: _no_route, Exception: _unexpected},
    )


async def _told(_request: Request, error: Exception) -> Response:
    assert isinstance(error, ModelwrightError)  # noqa: S101 - registered for it only
    return error_response(error)


async def _no_route(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for it only
    words = {
        404: f"There is no route {request.url.path[:200]!r}; GET / lists what there is.",
        405: f"{request.method[:20]} is not for {request.url.path[:200]!r}.",
    }
    message = words.get(error.status_code, str(error.detail))
    return json_response({"error": message}, status=error.status_code, headers=error.headers)


async def _unexpected(_request: Request, _error: Exception) -> Response:
    return json_response({"error": "The server failed on this request; its log says more."}, status=500)
