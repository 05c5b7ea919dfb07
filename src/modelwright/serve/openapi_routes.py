"""What can be asked of a server that does not depend on the model: operations, and their pieces."""

from __future__ import annotations

from typing import Any

from modelwright.serve import openapi_schemas as schemas
from modelwright.serve.ids import CHARACTER, LONGEST

Json = dict[str, Any]

JSON = "application/json"
REFUSALS = {
    "400": "The request does not validate",
    "401": "No credentials, or none that hold",
    "403": "The credentials do not allow this",
    "404": "There is no such thing here",
    "409": "The id was used before, for other input",
    "413": "Too many bytes or rows",
    "415": "A content type that is not read here",
    "429": "More requests than these credentials may send",
    "503": "Not ready, or the log cannot be written",
}


def content(description: str, schema: Json) -> Json:
    """An answer's content as JSON."""
    return {"description": description, "content": {JSON: {"schema": schema}}}


def refusals(*statuses: str) -> Json:
    """The answers that refuse, in the product's own shape."""
    return {status: content(REFUSALS[status], schemas.ref("Error")) for status in statuses}


def get(tag: str, summary: str, *refusals: str) -> Json:
    """An operation without a body."""
    responses: Json = {"200": {"description": summary}}
    responses |= {status: {"description": REFUSALS[status]} for status in refusals}
    return {"tags": [tag], "summary": summary, "responses": responses}


def anything() -> Json:
    """A body that may be any object."""
    return {"content": {JSON: {"schema": {"type": "object"}, "example": {}}}}


def parameter(
    name: str, description: str, *, where: str = "path", example: Any = None, **schema: Any
) -> Json:
    """A parameter of the path, the query or the head."""
    parameter: Json = {
        "name": name,
        "in": where,
        "required": where == "path",
        "description": description,
        "schema": {"type": "string", **schema},
    }
    if example is not None:
        parameter["example"] = example
    return parameter


PREDICT = (
    "One row as an object by column name or as the list of its values, under `features` or `input` or as it "
    "is; or several under `instances`. With an `id` of your own the request may be sent again: it gets the "
    "same answer, and the log has it once. Values outside the range of the training data and unknown "
    "categories are answered with a warning."
)
REQUEST_ID = parameter(
    "X-Request-Id",
    "An id of your own, as `id` in the body.",
    where="header",
    maxLength=LONGEST,
    pattern=f"^{CHARACTER}*$",
)
_LIMIT = parameter("limit", "How many at most.", where="query", type="integer", minimum=1, maximum=1000)

MODEL = parameter("model", "Of several models the one that is meant.", where="query")

OPERATIONS: dict[str, Json] = {
    "/trigger_retrain": {
        "post": {
            "tags": ["Operations"],
            "summary": "Ask for a retraining",
            "description": "One waits or is at work at a time: asked for again, that one is told.",
            "requestBody": {
                "content": {JSON: {"schema": schemas.TRIGGER, "example": {"reason": "a new season began"}}}
            },
            "parameters": [MODEL],
            "responses": {
                "200": {"description": "Not asked for: too few new labelled rows wait"},
                "202": {"description": "Asked for"},
                **refusals("400", "404", "413", "503"),
            },
        }
    },
    "/webhooks/alertmanager": {
        "post": {
            "tags": ["Operations"],
            "summary": "Alertmanager's webhook: an alert that fires asks for a retraining, once",
            "requestBody": {
                "required": True,
                "content": {JSON: {"schema": schemas.ALERTMANAGER, "example": schemas.ALERT_EXAMPLE}},
            },
            "parameters": [MODEL],
            "responses": {
                "200": {"description": "Understood; what came of it"},
                **refusals("400", "404", "413", "503"),
            },
        }
    },
    "/thresholds": {
        "get": get("Operations", "The thresholds in force, with the source of each", "404", "503")
        | {"parameters": [MODEL]},
        "post": {
            "tags": ["Operations"],
            "summary": "Set thresholds while the service runs",
            "requestBody": {
                "required": True,
                "content": {
                    JSON: {
                        "schema": schemas.ref("Thresholds"),
                        "example": {"thresholds": {"retrain.new_samples": 50}, "reason": "too often"},
                    }
                },
            },
            "parameters": [MODEL],
            "responses": {
                "200": {"description": "What holds from now on"},
                **refusals("400", "404", "413", "503"),
            },
        },
    },
    "/predictions/history": {
        "get": get("Predictions", "The predictions there were, newest first", "400", "404", "503")
        | {
            "parameters": [
                _LIMIT,
                parameter("before", "A prediction's id, to go on from.", where="query"),
                parameter(
                    "labelled", "Only those whose truth is known, or is not.", where="query", type="boolean"
                ),
                parameter(
                    "version", "Only this version's.", where="query", type="integer", minimum=1, maximum=10**9
                ),
                parameter("since", "From this time on.", where="query", format="date-time"),
                parameter("until", "Before this time.", where="query", format="date-time"),
                MODEL,
            ]
        }
    },
    "/predictions/{id}": {
        "parameters": [parameter("id", "A prediction's id.", example="order-17")],
        "get": get("Predictions", "A prediction, and where its answer came from", "404", "503")
        | {"parameters": [MODEL]},
    },
    "/versions": {
        "get": get("Operations", "The versions there are", "400", "404", "503")
        | {"parameters": [_LIMIT, MODEL]}
    },
    "/metrics": {"get": get("Operations", "Numbers of this server as JSON, or for Prometheus by Accept")},
    "/prometheus_metrics": {"get": get("Operations", "Numbers for Prometheus")},
    "/health": {"get": get("Operations", "Health in one look", "503")},
    "/health/live": {"get": get("Operations", "The process answers")},
    "/health/ready": {"get": get("Operations", "It may be sent requests", "503")},
    "/ping": {"get": get("MLflow", "It may be sent requests", "503")},
    "/version": {"get": get("MLflow", "The version of MLflow's protocol")},
    "/": {"get": get("Operations", "What there is")},
}

PUBLIC = frozenset(
    {
        "/health",
        "/health/live",
        "/health/ready",
        "/ping",
        "/version",
        "/v2",
        "/v2/health/live",
        "/v2/health/ready",
    }
)
"""What is told to anybody."""


def guarded(path: str, item: Json) -> Json:
    """A path where credentials are needed, with the answers to those that do not hold."""
    if path in PUBLIC or path.endswith("/ready"):
        return {
            key: value | {"security": []} if key in {"get", "post"} else value for key, value in item.items()
        }
    more = {status: {"description": REFUSALS[status]} for status in ("401", "403", "429")}
    return {
        key: value | {"responses": value["responses"] | more} if key in {"get", "post"} else value
        for key, value in item.items()
    }
