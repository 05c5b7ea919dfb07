"""``/health`` and its kin: is the process alive, may it be sent requests, what does it serve."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from modelwright import __version__
from modelwright.serve.journal.writer import JournalFailure
from modelwright.serve.routes.replies import json_response
from modelwright.serve.site import Site


def now() -> str:
    """The present, RFC 3339."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def problem(site: Site) -> str:
    """Why the worker is not ready; empty if it is."""
    if not site.engine.deployments:
        return "No model is loaded yet."
    try:
        site.engine.journal.probe()
    except JournalFailure:
        return "The prediction log cannot be written."
    return ""


class Health:
    """Handlers."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def health(self, _request: Request) -> Response:
        """What there is to know in one look."""
        wrong = problem(self._site)
        document: dict[str, Any] = {
            "status": "unhealthy" if wrong else "healthy",
            "timestamp": now(),
            "version": __version__,
            "model_loaded": bool(self._site.engine.deployments),
            "uptime_seconds": round((datetime.now(UTC) - self._site.started).total_seconds(), 3),
            "models": {
                name: {"project": each.assigned.project, "version": each.version}
                for name, each in self._site.engine.deployments.items()
            },
        }
        for first in self._site.engine.deployments.values():
            document["model_version"] = first.version
            break
        if wrong:
            document["reason"] = wrong
        return json_response(document, status=503 if wrong else 200)

    async def live(self, _request: Request) -> Response:
        """The process answers."""
        return json_response({"status": "alive", "live": True, "timestamp": now()})

    async def ready(self, _request: Request) -> Response:
        """The bundle is verified and warm, and the log can be written."""
        wrong = problem(self._site)
        document: dict[str, Any] = {"status": "unavailable" if wrong else "ready", "ready": not wrong}
        document["timestamp"] = now()
        if wrong:
            document["reason"] = wrong
        return json_response(document, status=503 if wrong else 200)
