"""Truths checked against the models they are about: the same for a request and for a file."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from modelwright.bundle.answers import label_names
from modelwright.bundle.format import ModelEntry
from modelwright.schema.metrics import Task
from modelwright.serve.errors import BadBody, clip

_LONGEST_CLASS = 200
_MOST_SHOWN = 20


def checked_target(
    models: Sequence[ModelEntry],
    value: Any,
    where: tuple[Any, ...],
    *,
    text: bool = False,
    new_classes: bool = False,
) -> Any:
    """The truth for a row as the target column holds it; several models take a mapping of theirs.

    Args:
        models: Of the version that is live.
        value: As it was told.
        where: Its place, for errors.
        text: Whether it came as text, in which numbers are written too (CSV).
        new_classes: Whether a label that the model does not know is taken.

    Raises:
        BadBody: It is no value that the target can have.
    """
    if len(models) == 1:
        return _checked(models[0], value, where, text=text, new_classes=new_classes)
    if not isinstance(value, dict) or not value:
        raise BadBody("Must be an object of one value a model.", kind="dict_type", loc=where)
    known = {entry.name: entry for entry in models}
    for name in value:
        if name not in known:
            raise BadBody(f"There is no model {clip(name)!r}.", kind="model_unknown", loc=where)
    return {
        name: _checked(known[name], each, (*where, name), text=text, new_classes=new_classes)
        for name, each in value.items()
    }


def _checked(entry: ModelEntry, value: Any, where: tuple[Any, ...], *, text: bool, new_classes: bool) -> Any:
    if entry.task is Task.CLUSTERING:
        raise BadBody(
            f"The model {entry.name!r} puts rows into clusters, of which nobody knows the truth. Rows to "
            "learn from go to /add_training_data.",
            kind="target_unexpected",
            given=value,
            loc=where,
        )
    if entry.task is Task.CLASSIFICATION:
        return _checked_label(entry, value, where, text=text, new_classes=new_classes)
    number = _number(value) if text else value
    if isinstance(number, bool) or not isinstance(number, int | float) or not math.isfinite(number):
        raise BadBody("Must be a number.", kind="number_type", loc=where, given=value)
    return number


def _checked_label(
    entry: ModelEntry, value: Any, where: tuple[Any, ...], *, text: bool, new_classes: bool
) -> Any:
    for label in entry.labels:
        if type(label) is type(value) and label == value:
            return label
    names = label_names(entry)
    # True is 1 to Python; to a client it is a label only where there are just yes and no.
    if not isinstance(value, bool) or set(entry.labels) == {0, 1}:
        for label, name in zip(entry.labels, names, strict=True):
            if value in (label, name) or str(label) == value:
                return label
    if new_classes and (found := _new_class(entry, value, text=text)) is not None:
        return found
    shown = ", ".join(map(_spoken, entry.labels[:_MOST_SHOWN], names))
    more = f" and {len(names) - _MOST_SHOWN} more" if len(names) > _MOST_SHOWN else ""
    said = f"Must be one of the labels {shown}{more}"
    if new_classes:
        said += f", or a new one: {_form(entry)}"
    raise BadBody(f"{said}.", kind="label_unknown", loc=where, given=value)


def _form(entry: ModelEntry) -> str:
    """What a further label of the model has to be, in words."""
    kinds = {type(label) for label in entry.labels}
    if kinds == {str}:
        return f"a text of 1 to {_LONGEST_CLASS} characters"
    return "a whole number" if kinds == {int} else "a number" if kinds == {float} else "of the same kind"


def _spoken(label: Any, name: str) -> str:
    return repr(label) if str(label) == name else f"{label!r} ({name})"


def _new_class(entry: ModelEntry, value: Any, *, text: bool) -> Any:
    """``value`` as a further label, if it is of the kind the known ones are of."""
    kinds = {type(label) for label in entry.labels}
    if text and kinds <= {int, float} and kinds:
        value = _number(value)
    if isinstance(value, str):
        return value if kinds == {str} and 0 < len(value.strip()) <= _LONGEST_CLASS else None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return value if type(value) in kinds else None


def _number(value: Any) -> Any:
    """The number that a text spells, or the value itself."""
    if not isinstance(value, str):
        return value
    try:
        return int(value)
    except ValueError:
        pass
    try:
        return float(value)
    except ValueError:
        return value
