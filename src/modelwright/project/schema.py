"""The JSON Schema of the project file, for editors and other programs.

It accepts what ``load`` accepts: a number where text is meant is text, so both may stand there.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from modelwright.project.load import FILE
from modelwright.project.model import ProjectFile
from modelwright.schema.catalogue import CANDIDATES, METRICS

FORMAT = 1
PUBLISHED = Path(__file__).with_name("project.schema.json")


def build() -> dict[str, Any]:
    """The schema (JSON Schema draft 2020-12), made from the typed model."""
    schema = ProjectFile.model_json_schema()
    definitions = schema.pop("$defs")
    for part in (schema, *definitions.values()):
        for name, value in part.get("properties", {}).items():
            needed = name in part.get("required", [])
            part["properties"][name] = _loosened(value) if needed else _optional(_loosened(value))
    _name_what_there_is(definitions)
    _allow_several(definitions["Data"]["properties"])
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:modelwright:project:{FORMAT}",
        **schema,
        "title": f"Modelwright project file ({FILE})",
        "$defs": definitions,
    }


def text() -> str:
    """The schema as the published file holds it."""
    return json.dumps(build(), indent=2, ensure_ascii=False) + "\n"


def _loosened(value: Any) -> Any:
    """``value`` with numbers and booleans allowed wherever plain text is."""
    if isinstance(value, list):
        return [_loosened(item) for item in value]
    if not isinstance(value, dict):
        return value
    if value.get("type") == "string" and not {"pattern", "enum"} & set(value):
        return value | {"type": ["string", "number", "boolean"]}
    return {key: _loosened(inner) for key, inner in value.items()}


def _optional(value: dict[str, Any]) -> dict[str, Any]:
    """A key whose value is left empty is a key that is not there."""
    entries = value.get("additionalProperties")
    if isinstance(entries, dict) and "$ref" in entries:
        value = value | {"additionalProperties": _optional(entries)}
    if "anyOf" in value:
        branches = [*value["anyOf"]]
        return value | {"anyOf": branches if {"type": "null"} in branches else [*branches, {"type": "null"}]}
    if "$ref" in value:
        rest = {key: inner for key, inner in value.items() if key != "$ref"}
        return {"anyOf": [{"$ref": value["$ref"]}, {"type": "null"}], **rest}
    if "type" in value and "enum" not in value:
        kinds = value["type"] if isinstance(value["type"], list) else [value["type"]]
        return value | {"type": [*kinds, "null"]}
    return value


def _allow_several(data: dict[str, Any]) -> None:
    """A list of sources: ``load`` puts the one that is there in its place."""
    one = {"anyOf": [{"type": "string"}, {"$ref": "#/$defs/SqlSource"}]}
    several = {"type": "array", "minItems": 1, "items": one}
    data["source"] = data["source"] | {"anyOf": [*data["source"]["anyOf"], several]}


def _name_what_there_is(definitions: dict[str, Any]) -> None:
    candidates = _all(CANDIDATES)
    metrics = _all(METRICS)
    dotted = {"type": "string", "pattern": r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)+$"}
    settings = {"type": ["object", "null"]}
    train = definitions["Train"]["properties"]
    train["candidates"]["items"] = {
        "anyOf": [
            {"enum": candidates},
            dotted,
            {
                "type": "object",
                "minProperties": 1,
                "maxProperties": 1,
                "properties": dict.fromkeys(candidates, settings),
                "patternProperties": {dotted["pattern"]: settings},
                "additionalProperties": False,
            },
        ]
    }
    train["metric"] = train["metric"] | {"anyOf": [{"enum": metrics}, {"type": "null"}]}
    definitions["Gate"]["properties"]["floors"]["propertyNames"] = {"enum": metrics}


def _all(by_task: Any) -> list[str]:
    return list(dict.fromkeys(name for names in by_task.values() for name in names))
