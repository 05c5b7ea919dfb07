"""JSON Schemas (2020-12) of rows, answers and errors, made from a bundle's columns and models."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from modelwright.bundle.answers import label_names
from modelwright.bundle.format import ModelEntry
from modelwright.schema.answers import GENERATION
from modelwright.schema.columns import Column, Kind, Scalar, TableSchema
from modelwright.schema.metrics import Task
from modelwright.serve.ids import CHARACTER, LEAST, LONGEST, LONGEST_OF_ROW, MOST
from modelwright.serve.protocols.tensors import DATATYPES
from modelwright.serve.protocols.v2_replies import datatype_of, outputs_of

Json = dict[str, Any]

_TYPES: dict[Kind, Json] = {
    Kind.NUMERIC: {"type": "number"},
    Kind.INTEGER: {"type": "integer"},
    Kind.BOOLEAN: {"type": "boolean"},
    Kind.DATETIME: {"type": "string", "format": "date-time"},
    Kind.IMAGE: {"type": "string", "contentEncoding": "base64"},
}
_NUMBERS = frozenset({Kind.NUMERIC, Kind.INTEGER})
ID: Json = {
    "type": ["string", "integer", "null"],
    "minLength": 1,
    "maxLength": LONGEST,
    "minimum": LEAST,
    "maximum": MOST,
    "pattern": f"^{CHARACTER}+$",
    "description": "An id of your own; in a batch its rows are id.0, id.1 and so on.",
}
"""What a client may call its request; ``ids.given_id`` holds to it."""
PREDICTION_ID: Json = ID | {
    "type": ["string", "integer"],
    "maxLength": LONGEST_OF_ROW,
    "description": "Of the answer.",
}
"""What a prediction is called: the client's id, that with a row's place, or one of the server's making."""


def ref(name: str) -> Json:
    """A reference to the component of that name."""
    return {"$ref": f"#/components/schemas/{name}"}


def values(schema: TableSchema) -> Json:
    """A row as the list of its values."""
    width = len(schema.columns)
    return {
        "type": "array",
        "description": "The values in this order: " + ", ".join(schema.names),
        "prefixItems": [
            {key: value for key, value in column(one).items() if key != "description"} for one in schema
        ],
        "minItems": width,
        "maxItems": width,
    }


def request(row_name: str, values_name: str) -> Json:
    """A body of ``/predict``: rows by column name, or as lists of values."""
    one: Json = {"anyOf": [ref(row_name), ref(values_name)]}
    return {
        "anyOf": [
            _under("features", one),
            _under("instances", {"type": "array", "minItems": 1, "items": one}),
            _under("input", ref(row_name)),
            ref(row_name),
        ]
    }


def _under(key: str, rows: Json) -> Json:
    """Rows under a key, beside which an id may stand and nothing else."""
    return {
        "type": "object",
        "required": [key],
        "properties": {key: rows, "id": ID},
        "additionalProperties": False,
    }


def row(schema: TableSchema) -> Json:
    """A row by column name."""
    return {
        "type": "object",
        "required": [one.name for one in schema if not one.nullable],
        "properties": {one.name: column(one) for one in schema},
    }


def column(one: Column) -> Json:
    """A cell: type and what is refused; the range and the categories of the training data beside it.

    ``x-observed`` is the range seen in training, ``x-categories`` the values, where others are answered
    with a warning.
    """
    described: Json = dict(_TYPES.get(one.kind, {"type": "string"}))
    if described["type"] == "string" and not one.nullable and "format" not in described:
        described["minLength"] = 1  # an empty text is a missing one
    if one.nullable:
        described["type"] = [described["type"], "null"]
    seen = one.kind in _NUMBERS
    low = _bound(one.minimum, one.observed_min if one.strict and seen else None, max)
    high = _bound(one.maximum, one.observed_max if one.strict and seen else None, min)
    if low is not None:
        described["minimum"] = low
    if high is not None:
        described["maximum"] = high
    if one.kind is Kind.CATEGORICAL and one.categories:
        if one.strict:
            described["enum"] = [*one.categories, *([None] if one.nullable else [])]
        else:
            described["x-categories"] = list(one.categories)
    if seen and one.observed_min is not None and one.observed_max is not None:
        described["x-observed"] = [one.observed_min, one.observed_max]
    described["x-kind"] = one.kind.value
    text = " ".join(word for word in (one.description, one.unit and f"Unit: {one.unit}.", _seen(one)) if word)
    if text:
        described["description"] = text
    described["examples"] = [example(one)]
    return described


def _bound(first: float | None, second: float | None, pick: Any) -> float | None:
    given = [value for value in (first, second) if value is not None]
    return pick(given) if given else None


def _seen(one: Column) -> str:
    if one.observed_min is None or one.observed_max is None:
        return ""
    low, high = one.observed_min, one.observed_max
    if one.kind is Kind.DATETIME:
        return f"In training from {_date(low)} to {_date(high)}."
    return f"In training from {low:g} to {high:g}."


def _date(seconds: float) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).date().isoformat()
    except (OverflowError, OSError, ValueError):
        return f"{seconds:g}"


def _moment(seconds: float | None) -> str:
    """A time of the training data, else any."""
    try:
        moment = datetime.fromtimestamp(seconds or 1767355200.0, UTC)
    except (OverflowError, OSError, ValueError):
        moment = datetime(2026, 1, 2, 12, tzinfo=UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def example(one: Column) -> Scalar | None:
    """A plausible value: the column's own, or of the middle of what was seen."""
    if one.example is not None:
        return one.example
    if one.kind in _NUMBERS:
        bounds = [one.observed_min, one.observed_max, one.minimum, one.maximum]
        middle = next((value for value in bounds if value is not None), 0.0)
        if one.observed_min is not None and one.observed_max is not None:
            middle = (one.observed_min + one.observed_max) / 2
        return math.floor(middle) if one.kind is Kind.INTEGER else float(f"{middle:.4g}")
    plain: dict[Kind, Scalar] = {
        Kind.BOOLEAN: True,
        Kind.DATETIME: _moment(one.observed_max),
        Kind.IMAGE: _PIXEL,
    }
    if one.kind in plain:
        return plain[one.kind]
    return one.categories[0] if one.categories else "some text"


_PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def answer(models: Sequence[ModelEntry], *, looks_up: bool = False) -> Json:
    """What one row answers."""
    common: Json = {
        "latency": {"type": "number", "description": "Seconds in the server."},
        "prediction_id": {"type": "string", "description": "Names this answer in the log and in feedback."},
        "model_version": {"type": "integer"},
        "warnings": {"type": "array", "items": ref("Warning")},
    }
    if looks_up:
        about = "The generation of features in which was looked up."
        common[GENERATION] = {"type": "integer", "description": about}
    required = ["latency", "prediction_id", "model_version"]
    if len(models) == 1:
        one = _model_answer(models[0])
        return one | {"properties": one["properties"] | common, "required": [*one["required"], *required]}
    outputs: Json = {entry.name: _model_answer(entry) for entry in models}
    plain = {entry.name: outputs[entry.name]["properties"]["prediction"] for entry in models}
    return {
        "type": "object",
        "required": ["outputs", *required],
        "properties": plain
        | {"outputs": {"type": "object", "required": list(outputs), "properties": outputs}}
        | common,
    }


def _model_answer(entry: ModelEntry) -> Json:
    if entry.task is Task.REGRESSION:
        return _object({"prediction": {"type": "number", "description": entry.target}})
    if entry.task is Task.CLUSTERING:
        group: Json = {"prediction": {"type": "integer", "minimum": 0, "description": "The group's number."}}
        if entry.label_names:
            group["prediction_name"] = {"enum": list(entry.label_names)}
        return _object(group)
    names = label_names(entry)
    probability: Json = {"type": "number", "minimum": 0, "maximum": 1.0001}
    fields: Json = {
        "prediction": {"enum": list(entry.labels), "description": entry.target},
        "prediction_name": {"enum": list(names)},
        "confidence": probability,
        "probabilities": _object(dict.fromkeys(names, probability)),
    }
    if entry.threshold is not None:
        fields["score"] = {**probability, "description": f"Probability of {names[1]}."}
        fields["threshold"] = {"const": entry.threshold, "description": f"{names[1]} from this score on."}
    return _object(fields)


def with_truth(models: Sequence[ModelEntry]) -> list[ModelEntry]:
    """Those whose answers are right or wrong; nobody knows which cluster a row belongs to."""
    return [model for model in models if model.task is not Task.CLUSTERING]


def target(models: Sequence[ModelEntry]) -> Json:
    """What may be told as the truth; for several models an object by their names."""
    if len(models) == 1:
        properties: Json = _model_answer(models[0])["properties"]
        truth: Json = properties["prediction"]
        return truth
    return {
        "type": "object",
        "minProperties": 1,
        "properties": {one.name: target([one]) for one in with_truth(models)},
    }


def truths_csv(models: Sequence[ModelEntry]) -> Json:
    """The text of a CSV of truths: a header, and a line each."""
    labelled = with_truth(models)
    names = ["target"] if len(models) == 1 else [one.name for one in labelled]
    header = ",".join(map(_literally, ("prediction_id", *names)))
    line = ",".join(("[A-Za-z0-9._:-]{1,128}", *map(_cells, labelled)))
    return {
        "type": "string",
        "pattern": f"^{header}(\\n{line})+\\n?$",
        "description": "Columns may come in another order, cells in quotes, lines with a carriage return.",
    }


def _cells(entry: ModelEntry) -> str:
    """What stands for a truth in a CSV, as a pattern."""
    if entry.task is Task.REGRESSION:
        return r"-?[0-9]{1,15}(\.[0-9]{1,15})?"
    if not all(isinstance(label, int | str) for label in entry.labels):
        return '[^,"\\r\\n]+'
    return f"({'|'.join(_literally(_cell(str(label))) for label in entry.labels)})"


def _cell(text: str) -> str:
    """As RFC 4180 has it."""
    if _AWKWARD.search(text) is None:
        return text
    doubled = text.replace('"', '""')
    return f'"{doubled}"'


_AWKWARD = re.compile(r'[,"\s]')
_SYNTAX = re.compile(r"([\\^$.*+?()\[\]{}|/])")


def _literally(text: str) -> str:
    """A pattern that is matched by nothing else; in JSON Schema only what has a meaning may be escaped."""
    return _SYNTAX.sub(r"\\\1", text)


def example_target(models: Sequence[ModelEntry]) -> Any:
    """A truth that may be told."""
    if len(models) > 1:
        return {one.name: example_target([one]) for one in with_truth(models)}
    return models[0].labels[0] if models[0].labels else 1


def _object(properties: Json) -> Json:
    return {"type": "object", "required": list(properties), "properties": properties}


def infer_example(schema: TableSchema, row: Mapping[str, Any]) -> Json:
    """A request of the Open Inference Protocol that works."""
    return {
        "inputs": [
            {"name": one.name, "shape": [1], "datatype": datatype_of(one), "data": [row.get(one.name)]}
            for one in schema
        ]
    }


WARNING: Json = {
    "type": "object",
    "properties": {
        "loc": {"type": "array"},
        "msg": {"type": "string"},
        "type": {"type": "string"},
        "input": {},
    },
}
ERROR: Json = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {"type": "string"},
        "instruction": {"type": "string"},
        "prediction_id": {"type": "string"},
        "details": {"type": "array", "items": WARNING},
    },
}


def infer(models: Sequence[ModelEntry]) -> Json:
    """A request of the Open Inference Protocol, of what these models put out."""
    names = [output.name for output in outputs_of(models)]
    return {
        "type": "object",
        "required": ["inputs"],
        "properties": {
            "id": ID
            | {"type": ["string", "null"], "minLength": 0, "pattern": f"^{CHARACTER}*$"}
            | {"description": "Your own, sent back; the ids of several rows are id.0, id.1 and so on."},
            "inputs": {
                "type": "array",
                "minItems": 1,
                "items": {
                    "type": "object",
                    "required": ["name", "shape", "datatype"],
                    "properties": {
                        "name": {"type": "string", "minLength": 1},
                        "shape": {
                            "type": "array",
                            "minItems": 1,
                            "maxItems": 4,
                            "items": {"type": "integer", "minimum": 0},
                        },
                        "datatype": {"enum": list(DATATYPES)},
                        "data": {"type": "array", "description": "As many values as the shape says."},
                    },
                },
            },
            "outputs": {
                "type": ["array", "null"],
                "items": {
                    "type": "object",
                    "required": ["name"],
                    "properties": {"name": {"enum": names}},
                },
            },
        },
    }


def mlflow(schema: TableSchema) -> Json:
    """A body of ``/invocations`` in one of MLflow's four shapes."""
    names = list(schema.names)
    rows: Json = {"type": "array", "minItems": 1, "items": {"anyOf": [ref("Row"), ref("Values")]}}
    columns: Json = {
        "type": "object",
        "description": "By column the list of its values, all equally long; or one row.",
        "required": [one.name for one in schema if not one.nullable],
    }
    shapes: Json = {
        "dataframe_split": {
            "type": "object",
            "required": ["data"],
            "properties": {
                "columns": {
                    "type": ["array", "null"],
                    "description": "In the order of the data; another order than this is taken, too.",
                    "prefixItems": [{"const": name} for name in names],
                    "minItems": len(names),
                    "maxItems": len(names),
                },
                "data": {"type": "array", "minItems": 1, "items": ref("Values")},
            },
        },
        "dataframe_records": {"type": "array", "minItems": 1, "items": ref("Row")},
        "instances": rows,
        "inputs": {"anyOf": [columns, rows]},
    }
    params: Json = {
        "type": ["object", "null"],
        "properties": {
            "details": {"type": "boolean", "description": "Answer each row as /predict does."},
        },
    }
    return {
        "type": "object",
        "oneOf": [{"required": [shape]} for shape in shapes],
        "properties": {**shapes, "params": params},
        "additionalProperties": False,
    }


PREDICTIONS: Json = {
    "type": "object",
    "required": ["predictions"],
    "properties": {"predictions": {"type": "array"}},
}
TRIGGER: Json = {
    "type": "object",
    "properties": {
        "reason": {"type": "string", "maxLength": 1000, "pattern": r"\S"},
        "force_retrain": {
            "type": ["boolean", "null"],
            "description": "False: only where the project's own threshold is reached.",
        },
        "trigger_threshold": {
            "type": ["integer", "null"],
            "minimum": 1,
            "maximum": 1_000_000_000,
            "description": "Only where so many new labelled rows wait.",
        },
    },
}
ALERTMANAGER: Json = {
    "type": "object",
    "required": ["version"],
    "properties": {
        "version": {"const": "4"},
        "alerts": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["status"],
                "properties": {
                    "status": {"type": "string", "examples": ["firing", "resolved"]},
                    "labels": {"type": "object", "additionalProperties": {"type": "string"}},
                    "annotations": {"type": "object", "additionalProperties": {"type": "string"}},
                    "startsAt": {"anyOf": [{"type": "string", "format": "date-time"}, {"type": "null"}]},
                    "fingerprint": {"type": "string"},
                },
            },
        },
    },
}
ALERT_EXAMPLE: Json = {
    "version": "4",
    "status": "resolved",
    "alerts": [
        {
            "status": "resolved",
            "labels": {"alertname": "LiveQualityLow"},
            "annotations": {"summary": "f1 is below 0.9"},
            "startsAt": "2026-11-21T11:20:24Z",
            "fingerprint": "9f8e7d6c5b4a3210",
        }
    ],
}
