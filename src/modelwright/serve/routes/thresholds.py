"""``/thresholds``: what holds, who said so, and setting it while the service runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response

from modelwright.serve.errors import BadBody
from modelwright.serve.protocols import jsonbody
from modelwright.serve.routes.replies import json_response, read_body
from modelwright.serve.routes.values import reason_of
from modelwright.serve.site import Site

if TYPE_CHECKING:
    from modelwright.monitor.thresholds import Effective
    from modelwright.store.ports import Store


class Thresholds:
    """Handlers."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def listing(self, request: Request) -> Response:
        """Every threshold with its value and source."""
        project = self._project(request)
        held = await self._site.store.call(
            project, lambda store: self._site.projects.effective(store, project)
        )
        return json_response(_document(project, held))

    async def change(self, request: Request) -> Response:
        """``{"thresholds": {name: value}, "reason"}``; null takes one back to the project file's."""
        body = await read_body(request, self._site.settings.limits.body_bytes)
        document = jsonbody.parse_object(body)
        values = document.get("thresholds")
        if not isinstance(values, dict):
            raise BadBody(
                "Must be an object of values by name.", kind="dict_type", loc=("body", "thresholds")
            )
        reason = reason_of(document, default="")
        project, client = self._project(request), str(request.state.client)
        path = self._site.projects.path(project)

        def set_them(store: Store) -> Effective:
            # Imported here: most workers are never asked, and do without pydantic.
            from modelwright.monitor.thresholds import ThresholdInvalid, change

            try:
                return change(store, project, path, values, actor=client, reason=reason)[0]
            except ThresholdInvalid as error:
                raise BadBody(str(error), kind="threshold", loc=("body", "thresholds")) from error

        held = await self._site.store.call(project, set_them)
        return json_response(_document(project, held))

    def _project(self, request: Request) -> str:
        return self._site.engine.find(request.query_params.get("model", "")).assigned.project


def _document(project: str, held: Effective) -> dict[str, Any]:
    return {"project": project, "thresholds": held.entries}
