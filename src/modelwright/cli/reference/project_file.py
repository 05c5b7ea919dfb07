"""The reference of the project file, from the model that reads it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from modelwright.project.model import ProjectFile

_INTRO = """# The project file

`project.yaml` says what is trained, from what, and what a version must reach. `modelwright check` tells every
mistake in it at once; `modelwright schema` prints its JSON Schema, with which editors complete it. Only
`name` and `data` are needed; everything else has the default shown."""


def page() -> str:
    """The whole page, Markdown."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    schema = ProjectFile.model_json_schema()
    parts: dict[str, Any] = schema.get("$defs", {})
    yield _INTRO
    waiting = [("", schema)]
    seen: set[str] = set()
    while waiting:
        path, part = waiting.pop(0)
        yield from _section(path, part)
        for key, value in part.get("properties", {}).items():
            for name, suffix in _named(value):
                if name not in seen and "properties" in parts.get(name, {}):
                    seen.add(name)
                    waiting.append((f"{path}.{key}{suffix}".lstrip("."), parts[name]))


def _section(path: str, part: dict[str, Any]) -> Iterator[str]:
    yield ""
    if path:
        yield f"## {path}"
        yield ""
    if part.get("description") and path:
        yield " ".join(str(part["description"]).split("\n\n")[0].split())
        yield ""
    required = set(part.get("required", ()))
    yield "| key | value | default | meaning |"
    yield "| --- | --- | --- | --- |"
    for key, value in part.get("properties", {}).items():
        default = "" if key in required or "default" not in value else _shown(value["default"])
        meaning = str(value.get("description", "")).replace("|", "\\|")
        needed = " (needed)" if key in required else ""
        yield f"| `{key}`{needed} | {_type(value)} | {default} | {meaning} |"


def _named(value: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Sections a value may hold, with what their path ends in."""
    if "$ref" in value:
        yield value["$ref"].rpartition("/")[2], ""
    for one in (*value.get("anyOf", ()), *value.get("allOf", ())):
        yield from _named(one)
    inner = value.get("additionalProperties")
    if isinstance(inner, dict):
        for name, suffix in _named(inner):
            yield name, f".NAME{suffix}"


def _type(value: dict[str, Any]) -> str:
    if "$ref" in value:
        name = value["$ref"].rpartition("/")[2]
        return _enum(name) or "section"
    if "enum" in value or "const" in value:
        return ", ".join(f"`{one}`" for one in value.get("enum", [value.get("const")]))
    if "anyOf" in value:
        return " or ".join(dict.fromkeys(_type(one) for one in value["anyOf"] if one.get("type") != "null"))
    if value.get("type") == "array":
        return f"list of {_type(value.get('items', {}))}"
    if value.get("type") == "object":
        inner = value.get("additionalProperties")
        return f"mapping to {_type(inner)}" if isinstance(inner, dict) else "mapping"
    names = {"string": "text", "integer": "whole number", "number": "number", "boolean": "true or false"}
    return names.get(str(value.get("type")), "anything")


def _enum(name: str) -> str:
    part = ProjectFile.model_json_schema().get("$defs", {}).get(name, {})
    return ", ".join(f"`{one}`" for one in part.get("enum", ()))


def _shown(value: Any) -> str:
    if value is None or value in ({}, []) or isinstance(value, dict):
        return ""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, list):
        return f"`[{', '.join(map(str, value))}]`"
    return f"`{value}`" if value != "" else ""
