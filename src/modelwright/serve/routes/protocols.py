"""What clients of other servers ask beside predictions: is it up, which version, what are its tensors."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from modelwright import __version__
from modelwright.serve.deployment import Deployment
from modelwright.serve.errors import NotServed
from modelwright.serve.protocols import jsonbody, v2_replies
from modelwright.serve.routes.health import problem
from modelwright.serve.routes.replies import json_response, read_body
from modelwright.serve.site import Site


class Protocols:
    """Handlers."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def ping(self, _request: Request) -> Response:
        """MLflow's and SageMaker's: 200 with an empty line if a model may be asked."""
        status = 503 if problem(self._site) else 200
        return Response(b"\n", status_code=status, media_type="application/json")

    async def version(self, _request: Request) -> Response:
        """MLflow's: the version that trained the model, else ours."""
        libraries = self._site.engine.find("").bundle.manifest.libraries
        return Response(libraries.get("mlflow", __version__), media_type="text/plain")

    async def server(self, _request: Request) -> Response:
        """V2: the server's metadata."""
        return json_response(v2_replies.server_metadata(__version__))

    async def live(self, _request: Request) -> Response:
        """V2: the server lives."""
        return json_response(v2_replies.live_document())

    async def ready(self, _request: Request) -> Response:
        """V2: its models may be asked."""
        wrong = problem(self._site)
        return json_response(v2_replies.ready_document(not wrong), status=503 if wrong else 200)

    async def model(self, request: Request) -> Response:
        """V2: a model's metadata."""
        deployment = self._model(request)
        return json_response(_metadata(deployment))

    async def model_ready(self, request: Request) -> Response:
        """V2: the model may be asked."""
        deployment = self._model(request)
        ready = not problem(self._site)
        return json_response(
            v2_replies.model_ready_document(deployment.name, ready), status=200 if ready else 503
        )

    async def index(self, request: Request) -> Response:
        """V2's model repository extension: what there is, or with ``{"ready": true}`` what may be asked."""
        body = await read_body(request, self._site.settings.limits.body_bytes)
        asked = jsonbody.parse_object(body) if body.strip() else {}
        wrong = problem(self._site)
        deployments = {} if wrong and asked.get("ready") is True else self._site.engine.deployments
        served = [(name, each.version, wrong) for name, each in deployments.items()]
        return json_response(v2_replies.repository_index(served))

    def _model(self, request: Request) -> Deployment:
        deployment = self._site.engine.find(request.path_params["name"])
        wanted = request.path_params.get("version")
        if wanted is not None and wanted != str(deployment.version):
            raise NotServed(deployment.name, deployment.version, wanted)
        return deployment


def _metadata(deployment: Deployment) -> dict[str, Any]:
    return v2_replies.model_metadata(
        deployment.name, [deployment.version], deployment.inputs, deployment.bundle.manifest.models
    )
