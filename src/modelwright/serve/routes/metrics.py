"""``/metrics`` as JSON, or to a scraper in Prometheus's words; ``/prometheus_metrics`` always so."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from modelwright.serve.errors import NotReady
from modelwright.serve.journal.reader import backlog
from modelwright.serve.metrics.board import total
from modelwright.serve.metrics.summary import model_info, summary
from modelwright.serve.routes.health import now
from modelwright.serve.routes.replies import json_response
from modelwright.serve.site import Site


class Metrics:
    """Handlers."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def metrics(self, request: Request) -> Response:
        """Counts since the server began, over all workers."""
        accept = request.headers.get("accept", "")
        if "openmetrics" in accept or ("text/plain" in accept and "json" not in accept):
            return await self.prometheus(request)
        deployments = self._site.engine.deployments
        document: dict[str, Any] = summary(total(self._site.run_dir), deployments)
        document["new_samples_pending"] = await self._pending()
        document["retrain_threshold"] = self._site.settings.retrain_threshold
        document["model_info"] = model_info(deployments)
        document["log"] = backlog(self._site.settings.journals)
        document["timestamp"] = now()
        return json_response(document)

    async def prometheus(self, request: Request) -> Response:
        """The same for a scraper."""
        # Imported here: a worker nobody scrapes does without.
        from modelwright.serve.metrics.prometheus import exposition

        waiting = backlog(self._site.settings.journals)
        text, content_type = await asyncio.to_thread(
            exposition,
            request.headers.get("accept", ""),
            self._site.run_dir,
            dict(self._site.engine.deployments),
            waiting,
        )
        return Response(text, headers={"content-type": content_type})

    async def _pending(self) -> int | None:
        """Samples no version has used; ``None`` while the database is away."""
        try:
            project = self._site.engine.find("").assigned.project
            return await self._site.store.call(project, lambda store: store.samples.pending(project))
        except NotReady:
            return None
