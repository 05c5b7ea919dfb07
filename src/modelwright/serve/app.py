"""The application: a table of routes. What they do is in ``routes``; no logic here."""

from __future__ import annotations

from time import perf_counter

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from modelwright.errors import ModelwrightError
from modelwright.serve.errors import ServeError
from modelwright.serve.routes.docs import Docs
from modelwright.serve.routes.health import Health
from modelwright.serve.routes.log import Log
from modelwright.serve.routes.metrics import Metrics
from modelwright.serve.routes.predictions import invocations, predictor
from modelwright.serve.routes.replies import error_response, json_response
from modelwright.serve.routes.training import Training
from modelwright.serve.site import Site
from modelwright.serve.wires import PREDICT, SAGEMAKER, V2

_SETTLED = frozenset(
    {
        "/predict",
        "/models/{name}/predict",
        "/invocations",
        "/v2/models/{name}/infer",
        "/endpoints/{name}/invocations",
    }
)


def build_app(site: Site) -> Starlette:
    """The ASGI application over ``site``."""
    health, docs, log, metrics, training = Health(site), Docs(site), Log(site), Metrics(site), Training(site)
    predict, infer, runtime = (predictor(site, wire) for wire in (PREDICT, V2, SAGEMAKER))
    routes = [
        Route("/", docs.listing),
        Route("/docs", docs.page),
        *(Route(f"/{name}", docs.asset) for name in ("docs.js", "docs.css", "form.js")),
        Route("/openapi.json", docs.openapi),
        Route("/health", health.health),
        Route("/health/live", health.live),
        Route("/health/ready", health.ready),
        Route("/metrics", metrics.metrics),
        Route("/prometheus_metrics", metrics.prometheus),
        Route("/predictions/history", log.history),
        Route("/predictions/{id}", log.prediction),
        Route("/versions", log.versions),
        Route("/feedback", training.feedback, methods=["POST"]),
        Route("/add_training_data", training.add_training_data, methods=["POST"]),
        Route("/trigger_retrain", training.trigger_retrain, methods=["POST"]),
        Route("/predict", predict, methods=["POST"]),
        Route("/models/{name}/predict", predict, methods=["POST"]),
        Route("/invocations", invocations(site), methods=["POST"]),
        Route("/v2/models/{name}/infer", infer, methods=["POST"]),
        Route("/endpoints/{name}/invocations", runtime, methods=["POST"]),
    ]
    return Starlette(
        routes=[_counted(site, each) for each in routes],
        exception_handlers={ModelwrightError: _told, HTTPException: _no_route, Exception: _unexpected},
    )


def _counted(site: Site, route: Route) -> Route:
    """``route``, with its requests counted; predictions are counted where they are settled."""
    if route.path in _SETTLED:
        return route
    handler = route.endpoint

    async def handle(request: Request) -> Response:
        began = perf_counter()
        status = 500
        try:
            response: Response = await handler(request)
            status = response.status_code
            return response
        except ServeError as error:
            status = error.status
            raise
        finally:
            site.meter.request(route.path, status, perf_counter() - began)

    return Route(route.path, handle, methods=list(route.methods or ()))


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
