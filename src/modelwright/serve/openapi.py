"""The OpenAPI 3.1 document of a server, with the served models' own columns, labels and example.

``openapi_schemas`` says what rows and answers look like; here is what can be asked. Only what the
server routes is in the document, so it promises nothing that is not there.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import msgspec

from modelwright import __version__
from modelwright.bundle.format import ModelEntry
from modelwright.schema.columns import TableSchema
from modelwright.serve import openapi_routes as routes
from modelwright.serve import openapi_schemas as schemas
from modelwright.serve.openapi_thresholds import thresholds
from modelwright.serve.protocols.tables import CSV, NPY, PARQUET

Json = dict[str, Any]

_TAGS = {
    "Predictions": "Ask the model, and say later what was true.",
    "Operations": "Health, numbers, versions.",
    "MLflow": "What MLflow's scoring clients send.",
    "Open Inference": "The Open Inference Protocol V2, as KServe, Triton and MLServer speak it.",
    "SageMaker": "What Amazon SageMaker's clients send.",
}
_MODEL_ERRORS = {
    "404": {"description": "There is no such endpoint"},
    "424": {"description": "The model refused; its own status is OriginalStatusCode"},
    "503": {"description": "Not ready"},
}


class Served(msgspec.Struct, frozen=True, kw_only=True):
    """A model that is served.

    Attributes:
        name: Its name in routes; the first one also answers at the root.
        version: The version that answers.
        inputs: What a client sends.
        models: What answers; several in one bundle answer together.
        example: A request body that works; made from the columns where there is none.
        looks_up: Whether features are looked up for a row.
    """

    name: str
    version: int
    inputs: TableSchema
    models: tuple[ModelEntry, ...]
    example: Any = None
    looks_up: bool = False


def document(served: Sequence[Served], *, paths: Collection[str] | None = None, auth: bool = False) -> Json:
    """The document of a server.

    Args:
        served: The models, the first one first.
        paths: Routes there are, in the notation of the document; ``None`` for all it knows.
        auth: Whether credentials are needed.
    """
    components: Json = {
        "schemas": {
            "Error": schemas.ERROR,
            "Warning": schemas.WARNING,
            "Thresholds": thresholds([entry.task for one in served for entry in one.models]),
        }
    }
    found: Json = {}
    for place, one in enumerate(served):
        suffix = str(place) if place else ""
        components["schemas"] |= _components(one, suffix)
        if place == 0:
            found |= _root(one)
        found[f"/models/{one.name}/predict"] = {"post": _predict(one, suffix)}
    found |= routes.OPERATIONS | _v2(served)
    known = {path: item for path, item in found.items() if paths is None or _routed(path, paths, served)}
    result: Json = {
        "openapi": "3.1.0",
        "info": {
            "title": " and ".join(one.name for one in served) or "Modelwright",
            "version": __version__,
            "description": _description(served),
        },
        "servers": [{"url": "."}],
        "tags": [{"name": name, "description": text} for name, text in _TAGS.items()],
        "paths": known,
        "components": components,
        "x-modelwright": {"served": [_summary(one, place) for place, one in enumerate(served)]},
    }
    if auth:
        components["securitySchemes"] = {
            "bearer": {"type": "http", "scheme": "bearer", "description": "An API key or a token."},
            "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
        }
        result["security"] = [{"bearer": []}, {"key": []}]
        result["paths"] = {path: routes.guarded(path, item) for path, item in known.items()}
    return result


def _routed(path: str, paths: Collection[str], served: Sequence[Served]) -> bool:
    """Whether a path, with a model's name in it perhaps, is among the routes."""
    for one in served:
        path = path.replace(f"/models/{one.name}", "/models/{name}")
    return path in paths


def _description(served: Sequence[Served]) -> str:
    lines = [f"**{one.name}**, version {one.version}: {_answers(one)}." for one in served]
    return "\n\n".join(lines)


def _answers(one: Served) -> str:
    return " and ".join(f"{entry.task.value} of {entry.target or 'groups'}" for entry in one.models)


def _summary(one: Served, place: int) -> Json:
    """What the page needs to show a form."""
    suffix = str(place) if place else ""
    return {
        "name": one.name,
        "version": one.version,
        "path": "/predict" if place == 0 else f"/models/{one.name}/predict",
        "row": f"Row{suffix}",
        "models": [
            {"name": entry.name, "task": entry.task.value, "target": entry.target} for entry in one.models
        ],
    }


def _components(one: Served, suffix: str) -> Json:
    answer = schemas.answer(one.models, looks_up=one.looks_up)
    answers: Json = {
        "type": "object",
        "required": ["predictions"],
        "properties": {"predictions": {"type": "array", "items": schemas.ref(f"Answer{suffix}")}},
    }
    return {
        f"Row{suffix}": schemas.row(one.inputs),
        f"Values{suffix}": schemas.values(one.inputs),
        f"Answer{suffix}": answer,
        f"Answers{suffix}": answers,
        f"Request{suffix}": schemas.request(f"Row{suffix}", f"Values{suffix}"),
    }


def _root(one: Served) -> Json:
    row = example_row(one)
    return {
        "/predict": {"post": _predict(one, "")},
        **_truths(one, row),
        "/invocations": {"post": _invocations(one, row)},
        "/endpoints/{name}/invocations": {
            "parameters": [routes.parameter("name", "The endpoint's name: a model's.", example=one.name)],
            "post": _invocations(one, row)
            | {
                "tags": ["SageMaker"],
                "summary": "Score rows as SageMaker's runtime does",
                "responses": {"200": routes.content("The predictions", schemas.PREDICTIONS), **_MODEL_ERRORS},
            },
        },
    }


def _truths(one: Served, row: Json) -> Json:
    """What clients tell the server."""
    if not schemas.with_truth(one.models):
        sample = {"type": "object", "required": ["features"], "properties": {"features": schemas.ref("Row")}}
        given = _telling("Give rows for the next training", sample, "samples", {"features": row})
        return {"/add_training_data": {"post": given}}
    target = schemas.target(one.models)
    truth = schemas.example_target(one.models)
    feedback: Json = {
        "type": "object",
        "required": ["prediction_id", "target"],
        "properties": {"prediction_id": schemas.PREDICTION_ID, "target": target},
    }
    sample = {
        "type": "object",
        "required": ["features", "target"],
        "properties": {"features": schemas.ref("Row"), "target": target},
    }
    told = {"prediction_id": "order-17", "target": truth}
    labelled = {"features": row, "target": truth}
    return {
        "/feedback": {"post": _feedback(feedback, told, truth, schemas.truths_csv(one.models))},
        "/add_training_data": {
            "post": _telling("Give labelled rows for the next training", sample, "samples", labelled)
        },
    }


def _feedback(one: Json, told: Json, truth: Any, text: Json) -> Json:
    """Truths come in the forms that labels are kept in, too."""
    operation = _telling("Say what was true of a prediction", one, "feedback", told)
    cell = truth if not isinstance(truth, dict) else ",".join(map(str, truth.values()))
    names = "target" if not isinstance(truth, dict) else ",".join(truth)
    operation["requestBody"]["content"][CSV] = {
        "schema": text,
        "example": f"prediction_id,{names}\n{told['prediction_id']},{cell}\n",
    }
    operation["description"] = (
        "JSON lines (application/jsonlines) are taken too, and Amazon SageMaker's ground truth records, in "
        "JSON or a line each. The answer counts what became of the labels: joined, duplicate, corrected, "
        "contradicting, orphan, and how many came late."
    )
    operation["responses"]["202"] = {"description": "Kept until the prediction arrives"}
    return operation


def _telling(summary: str, one: Json, several: str, example: Json) -> Json:
    """An operation that takes one thing, or a list of them under ``several``."""
    listed: Json = {"type": "array", "minItems": 1, "items": one}
    one = one | {"not": {"required": [several]}}
    many: Json = {"type": "object", "required": [several], "properties": {several: listed}}
    examples = {"one": {"value": example}, "several": {"value": {several: [example]}}}
    return {
        "tags": ["Predictions"],
        "summary": summary,
        "parameters": [routes.MODEL],
        "requestBody": {
            "required": True,
            "content": {routes.JSON: {"schema": {"anyOf": [one, many]}, "examples": examples}},
        },
        "responses": {
            "201": {"description": "Stored"},
            **routes.refusals("400", "404", "413", "503"),
        },
    }


def example_row(one: Served) -> Json:
    """A row that works: the bundle's example's, else made from the columns."""
    example = one.example
    for key in ("features", "input"):
        if isinstance(example, dict) and isinstance(example.get(key), dict):
            given = example[key]
            ordered = {name: given[name] for name in one.inputs.names if name in given}
            return ordered | {name: value for name, value in given.items() if name not in ordered}
    return {column.name: schemas.example(column) for column in one.inputs}


def _predict(one: Served, suffix: str) -> Json:
    row = example_row(one)
    examples = {
        "one row": {"value": {"features": row}},
        "several rows": {"value": {"instances": [row, row]}},
        "with an id": {"value": {"features": row, "id": "order-17"}},
    }
    return {
        "tags": ["Predictions"],
        "summary": f"Predict with {one.name}, version {one.version}",
        "description": routes.PREDICT,
        "parameters": [routes.REQUEST_ID],
        "requestBody": {
            "required": True,
            "content": {routes.JSON: {"schema": schemas.ref(f"Request{suffix}"), "examples": examples}},
        },
        "responses": {
            "200": routes.content(
                "The answer, or one for each row",
                {"anyOf": [schemas.ref(f"Answer{suffix}"), schemas.ref(f"Answers{suffix}")]},
            ),
            **routes.refusals("400", "409", "413", "415", "503"),
        },
    }


def _invocations(one: Served, row: Json) -> Json:
    names = list(one.inputs.names)
    values = [row.get(name) for name in names]
    examples = {
        "dataframe_split": {"value": {"dataframe_split": {"columns": names, "data": [values]}}},
        "dataframe_records": {"value": {"dataframe_records": [row]}},
        "instances": {"value": {"instances": [row]}},
        "inputs": {"value": {"inputs": {name: [value] for name, value in zip(names, values, strict=True)}}},
    }
    content: Json = {routes.JSON: {"schema": schemas.mlflow(one.inputs), "examples": examples}}
    file: Json = {"schema": {"type": "string", "format": "binary", "minLength": 1}}
    content |= dict.fromkeys((CSV, NPY, PARQUET), file)
    return {
        "tags": ["MLflow"],
        "summary": "Score rows as MLflow and a SageMaker container do",
        "parameters": [routes.REQUEST_ID],
        "requestBody": {"required": True, "content": content},
        "responses": {
            "200": routes.content("The predictions", schemas.PREDICTIONS),
            **{
                status: {"description": routes.REFUSALS[status]}
                for status in ("400", "409", "413", "415", "503")
            },
        },
    }


def _v2(served: Sequence[Served]) -> Json:
    found: Json = {
        "/v2": {"get": routes.get("Open Inference", "The server's name, version and extensions")},
        "/v2/health/live": {"get": routes.get("Open Inference", "The process answers")},
        "/v2/health/ready": {"get": routes.get("Open Inference", "It may be sent requests", "503")},
        "/v2/repository/index": {
            "post": routes.get("Open Inference", "The models there are", "400", "413")
            | {"requestBody": routes.anything()}
        },
    }
    for one in served:
        at = f"/v2/models/{one.name}"
        found[at] = {"get": routes.get("Open Inference", f"Inputs and outputs of {one.name}")}
        found[f"{at}/ready"] = {"get": routes.get("Open Inference", f"Whether {one.name} is ready", "503")}
        found[f"{at}/infer"] = {
            "post": {
                "tags": ["Open Inference"],
                "summary": f"Infer with {one.name}",
                "description": "One tensor for each column, or one of all; also with binary data.",
                "parameters": [routes.REQUEST_ID],
                "requestBody": {
                    "required": True,
                    "content": {
                        routes.JSON: {
                            "schema": schemas.infer(one.models),
                            "example": schemas.infer_example(one.inputs, example_row(one)),
                        }
                    },
                },
                "responses": {
                    "200": routes.content("The outputs", {"type": "object", "required": ["outputs"]}),
                    **{
                        status: {"description": routes.REFUSALS[status]}
                        for status in ("400", "409", "413", "415", "503")
                    },
                },
            }
        }
    return found
