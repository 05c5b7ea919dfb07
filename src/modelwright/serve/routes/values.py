"""Query parameters and targets, checked."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from modelwright.bundle.answers import label_names
from modelwright.bundle.format import ModelEntry
from modelwright.schema.metrics import Task
from modelwright.serve.deployment import Deployment
from modelwright.serve.errors import BadBody, ServeError, clip

_MOST_DIGITS = 12
_YES, _NO = frozenset({"true", "1", "yes", "known"}), frozenset({"false", "0", "no", "unknown"})


class BadQuery(ServeError):
    """A query parameter that cannot be used."""

    status = 400

    def __init__(self, name: str, value: str, wanted: str) -> None:
        problem = {
            "loc": ["query", name],
            "msg": f"Must be {wanted}.",
            "type": "query_invalid",
            "input": clip(value),
        }
        super().__init__("Input validation failed", problems=(problem,))


def whole(query: Mapping[str, str], name: str, default: int | None, *, most: int) -> int | None:
    """A whole number from 1 on."""
    text = query.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit()) or len(text) > _MOST_DIGITS or not 1 <= int(text) <= most:
        raise BadQuery(name, text, f"a whole number from 1 to {most}")
    return int(text)


def truth(query: Mapping[str, str], name: str) -> bool | None:
    """Yes, no, or not asked."""
    text = query.get(name)
    if text is None or text.lower() in _YES:
        return None if text is None else True
    if text.lower() in _NO:
        return False
    raise BadQuery(name, text, "true or false")


def moment(query: Mapping[str, str], name: str) -> datetime | None:
    """An RFC 3339 time; without a zone it is UTC."""
    text = query.get(name)
    if text is None:
        return None
    try:
        # A plus sign that was not encoded arrives as a space.
        found = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
    except ValueError:
        raise BadQuery(name, text, "a time such as 2026-01-31T12:00:00Z") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def checked_target(deployment: Deployment, value: Any, where: tuple[Any, ...]) -> Any:
    """The truth for a row as the target column holds it; several models take a mapping of theirs.

    Raises:
        BadBody: It is no value that the target can have.
    """
    entries = deployment.bundle.manifest.models
    if len(entries) == 1:
        return _checked(entries[0], value, where)
    if not isinstance(value, dict) or not value:
        raise BadBody("Must be an object of one value a model.", kind="dict_type", loc=where)
    known = {entry.name: entry for entry in entries}
    for name in value:
        if name not in known:
            raise BadBody(f"There is no model {clip(name)!r}.", kind="model_unknown", loc=where)
    return {name: _checked(known[name], each, (*where, name)) for name, each in value.items()}


def _checked(entry: ModelEntry, value: Any, where: tuple[Any, ...]) -> Any:
    if entry.task is Task.CLASSIFICATION:
        return _checked_label(entry, value, where)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise BadBody("Must be a number.", kind="number_type", loc=where)
    return value


def _checked_label(entry: ModelEntry, value: Any, where: tuple[Any, ...]) -> Any:
    for label in entry.labels:
        if type(label) is type(value) and label == value:
            return label
    for label, name in zip(entry.labels, label_names(entry), strict=True):
        if value in (label, name) or str(label) == value:
            return label
    shown = ", ".join(map(repr, entry.labels[:20]))
    raise BadBody(f"Must be one of the labels {shown}.", kind="label_unknown", loc=where)
