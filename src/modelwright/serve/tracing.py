"""Traces in OpenTelemetry's words: one span a request, in the fast lane and on the longer way.

Off unless asked for, and then imported only. Where spans go and which are kept is OpenTelemetry's own
environment (``OTEL_EXPORTER_OTLP_ENDPOINT``, ``OTEL_TRACES_SAMPLER``, ``OTEL_SERVICE_NAME`` …). A span
that is done is put into a bounded queue, which a thread empties; a collector that is slow or away costs
spans and no request.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from importlib.util import find_spec
from threading import Thread
from time import perf_counter, time_ns
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from modelwright import __version__
from modelwright.errors import ExitCode, MissingExtra, ModelwrightError

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span

    from modelwright.serve.asks import Ask

logger = logging.getLogger(__name__)

TRACES = "MODELWRIGHT_TRACES"
ASK = "modelwright.ask"
"""Where the application leaves the prediction of a request for its span, in the ASGI scope."""

_WORDS = {"": False, "0": False, "false": False, "off": False, "1": True, "true": True, "on": True}
_NEEDED = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")
_LAST_SECONDS = 2.0  # for the spans that wait when the server ends

Scope = MutableMapping[str, Any]
App = Callable[[Scope, Any, Any], Awaitable[None]]


class TracesMisconfigured(ModelwrightError):
    """A setting of traces that cannot be used."""

    code = ExitCode.PROJECT


def traces_wanted(environ: Mapping[str, str], *, asked: bool = False) -> bool:
    """Whether to trace: asked for here or by ``MODELWRIGHT_TRACES``, and not switched off by ``OTEL_*``.

    Raises:
        TracesMisconfigured: A setting cannot be used.
        MissingExtra: What is needed is not installed.
    """
    word = environ.get(TRACES, "").strip().lower()
    if word not in _WORDS:
        raise TracesMisconfigured(f"{TRACES} '{word}' is neither on nor off.", f"Set {TRACES} to 1, or not.")
    exporter = environ.get("OTEL_TRACES_EXPORTER", "otlp").strip().lower() or "otlp"
    if not (asked or _WORDS[word]) or exporter == "none" or _sdk_is_off(environ):
        return False
    if exporter != "otlp":
        raise TracesMisconfigured(
            f"Traces cannot be exported by '{exporter}'.", "Set OTEL_TRACES_EXPORTER to otlp, or not at all."
        )
    for name in ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"):
        protocol = environ.get(name, "").strip()
        if protocol not in ("", "http/protobuf"):
            raise TracesMisconfigured(
                f"Traces cannot be sent by '{protocol}' ({name}).", f"Set {name} to http/protobuf."
            )
    if not all(map(_is_installed, _NEEDED)):
        raise MissingExtra("opentelemetry", "otel")
    return True


def open_tracer() -> Tracer:
    """A tracer as the environment says. Call it once a process, where ``traces_wanted``."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    own = {"service.name": "modelwright", "service.version": __version__}
    told = Resource.create()  # with OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES
    named = {name: value for name, value in own.items() if not _is_told(told.attributes.get(name))}
    provider = TracerProvider(resource=told.merge(Resource(named)))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return Tracer(provider)


class Tracer:
    """Makes spans.

    Args:
        provider: Where they go.
    """

    def __init__(self, provider: TracerProvider) -> None:
        from opentelemetry.context import Context
        from opentelemetry.trace import SpanKind, Status, StatusCode
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        self._provider = provider
        self._tracer = provider.get_tracer("modelwright.serve", __version__)
        self._extract = TraceContextTextMapPropagator().extract
        self._nothing = Context()
        self._server = SpanKind.SERVER
        self._failed = Status(StatusCode.ERROR)

    def answered(self, ask: Ask, path: str, scheme: str) -> None:
        """Record a request of the fast lane that is about to be answered."""
        try:
            now = time_ns()
            route = path.replace(f"/{quote(ask.name)}/", "/{name}/", 1) if ask.name else path
            span = self._begin(
                "POST",
                route,
                {"url.path": path, "url.scheme": scheme, "client.address": ask.client},
                ask.headers,
                now - int((perf_counter() - ask.received) * 1e9),
            )
            self._tell(span, ask)
            self._end(span, ask.reply.status if ask.reply is not None else 500, now)
        # Whatever the SDK raises, the answer is on record and must leave.
        except Exception:
            logger.exception("A span could not be recorded")

    def around(self, app: App) -> App:
        """``app`` with a span for each of its requests."""

        async def traced(scope: Scope, receive: Any, send: Any) -> None:
            span = self._enter(scope) if scope["type"] == "http" else None
            if span is None:
                await app(scope, receive, send)
                return
            status = 500

            async def watch(message: MutableMapping[str, Any]) -> None:
                nonlocal status
                if message["type"] == "http.response.start":
                    status = message["status"]
                await send(message)

            try:
                await app(scope, receive, watch)
            finally:
                self._leave(span, scope, status)

        return traced

    def close(self, seconds: float = _LAST_SECONDS) -> None:
        """Send what waits, for a while: a collector that is away must not keep the server from ending."""
        last = Thread(target=self._provider.shutdown, name="modelwright-traces", daemon=True)
        last.start()
        last.join(seconds)

    def _enter(self, scope: Scope) -> Span | None:
        try:
            headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
            client = scope.get("client")
            told = {
                "url.path": scope["path"],
                "url.scheme": scope.get("scheme", "http"),
                "client.address": client[0] if client else "",
            }
            return self._begin(scope["method"], "", told, headers, time_ns())
        except Exception:  # as above: a request is never refused for its span
            logger.exception("A span could not be begun")
            return None

    def _leave(self, span: Span, scope: Scope, status: int) -> None:
        try:
            route = scope["path"] if "endpoint" in scope else ""
            for name, value in scope.get("path_params", {}).items():
                route = f"/{{{name}}}".join(route.rsplit(f"/{value}", 1))
            if route:
                span.update_name(f"{scope['method']} {route}")
                span.set_attribute("http.route", route)
            if ASK in scope:
                self._tell(span, scope[ASK])
            self._end(span, status, time_ns())
        except Exception:  # as above
            logger.exception("A span could not be ended")

    def _begin(
        self, method: str, route: str, attributes: dict[str, Any], headers: Mapping[str, str], start: int
    ) -> Span:
        told = {"http.request.method": method, "network.protocol.name": "http", **attributes}
        if route:
            told["http.route"] = route
        return self._tracer.start_span(
            f"{method} {route}".strip(),
            context=self._extract(headers, context=self._nothing),
            kind=self._server,
            attributes=told,
            start_time=start,
        )

    def _tell(self, span: Span, ask: Ask) -> None:
        """What is known of a prediction."""
        if not span.is_recording():
            return
        span.set_attribute("modelwright.protocol", ask.wire.name)
        if ask.deployment is not None:
            span.set_attribute("modelwright.model.name", ask.deployment.name)
            span.set_attribute("modelwright.model.version", ask.deployment.version)
        span.set_attribute("modelwright.rows", len(ask.answers))
        span.set_attribute("modelwright.repeated", ask.repeated)
        if ask.ids:
            span.set_attribute("modelwright.prediction.id", ask.ids[0])

    def _end(self, span: Span, status: int, now: int) -> None:
        span.set_attribute("http.response.status_code", status)
        if status >= 500:
            span.set_attribute("error.type", str(status))
            span.set_status(self._failed)
        span.end(now)


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # not even what it lies in
        return False


def _is_told(value: object) -> bool:
    """Whether somebody said it, and not the SDK for want of anything better."""
    return value is not None and not str(value).startswith("unknown_service")


def _sdk_is_off(environ: Mapping[str, str]) -> bool:
    return environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
