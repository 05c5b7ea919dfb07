"""Asking for a retraining: by hand, by a script that counts, or by Alertmanager."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response

from modelwright.serve.deployment import Deployment
from modelwright.serve.errors import BadBody
from modelwright.serve.protocols import jsonbody
from modelwright.serve.routes.replies import json_response, read_body
from modelwright.serve.routes.values import reason_of
from modelwright.serve.site import Site

if TYPE_CHECKING:
    from modelwright.store.ports import Store
    from modelwright.store.records import JobRecord

_LEAST_THRESHOLD, _MOST_THRESHOLD = 1, 1_000_000_000


class Retraining:
    """Handlers."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def trigger(self, request: Request) -> Response:
        """Write a retraining job, unless one waits or is at work; all fields may be left out.

        ``reason`` says why. ``trigger_threshold`` asks only where so many new labelled rows wait;
        ``force_retrain`` set to false asks only where the project's own threshold is reached, and set
        to true asks in any case.
        """
        document = await self._object(request)
        reason = reason_of(document, default="asked for over HTTP")
        force, threshold = _flag(document, "force_retrain"), _threshold(document)
        project, client = self._deployment(request).assigned.project, str(request.state.client)

        def answer(store: Store) -> Response:
            # Imported here: most workers are never asked, and do without pydantic.
            from modelwright.monitor.due import Wish, ask, new_rows

            least = None if force else threshold
            if least is None and force is False:
                least = self._site.projects.effective(store, project).retrain.new_samples
            waiting = new_rows(store, project)
            if least is not None and waiting < least:
                return _not_triggered(waiting, least)
            told = {"client": client} | ({"force": True} if force else {})
            job, made = ask(store, project, Wish("manual", reason), settings=told)
            return _asked(job, made=made, waiting=waiting)

        return await self._site.store.call(project, answer)

    async def alertmanager(self, request: Request) -> Response:
        """Alertmanager's webhook, version 4: what fires asks once; what is over asks for nothing.

        Always 200 for what was understood: Alertmanager would send a refusal again.
        """
        from modelwright.monitor import alertmanager
        from modelwright.monitor.due import ask, cooling

        body = await read_body(request, self._site.settings.limits.body_bytes)
        try:
            payload = alertmanager.read_payload(body)
        except alertmanager.NotAnAlert as error:
            raise BadBody(str(error), kind="alertmanager") from error
        project = self._deployment(request).assigned.project

        def answer(store: Store) -> dict[str, Any]:
            alerts = alertmanager.new_alerts(store, project, payload)
            if not alerts:
                return {"status": "nothing_to_do", "job_id": None}
            wish = alertmanager.wish_of(alerts)
            rest = cooling(self._site.projects.effective(store, project), store, project)
            if rest:
                alertmanager.note(
                    store, project, alerts, "", f"ignored: {rest:.0f} s of the cool-down are left"
                )
                return {"status": "cooling_down", "job_id": None, "seconds_left": rest}
            job, made = ask(store, project, wish)
            outcome = "a retraining was asked for" if made else "a retraining was under way"
            alertmanager.note(store, project, alerts, job.id, outcome)
            return {
                "status": "queued" if made else "already_under_way",
                "job_id": job.id,
                "reason": wish.reason,
            }

        return json_response(await self._site.store.call(project, answer))

    def _deployment(self, request: Request) -> Deployment:
        return self._site.engine.find(request.query_params.get("model", ""))

    async def _object(self, request: Request) -> dict[str, Any]:
        body = await read_body(request, self._site.settings.limits.body_bytes)
        return jsonbody.parse_object(body) if body.strip() else {}


def _asked(job: JobRecord, *, made: bool, waiting: int) -> Response:
    return json_response(
        {
            "status": "queued" if made else "already_under_way",
            "retrain_triggered": made,
            "job_id": job.id,
            "state": job.state.value,
            "trigger": job.trigger,
            "reason": job.reason,
            "created": job.created,
            "new_samples_pending": waiting,
        },
        status=202,
    )


def _not_triggered(waiting: int, threshold: int) -> Response:
    return json_response(
        {
            "status": "not_triggered",
            "retrain_triggered": False,
            "job_id": None,
            "reason": f"{waiting:,} new labelled rows wait; {threshold:,} are asked for.",
            "new_samples_pending": waiting,
            "trigger_threshold": threshold,
        }
    )


def _flag(document: dict[str, Any], name: str) -> bool | None:
    value = document.get(name)
    if value is not None and not isinstance(value, bool):
        raise BadBody("Must be true or false.", kind="bool_type", loc=("body", name), given=value)
    return value


def _threshold(document: dict[str, Any]) -> int | None:
    value = document.get("trigger_threshold")
    if value is None:
        return None
    # 3.0 is a whole number in JSON as 3 is.
    whole = isinstance(value, int | float) and not isinstance(value, bool) and value == int(value)
    if not whole or not _LEAST_THRESHOLD <= value <= _MOST_THRESHOLD:
        raise BadBody(
            f"Must be a whole number from {_LEAST_THRESHOLD} to {_MOST_THRESHOLD}.",
            kind="int_type",
            loc=("body", "trigger_threshold"),
            given=value,
        )
    return int(value)
