"""What comes back from the world: truths for predictions, samples for training, a wish to retrain."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response

from modelwright.schema.metrics import Task
from modelwright.serve.deployment import Deployment
from modelwright.serve.errors import BadBody, InvalidRows, NotTakenUp, TooLarge, TooManyWaiting, clip
from modelwright.serve.protocols import jsonbody, truths
from modelwright.serve.routes.replies import json_response, read_body
from modelwright.serve.site import Site
from modelwright.serve.targets import checked_target
from modelwright.store.records import JobState, LabelOutcome, Truth
from modelwright.store.truths import Sending, Tally

if TYPE_CHECKING:
    from modelwright.store.ports import Store
    from modelwright.store.records import JobRecord

_ENDED = frozenset(state for state in JobState if not any(state.may_become(other) for other in JobState))
_ON_ITS_WAY = (0.1, 0.2, 0.4)


class Training:
    """Handlers."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def feedback(self, request: Request) -> Response:
        """``{"prediction_id", "target"}``, ``{"feedback": [those]}``, CSV, JSON lines or SageMaker's records.

        Says what became of each (``store.truths``); 202 where all of them wait for their prediction.
        """
        body = await read_body(request, self._site.settings.limits.body_bytes)
        told, several = truths.read(body, request.headers)
        deployment = self._deployment(request)
        self._refuse_too_many(told)
        new = [self._truth(each, deployment) for each in told]
        project, client = deployment.assigned.project, _client(request)
        fresh, others = Sending().fresh(new)
        known = await self._await_predictions(project, [truth.prediction_id for truth in fresh])
        tally = Tally()
        fresh, tally.refused = await self._within_limit(project, client, fresh, known)
        recorded = await self._site.store.call(
            project, lambda store: store.labels.record(project, fresh, client=client)
        )
        tally.add([*recorded, *others])
        stored = len(recorded) - sum(each.outcome is LabelOutcome.DUPLICATE for each in recorded)
        reply: dict[str, Any] = {"status": "stored", "stored": stored, "outcomes": tally}
        if not several:
            became = recorded[0].outcome
            reply |= {"prediction_id": new[0].prediction_id, "target": new[0].target, "outcome": became}
        waiting = bool(recorded) and tally.orphan == len(told)
        return json_response(reply, status=202 if waiting else 201)

    async def add_training_data(self, request: Request) -> Response:
        """``{"features": row, "target": truth}``, a row with its target, or ``{"samples": [those]}``.

        A clustering takes rows without a target.
        """
        document = await self._object(request)
        deployment = self._deployment(request)
        if why := self._site.projects.why_not_taken_up(deployment.assigned.project):
            raise NotTakenUp(why)
        items = document.get("samples", [document]) if "samples" in document else [document]
        if not isinstance(items, list) or not items:
            raise BadBody("Must be a list of samples.", kind="list_type", loc=("body", "samples"))
        self._refuse_too_many(items)
        several = "samples" in document
        new_classes = self._takes_new_classes(deployment)
        samples = [
            _sample(
                item,
                ("body", "samples", place) if several else ("body",),
                deployment,
                new_classes=new_classes,
            )
            for place, item in enumerate(items)
        ]
        _refuse_invalid(deployment, [row for row, _ in samples], several=several)
        project, client = deployment.assigned.project, _client(request)

        most = self._site.settings.limits.waiting_per_client

        def add(store: Store) -> dict[str, Any]:
            if store.samples.pending(project, client=client) + len(samples) > most:
                raise TooManyWaiting(most, "samples wait to be trained on")
            for features, target in samples:
                store.samples.add(project, features, target, client=client)
            return self._after_samples(store, project)

        told = await self._site.store.call(project, add)
        return json_response({"status": "stored", "stored": len(samples), **told}, status=201)

    def _after_samples(self, store: Store, project: str) -> dict[str, Any]:
        """How many wait, and the retraining that is due by them, asked for at once."""
        # Imported here: a worker that is sent no samples does without pydantic and YAML.
        from modelwright.monitor.due import ask, due, new_rows

        held = self._site.projects.effective(store, project)
        pending, threshold = new_rows(store, project), held.retrain.new_samples
        wish = due(held, store, project)
        job = _open_job(store, project) if wish is None else ask(store, project, wish)[0]
        return {
            "new_samples_pending": pending,
            "retrain_threshold": threshold,
            "threshold_reached": threshold is not None and pending >= threshold,
            "retrain_triggered": job is not None,
            "job_id": None if job is None else job.id,
        }

    def _deployment(self, request: Request) -> Deployment:
        return self._site.engine.find(request.query_params.get("model", ""))

    def _refuse_too_many(self, items: Sequence[object]) -> None:
        most = self._site.settings.limits.rows
        if len(items) > most:
            raise TooLarge(f"There are {len(items)} items; {most} are the most.", "Send fewer at once.")

    async def _object(self, request: Request, *, empty: bool = False) -> dict[str, Any]:
        body = await read_body(request, self._site.settings.limits.body_bytes)
        return {} if empty and not body.strip() else jsonbody.parse_object(body)

    def _truth(self, told: truths.Told, deployment: Deployment) -> Truth:
        target = checked_target(
            deployment.bundle.manifest.models,
            told.target,
            told.loc,
            text=told.text,
            new_classes=self._takes_new_classes(deployment),
        )
        return Truth(told.id, target)

    def _takes_new_classes(self, deployment: Deployment) -> bool:
        project = deployment.assigned.project
        return any(each.new_classes for each in self._site.settings.targets if each.project == project)

    async def _await_predictions(self, project: str, ids: Sequence[str]) -> Collection[str]:
        """Wait a little for predictions that are on their way to the store; which there are then."""
        known: Collection[str] = ()
        for wait in (*_ON_ITS_WAY, 0.0):
            known = await self._site.store.call(
                project, lambda store: store.predictions.get_many(project, ids).keys()
            )
            if len(known) == len(ids) or not wait:
                break
            await asyncio.sleep(wait)
        return known

    async def _within_limit(
        self, project: str, client: str, fresh: list[Truth], known: Collection[str]
    ) -> tuple[list[Truth], int]:
        """Without the orphans that are beyond what one client may have waiting; how many those are.

        Raises:
            TooManyWaiting: Nothing is left.
        """
        if len(known) == len(fresh):
            return fresh, 0
        most = self._site.settings.limits.waiting_per_client
        waiting = await self._site.store.call(
            project, lambda store: store.labels.orphans(project, client=client)
        )
        room = max(0, most - waiting)
        kept = []
        for truth in fresh:
            if truth.prediction_id not in known:
                if not room:
                    continue
                room -= 1
            kept.append(truth)
        if not kept:
            raise TooManyWaiting(most, "labels wait for their prediction")
        return kept, len(fresh) - len(kept)


def _sample(
    item: Any, where: tuple[Any, ...], deployment: Deployment, *, new_classes: bool
) -> tuple[dict[str, Any], Any]:
    """A row by column name, and its truth."""
    if not isinstance(item, dict):
        raise BadBody("Must be an object.", kind="dict_type", loc=where)
    names = deployment.inputs.names
    models = deployment.bundle.manifest.models
    column = models[0].target
    if isinstance(item.get("features"), dict | list):
        key = next((key for key in (*truths.TARGETS, column) if key in item), "target")
        row = item["features"]
    else:
        key = next((key for key in (column, *truths.TARGETS) if key in item and key not in names), "target")
        row = {name: value for name, value in item.items() if name != key}
    needed = any(model.task is not Task.CLUSTERING for model in models)
    if needed and key not in item:
        raise BadBody("The truth is required.", kind="missing", loc=(*where, "target"))
    if isinstance(row, list):
        if len(row) != len(names):
            raise BadBody(
                f"Must be {len(names)} values, not {len(row)}.", kind="list_length", loc=(*where, "features")
            )
        row = dict(zip(names, row, strict=True))
    if key not in item:
        return row, None
    return row, checked_target(models, item[key], (*where, key), new_classes=new_classes)


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


def _open_job(store: Store, project: str) -> JobRecord | None:
    """The retraining that waits or is under way, if there is one."""
    newest = next(iter(store.jobs.list(project, limit=1)), None)
    return None if newest is None or newest.state in _ENDED else newest


def _client(request: Request) -> str:
    client: str = request.state.client
    return client
