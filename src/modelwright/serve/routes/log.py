"""The prediction log over HTTP: history, one prediction with its lineage, versions."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response

from modelwright.serve.errors import NotFound, clip
from modelwright.serve.routes.replies import json_response
from modelwright.serve.routes.values import moment, only, truth, whole
from modelwright.serve.site import Site
from modelwright.store.lineage import document, prediction_document, trace, version_document

if TYPE_CHECKING:
    from modelwright.store.ports import Store
    from modelwright.store.records import LabelRecord, PredictionRecord

_MOST = 1000
_ON_ITS_WAY = (0.1, 0.2, 0.4)  # seconds between looks: the keeper is at most so far behind


class Log:
    """Handlers."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def history(self, request: Request) -> Response:
        """Predictions, newest first, paged and filtered by the query."""
        query = request.query_params
        only(query, "limit", "before", "version", "labelled", "since", "until", "model")
        project = self.project(request)
        limit = whole(query, "limit", 100, most=_MOST) or 100
        version = whole(query, "version", None, most=10**9)
        labelled, since, until = truth(query, "labelled"), moment(query, "since"), moment(query, "until")
        before = query.get("before")

        def look(store: Store) -> tuple[list[PredictionRecord], Mapping[str, LabelRecord]]:
            from modelwright.store.errors import UnknownPrediction

            try:
                found = store.predictions.history(
                    project,
                    limit=limit,
                    before=before,
                    version=version,
                    labelled=labelled,
                    since=since,
                    until=until,
                )
            except UnknownPrediction as error:
                raise NotFound(error.reason, error.instruction) from error
            return list(found), store.labels.latest(project, [record.id for record in found])

        records, labels = await self._site.store.call(project, look)
        shown = [prediction_document(record, labels.get(record.id)) for record in records]
        more = records[-1].id if len(records) == limit else None
        return json_response({"predictions": shown, "count": len(shown), "next_before": more})

    async def prediction(self, request: Request) -> Response:
        """One prediction, and where it came from."""
        project, id = self.project(request), request.path_params["id"]
        for wait in (*_ON_ITS_WAY, None):
            lineage = await self._site.store.call(project, lambda store: trace(store, project, id))
            if lineage is not None:
                return json_response(document(lineage))
            if wait is not None:
                await asyncio.sleep(wait)
        raise NotFound(f"There is no prediction {clip(id)!r} in the log (any more).")

    async def versions(self, request: Request) -> Response:
        """The registered versions, newest first, with what is live."""
        only(request.query_params, "limit", "model")
        project = self.project(request)
        limit = whole(request.query_params, "limit", 100, most=_MOST) or 100
        listed, current = await self._site.store.call(
            project,
            lambda store: (
                store.versions.list(project, limit=limit),
                store.releases.current(project),
            ),
        )
        champion = current.version if current else None
        served = {
            each.version
            for each in self._site.engine.deployments.values()
            if each.assigned.project == project
        }
        return json_response(
            {
                "project": project,
                "champion": champion,
                "versions": [
                    version_document(record)
                    | {"champion": record.number == champion, "served": record.number in served}
                    for record in listed
                ],
            }
        )

    def project(self, request: Request) -> str:
        """The project of the query's ``model``, by default of the first one."""
        return self._site.engine.find(request.query_params.get("model", "")).assigned.project
