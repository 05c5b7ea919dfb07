"""JSON Schema of a body of ``POST /thresholds``: the names there are, and what each may be set to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from modelwright.project.durations import MOST
from modelwright.schema.catalogue import METRICS
from modelwright.schema.metrics import Task

Json = dict[str, Any]

_PART = "([1-9][0-9]{0,4} ?[smh]|[1-9][0-9]{0,3} ?d)"
_LENGTH: Json = {
    "anyOf": [
        {"type": "string", "pattern": f"^{_PART}( ?{_PART}){{0,2}}$"},
        {"type": "number", "exclusiveMinimum": 0, "maximum": MOST},
        {"type": "null"},
    ],
    "description": "Seconds, or a length such as 90s, 10m, 1h 30m or 7d.",
}
_VALUES: dict[str, Json] = {
    "retrain.new_samples": {"type": ["integer", "null"], "minimum": 1, "maximum": 2**64 - 1},
    "retrain.on_drift": {"type": ["boolean", "null"]},
    "retrain.every": _LENGTH,
    "retrain.cooldown": _LENGTH,
    "retrain.quality.window": {"type": ["integer", "null"], "minimum": 10},
    "monitor.drift.psi": {"type": ["number", "null"], "exclusiveMinimum": 0},
}


def thresholds(tasks: Sequence[Task]) -> Json:
    """The schema for models of these tasks; every metric is one for which a least value may be set."""
    metrics = sorted({name for task in tasks or Task for name in METRICS[task]})
    floors = f"^retrain\\.quality\\.({'|'.join(metrics)})$"
    return {
        "type": "object",
        "required": ["thresholds"],
        "properties": {
            "thresholds": {
                "type": "object",
                "minProperties": 1,
                "properties": _VALUES,
                "patternProperties": {floors: {"type": ["number", "null"]}},
                "additionalProperties": False,
                "description": "Values by name; null takes one back to what the project file says.",
            },
            "reason": {"type": "string", "maxLength": 1000, "pattern": r"^$|\S"},
        },
    }
