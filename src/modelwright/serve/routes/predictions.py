"""The prediction routes on the longer way: whatever the fast lane did not take, by the same engine."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from time import perf_counter

from starlette.requests import Request
from starlette.responses import Response

from modelwright.serve.asks import Ask, Wire
from modelwright.serve.auth.principal import PREDICT
from modelwright.serve.errors import ServeError
from modelwright.serve.protocols.call import Reply
from modelwright.serve.routes.replies import read_body
from modelwright.serve.site import Site
from modelwright.serve.tracing import ASK
from modelwright.serve.wires import MLFLOW, SAGEMAKER

_ASIDE = 64 << 10  # bodies above go to a thread
_AMAZON = "x-amzn-sagemaker-"

Handler = Callable[[Request], Awaitable[Response]]


def predictor(site: Site, wire: Wire) -> Handler:
    """The handler that answers by ``wire``; the deployment is the path's ``name``, if it has one."""

    async def handle(request: Request) -> Response:
        received = perf_counter()
        try:
            principal = await site.gate.admit(request.headers, PREDICT)
            body = await read_body(request, site.settings.limits.body_bytes)
        except ServeError as error:
            refused = Ask(wire, b"", lambda _: None)
            reply = wire.refusal(refused, error)
            site.meter.request(wire.name, reply.status, perf_counter() - received)
            return _response(reply)
        return await ask(site, request, wire, body, client=principal.name, received=received)

    return handle


def invocations(site: Site) -> Handler:
    """The handler of ``/invocations``: MLflow's clients, and SageMaker's where its headers say so."""
    handle_mlflow, handle_sagemaker = predictor(site, MLFLOW), predictor(site, SAGEMAKER)

    async def handle(request: Request) -> Response:
        amazon = site.settings.sagemaker or any(name.startswith(_AMAZON) for name in request.headers)
        amazon = amazon or request.headers.get("content-type", "").startswith("application/x-np")
        return await (handle_sagemaker if amazon else handle_mlflow)(request)

    return handle


async def ask(
    site: Site, request: Request, wire: Wire, body: bytes, *, client: str, received: float
) -> Response:
    """Answer ``body`` by ``wire``."""
    future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()

    def done(answered: Ask) -> None:
        if answered.reply is not None and not future.done():
            future.set_result(answered.reply)

    asked = Ask(wire, body, done, client or (request.client.host if request.client else ""))
    asked.name = request.path_params.get("name", "")
    asked.wanted = request.path_params.get("version", "")
    asked.headers = dict(request.headers)
    asked.received = received
    request.scope[ASK] = asked
    if len(body) > _ASIDE:
        await site.engine.answer_aside(asked)
    else:
        site.engine.submit(asked)
    return _response(await future)


def _response(reply: Reply) -> Response:
    headers = {**reply.headers, "content-type": reply.content_type}
    return Response(reply.body, status_code=reply.status, headers=headers)
