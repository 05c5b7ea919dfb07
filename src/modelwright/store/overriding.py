"""What is said of a threshold that is set while the service runs: the same in every store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

KIND = "settings"
"""Of the event that a change leaves."""


def sentence(values: Mapping[str, Any], actor: str, reason: str) -> str:
    """The change in words."""
    told = [
        f"{name} back to the project file's" if value is None else f"{name} to {value}"
        for name, value in sorted(values.items())
    ]
    why = f": {reason}" if reason else ""
    return f"{actor or 'Somebody'} set {', '.join(told) or 'nothing'}{why}"
