"""The application: a table of routes, with who may use them. What they do is in ``routes``; no logic here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from time import perf_counter

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Route

from modelwright.errors import ModelwrightError
from modelwright.serve.auth.principal import ADMIN, FEEDBACK, READ, RETRAIN
from modelwright.serve.errors import ServeError
from modelwright.serve.later import Later
from modelwright.serve.routes.docs import Docs
from modelwright.serve.routes.health import Health
from modelwright.serve.routes.log import Log
from modelwright.serve.routes.metrics import Metrics
from modelwright.serve.routes.predictions import invocations, predictor
from modelwright.serve.routes.protocols import Protocols
from modelwright.serve.routes.replies import error_response, json_response
from modelwright.serve.routes.retraining import Retraining
from modelwright.serve.routes.thresholds import Thresholds
from modelwright.serve.routes.training import Training
from modelwright.serve.site import Site
from modelwright.serve.wires import PREDICT, SAGEMAKER, V2

Handler = Callable[[Request], Awaitable[Response]]
Line = tuple[str, str, Handler, str]
"""Method, path, handler, and the scope it needs; "" lets everybody in."""

_ANYBODY = ""


def build_app(site: Site) -> Starlette:
    """The ASGI application over ``site``."""
    lines = (*_about(site), *_records(site), *_protocols(site))
    origins = site.settings.origins
    cors = Middleware(
        CORSMiddleware,
        allow_origins=origins,
        allow_methods=["GET", "POST"],
        allow_headers=["authorization", "content-type", "x-api-key", "x-request-id"],
    )
    app = Starlette(
        routes=[
            *(_route(site, line) for line in lines),
            *_predictions(site),
            Later("/dashboard", lambda: _dashboard(site)),
        ],
        middleware=[cors] if origins else [],
        exception_handlers={
            ModelwrightError: _told,
            HTTPException: _no_route(site),
            ClientDisconnect: _gone,
            Exception: _unexpected,
        },
    )
    # A redirect would name the host that the client's own header claims.
    app.router.redirect_slashes = False
    return app


def _dashboard(site: Site) -> Sequence[BaseRoute]:
    # Imported here: pages bring the project file's reader and pydantic, a sixth of a worker's memory.
    from modelwright.serve.dashboard.house import ServedHouse
    from modelwright.serve.dashboard.routes import dashboard_routes

    return dashboard_routes(ServedHouse(site))


def _about(site: Site) -> Iterable[Line]:
    """What it is, and how it is."""
    health, docs, metrics = Health(site), Docs(site), Metrics(site)
    return (
        ("GET", "/", docs.listing, READ),
        ("GET", "/docs", docs.page, _ANYBODY),
        *(("GET", f"/{name}", docs.asset, _ANYBODY) for name in ("docs.js", "docs.css", "form.js")),
        ("GET", "/openapi.json", docs.openapi, READ),
        ("GET", "/health", health.health, _ANYBODY),
        ("GET", "/health/live", health.live, _ANYBODY),
        ("GET", "/health/ready", health.ready, _ANYBODY),
        ("GET", "/metrics", metrics.metrics, READ),
        ("GET", "/prometheus_metrics", metrics.prometheus, READ),
    )


def _records(site: Site) -> Iterable[Line]:
    """What was answered, and what comes back."""
    log, training = Log(site), Training(site)
    retraining, thresholds = Retraining(site), Thresholds(site)
    return (
        ("GET", "/predictions/history", log.history, READ),
        ("GET", "/predictions/{id}", log.prediction, READ),
        ("GET", "/versions", log.versions, READ),
        ("POST", "/feedback", training.feedback, FEEDBACK),
        ("POST", "/add_training_data", training.add_training_data, FEEDBACK),
        ("POST", "/trigger_retrain", retraining.trigger, RETRAIN),
        ("POST", "/webhooks/alertmanager", retraining.alertmanager, RETRAIN),
        ("GET", "/thresholds", thresholds.listing, READ),
        ("POST", "/thresholds", thresholds.change, ADMIN),
    )


def _protocols(site: Site) -> Iterable[Line]:
    """What clients of other servers ask beside predictions."""
    protocols = Protocols(site)
    return (
        ("GET", "/ping", protocols.ping, _ANYBODY),
        ("GET", "/version", protocols.version, _ANYBODY),
        ("GET", "/v2", protocols.server, _ANYBODY),
        ("GET", "/v2/health/live", protocols.live, _ANYBODY),
        ("GET", "/v2/health/ready", protocols.ready, _ANYBODY),
        ("POST", "/v2/repository/index", protocols.index, READ),
        ("GET", "/v2/models/{name}", protocols.model, READ),
        ("GET", "/v2/models/{name}/ready", protocols.model_ready, _ANYBODY),
        ("GET", "/v2/models/{name}/versions/{version}", protocols.model, READ),
        ("GET", "/v2/models/{name}/versions/{version}/ready", protocols.model_ready, _ANYBODY),
    )


def _predictions(site: Site) -> Iterable[Route]:
    """The hot routes, for what the fast lane does not take; they count and word errors themselves."""
    return (
        Route("/predict", predictor(site, PREDICT), methods=["POST"]),
        Route("/models/{name}/predict", predictor(site, PREDICT), methods=["POST"]),
        Route("/invocations", invocations(site), methods=["POST"]),
        Route("/v2/models/{name}/infer", predictor(site, V2), methods=["POST"]),
        Route("/v2/models/{name}/versions/{version}/infer", predictor(site, V2), methods=["POST"]),
        Route("/endpoints/{name}/invocations", predictor(site, SAGEMAKER), methods=["POST"]),
    )


def _route(site: Site, line: Line) -> Route:
    """A line of the table, its requests let in and counted."""
    method, path, handler, scope = line

    async def handle(request: Request) -> Response:
        began = perf_counter()
        status = 500
        try:
            if scope:
                principal = await site.gate.admit(request.headers, scope)
                request.state.client = principal.name or (request.client.host if request.client else "")
            response = await handler(request)
            status = response.status_code
            return response
        except ServeError as error:
            status = error.status
            raise
        finally:
            site.meter.request(path, status, perf_counter() - began)

    return Route(path, handle, methods=[method])


async def _told(_request: Request, error: Exception) -> Response:
    assert isinstance(error, ModelwrightError)  # noqa: S101 - registered for it only
    return error_response(error)


def _no_route(site: Site) -> Callable[[Request, Exception], Awaitable[Response]]:
    """Words for what no route takes, counted under one name: a path of a client's choice is no label."""

    async def told(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101 - registered for it only
        words = {
            404: f"There is no route {request.url.path[:200]!r}; GET / lists what there is.",
            405: f"{request.method[:20]} is not for {request.url.path[:200]!r}.",
        }
        site.meter.unrouted(error.status_code)
        message = words.get(error.status_code, str(error.detail))
        headers = error.headers if error.status_code != 405 else {"allow": ", ".join(_methods(request))}
        return json_response({"error": message}, status=error.status_code, headers=headers)

    return told


def _methods(request: Request) -> list[str]:
    """The methods of every route that takes this path; the router itself names the first route's only."""
    found: set[str] = set()
    for route in (*request.app.routes, *_pages(request)):
        if isinstance(route, Route) and route.matches(request.scope)[0] is not Match.NONE:
            found |= route.methods or set()
    return sorted(found)


def _pages(request: Request) -> Iterable[BaseRoute]:
    return (inner for route in request.app.routes if isinstance(route, Later) for inner in route.routes)


async def _gone(_request: Request, _error: Exception) -> Response:
    return Response(status_code=400)  # nobody reads it


async def _unexpected(_request: Request, _error: Exception) -> Response:
    return json_response({"error": "The server failed on this request; its log says more."}, status=500)
