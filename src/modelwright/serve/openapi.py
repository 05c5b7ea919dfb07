"""The OpenAPI 3.1 document, with the served models' own columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modelwright import __version__
from modelwright.schema.columns import Column, Kind, TableSchema
from modelwright.serve.deployment import Deployment

_TYPES: dict[Kind, dict[str, Any]] = {
    Kind.NUMERIC: {"type": "number"},
    Kind.INTEGER: {"type": "integer"},
    Kind.BOOLEAN: {"type": "boolean"},
    Kind.DATETIME: {"type": "string", "format": "date-time"},
}


def document(deployments: Mapping[str, Deployment]) -> dict[str, Any]:
    """The document of a server."""
    paths: dict[str, Any] = {path: {"get": _plain(summary)} for path, summary in _READING.items()}
    schemas: dict[str, Any] = {"Error": _ERROR, "Prediction": _PREDICTION}
    for place, (name, deployment) in enumerate(deployments.items()):
        schemas[f"Row{place}"] = _row(deployment.inputs)
        paths[f"/models/{name}/predict"] = {"post": _predict(f"Row{place}", deployment)}
        if place == 0:
            paths["/predict"] = {"post": _predict("Row0", deployment)}
    return {
        "openapi": "3.1.0",
        "info": {"title": " and ".join(deployments) or "Modelwright", "version": __version__},
        "paths": dict(sorted(paths.items())),
        "components": {"schemas": schemas},
    }


def _plain(summary: str) -> dict[str, Any]:
    content = {"application/json": {"schema": {"type": "object"}}}
    return {"summary": summary, "responses": {"200": {"description": summary, "content": content}}}


def _predict(row: str, deployment: Deployment) -> dict[str, Any]:
    ref = {"$ref": f"#/components/schemas/{row}"}
    listed = {"type": "array", "minItems": len(deployment.inputs.columns)}
    identified = {"id": {"type": "string", "maxLength": 128}}
    either = {"anyOf": [ref, listed]}
    shapes = [
        {"type": "object", "required": ["features"], "properties": {"features": either, **identified}},
        {"type": "object", "required": ["input"], "properties": {"input": ref, **identified}},
        {
            "type": "object",
            "required": ["instances"],
            "properties": {"instances": {"type": "array", "minItems": 1, "items": either}, **identified},
        },
        ref,
    ]
    example = deployment.bundle.example
    media: dict[str, Any] = {"schema": {"anyOf": shapes}}
    if isinstance(example, dict) and "request" in example:
        media["example"] = example["request"]
    return {
        "summary": f"Predict with {deployment.name}, version {deployment.version}",
        "requestBody": {"required": True, "content": {"application/json": media}},
        "responses": {
            "200": _answer("The answer", "Prediction"),
            **{status: _answer(words, "Error") for status, words in _REFUSALS.items()},
        },
    }


def _answer(words: str, schema: str) -> dict[str, Any]:
    ref = {"$ref": f"#/components/schemas/{schema}"}
    return {"description": words, "content": {"application/json": {"schema": ref}}}


def _row(schema: TableSchema) -> dict[str, Any]:
    return {
        "type": "object",
        "required": [column.name for column in schema if not column.nullable],
        "properties": {column.name: _column(column) for column in schema},
    }


def _column(column: Column) -> dict[str, Any]:
    described: dict[str, Any] = dict(_TYPES.get(column.kind, {"type": "string"}))
    if column.nullable:
        described["type"] = [described["type"], "null"]
    if column.minimum is not None:
        described["minimum"] = column.minimum
    if column.maximum is not None:
        described["maximum"] = column.maximum
    if column.categories and column.strict:
        described["enum"] = [*column.categories, *([None] if column.nullable else [])]
    elif column.categories:
        described["examples"] = list(column.categories[:20])
    words = [column.description, f"Unit: {column.unit}." if column.unit else "", _seen(column)]
    text = " ".join(word for word in words if word)
    if text:
        described["description"] = text
    return described


def _seen(column: Column) -> str:
    if column.observed_min is None or column.observed_max is None:
        return ""
    return f"In training from {column.observed_min:g} to {column.observed_max:g}."


_READING = {
    "/": "What there is",
    "/health": "Health in one look",
    "/health/live": "The process answers",
    "/health/ready": "It may be sent requests",
}
_REFUSALS = {
    "400": "The input does not validate",
    "409": "The id was used for other input",
    "413": "Too many bytes or rows",
    "415": "A content type nobody here reads",
    "503": "Not ready, or the log cannot be written",
}
_ERROR: dict[str, Any] = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {"type": "string"},
        "instruction": {"type": "string"},
        "prediction_id": {"type": "string"},
        "details": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "loc": {"type": "array"},
                    "msg": {"type": "string"},
                    "type": {"type": "string"},
                    "input": {},
                },
            },
        },
    },
}
_PREDICTION: dict[str, Any] = {
    "type": "object",
    "properties": {
        "prediction": {},
        "prediction_name": {"type": "string"},
        "confidence": {"type": "number"},
        "probabilities": {"type": "object", "additionalProperties": {"type": "number"}},
        "outputs": {"type": "object"},
        "predictions": {"type": "array"},
        "latency": {"type": "number", "description": "Seconds in the server."},
        "prediction_id": {"type": "string"},
        "model_version": {"type": "integer"},
        "warnings": {"type": "array"},
    },
}
