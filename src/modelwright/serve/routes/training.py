"""What comes back from the world: truths for predictions, samples for training, a wish to retrain."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response

from modelwright.serve.deployment import Deployment
from modelwright.serve.errors import BadBody, InvalidRows, NotFound, TooLarge, clip
from modelwright.serve.ids import given_id
from modelwright.serve.protocols import jsonbody
from modelwright.serve.routes.replies import json_response, read_body
from modelwright.serve.routes.values import checked_target
from modelwright.serve.site import Site

if TYPE_CHECKING:
    from modelwright.store.ports import Store

_TRUTHS = ("target", "label", "actual")
_LONGEST_REASON = 1000
_ON_ITS_WAY = (0.1, 0.2, 0.4)


class Training:
    """Handlers."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def feedback(self, request: Request) -> Response:
        """``{"prediction_id", "target"}``, or ``{"feedback": [those]}``: stored, the newest counts."""
        document = await self._object(request)
        items = document.get("feedback", [document])
        deployment = self._deployment(request)
        if not isinstance(items, list) or not items:
            raise BadBody("Must be a list of truths.", kind="list_type", loc=("body", "feedback"))
        self._refuse_too_many(items)
        truths = [self._truth(item, place, deployment, items) for place, item in enumerate(items)]
        await self._refuse_unknown(deployment.assigned.project, [id for id, _ in truths])
        client = _client(request)
        stored = await self._site.store.call(
            deployment.assigned.project,
            lambda store: [
                store.labels.add(deployment.assigned.project, id, target, client=client)
                for id, target in truths
            ],
        )
        reply: dict[str, Any] = {"status": "stored", "stored": len(stored)}
        if "feedback" not in document:
            reply |= {"prediction_id": truths[0][0], "target": truths[0][1]}
        return json_response(reply, status=201)

    async def add_training_data(self, request: Request) -> Response:
        """``{"features": row, "target": truth}``, a row with its target, or ``{"samples": [those]}``."""
        document = await self._object(request)
        deployment = self._deployment(request)
        items = document.get("samples", [document]) if "samples" in document else [document]
        if not isinstance(items, list) or not items:
            raise BadBody("Must be a list of samples.", kind="list_type", loc=("body", "samples"))
        self._refuse_too_many(items)
        several = "samples" in document
        samples = [
            _sample(item, ("body", "samples", place) if several else ("body",), deployment)
            for place, item in enumerate(items)
        ]
        _refuse_invalid(deployment, [row for row, _ in samples], several=several)
        project, client = deployment.assigned.project, _client(request)

        def add(store: Store) -> int:
            for features, target in samples:
                store.samples.add(project, features, target, client=client)
            return store.samples.pending(project)

        pending = await self._site.store.call(project, add)
        return json_response(
            {
                "status": "stored",
                "stored": len(samples),
                "new_samples_pending": pending,
                "retrain_threshold": self._site.settings.retrain_threshold,
            },
            status=201,
        )

    async def trigger_retrain(self, request: Request) -> Response:
        """Write a retraining job; ``{"reason"}`` may say why."""
        document = await self._object(request, empty=True)
        reason = document.get("reason", "asked for over HTTP")
        if not isinstance(reason, str) or not reason.strip() or len(reason) > _LONGEST_REASON:
            raise BadBody(
                f"Must be a text of at most {_LONGEST_REASON} characters.",
                kind="string_type",
                loc=("body", "reason"),
            )
        project = self._deployment(request).assigned.project
        job = await self._site.store.call(
            project,
            lambda store: store.jobs.add(
                project, trigger="manual", reason=reason, settings={"client": _client(request)}
            ),
        )
        return json_response(
            {
                "status": "queued",
                "job_id": job.id,
                "state": job.state.value,
                "trigger": job.trigger,
                "reason": job.reason,
                "created": job.created,
            },
            status=202,
        )

    def _deployment(self, request: Request) -> Deployment:
        return self._site.engine.find(request.query_params.get("model", ""))

    def _refuse_too_many(self, items: Sequence[object]) -> None:
        most = self._site.settings.limits.rows
        if len(items) > most:
            raise TooLarge(f"There are {len(items)} items; {most} are the most.", "Send fewer at once.")

    async def _object(self, request: Request, *, empty: bool = False) -> dict[str, Any]:
        body = await read_body(request, self._site.settings.limits.body_bytes)
        return {} if empty and not body.strip() else jsonbody.parse_object(body)

    def _truth(
        self, item: Any, place: int, deployment: Deployment, items: Sequence[object]
    ) -> tuple[str, Any]:
        where: tuple[Any, ...] = ("body", "feedback", place) if len(items) > 1 else ("body",)
        if not isinstance(item, dict):
            raise BadBody("Must be an object.", kind="dict_type", loc=where)
        id = item.get("prediction_id", item.get("id"))
        if id is None:
            raise BadBody("The prediction's id is required.", kind="missing", loc=(*where, "prediction_id"))
        key = next((key for key in _TRUTHS if key in item), None)
        if key is None:
            raise BadBody("The truth is required.", kind="missing", loc=(*where, "target"))
        return given_id(id), checked_target(deployment, item[key], (*where, key))

    async def _refuse_unknown(self, project: str, ids: Sequence[str]) -> None:
        """Refuse ids that nobody was answered under; the newest may still be on their way to the store."""
        missing: list[str] = []
        for wait in (*_ON_ITS_WAY, None):
            known = await self._site.store.call(
                project, lambda store: store.predictions.get_many(project, ids)
            )
            missing = [id for id in ids if id not in known]
            if not missing:
                return
            if wait is not None:
                await asyncio.sleep(wait)
        raise NotFound(
            f"There is no prediction {clip(missing[0])!r} in the log (any more).",
            "Give the 'prediction_id' of an answer.",
        )


def _sample(item: Any, where: tuple[Any, ...], deployment: Deployment) -> tuple[dict[str, Any], Any]:
    """A row by column name, and its truth."""
    if not isinstance(item, dict):
        raise BadBody("Must be an object.", kind="dict_type", loc=where)
    names = deployment.inputs.names
    column = deployment.bundle.manifest.models[0].target
    if isinstance(item.get("features"), dict | list):
        key = next((key for key in (*_TRUTHS, column) if key in item), "target")
        row = item["features"]
    else:
        key = next((key for key in (column, *_TRUTHS) if key in item and key not in names), "target")
        row = {name: value for name, value in item.items() if name != key}
    if key not in item:
        raise BadBody("The truth is required.", kind="missing", loc=(*where, "target"))
    if isinstance(row, list):
        if len(row) != len(names):
            raise BadBody(
                f"Must be {len(names)} values, not {len(row)}.", kind="list_length", loc=(*where, "features")
            )
        row = dict(zip(names, row, strict=True))
    return row, checked_target(deployment, item[key], (*where, key))


def _refuse_invalid(deployment: Deployment, rows: Sequence[dict[str, Any]], *, several: bool) -> None:
    errors = deployment.bundle.rows.read(rows).errors
    if errors:
        raise InvalidRows(
            tuple(
                {
                    "loc": ["body", *(["samples", error.row] if several else []), *error.loc],
                    "msg": error.msg,
                    "type": error.type,
                    "input": clip(error.input),
                }
                for error in errors[:100]
            )
        )


def _client(request: Request) -> str:
    client: str = request.state.client
    return client
