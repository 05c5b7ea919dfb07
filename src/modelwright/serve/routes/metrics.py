"""``/metrics`` as JSON, or to a scraper in Prometheus's words; ``/prometheus_metrics`` always so."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response

from modelwright.serve.errors import NotReady
from modelwright.serve.journal.reader import backlog
from modelwright.serve.metrics.board import total
from modelwright.serve.metrics.summary import model_info, summary
from modelwright.serve.projects import WatchedProject
from modelwright.serve.routes.health import now
from modelwright.serve.routes.replies import json_response
from modelwright.serve.site import Site

if TYPE_CHECKING:
    from modelwright.store.ports import Store


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
        document |= self._first(await self._watched())
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
            await self._watched(),
        )
        return Response(text, headers={"content-type": content_type})

    async def _watched(self) -> dict[str, WatchedProject]:
        """What the store and the monitors say of all that is served; nothing while the store is away."""
        found: dict[str, WatchedProject] = {}
        for name, deployment in dict(self._site.engine.deployments).items():
            project = deployment.assigned.project
            with contextlib.suppress(NotReady):
                found[name] = await self._site.store.call(project, partial(self._stored, project))
        return found

    def _stored(self, project: str, store: Store) -> WatchedProject:
        # Imported here: a worker nobody asks for numbers does without.
        from modelwright.monitor.due import new_rows
        from modelwright.monitor.standing import live_view

        job = next(iter(store.jobs.list(project, limit=1)), None)
        return WatchedProject(
            new_samples_pending=new_rows(store, project),
            retrain_threshold=self._site.projects.effective(store, project).retrain.new_samples,
            live=live_view(store, project),
            latest_job="" if job is None else job.state.value,
        )

    def _first(self, watched: Mapping[str, WatchedProject]) -> dict[str, Any]:
        """The first project's numbers at the top, as those of one model; each one's under ``watched``."""
        first = next(iter(watched.values()), None)
        return {
            "new_samples_pending": None if first is None else first.new_samples_pending,
            "retrain_threshold": self._site.settings.retrain_threshold
            if first is None
            else first.retrain_threshold,
            "live": None if first is None else first.live,
            "watched": watched,
        }
