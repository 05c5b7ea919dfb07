"""The thresholds in force: what the project file says, and what was set since while the service runs.

``effective`` is the one place that says which value holds and who said so. The triggers, ``/metrics``,
``/thresholds``, the dashboard and ``modelwright config`` all ask it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec
from pydantic import BaseModel, ValidationError

from modelwright.errors import ExitCode, ModelwrightError
from modelwright.project.durations import seconds
from modelwright.project.load import Project, load
from modelwright.project.model import Monitor, ProjectFile, Retrain
from modelwright.schema.catalogue import METRICS
from modelwright.store.ports import Store
from modelwright.store.records import EventRecord, OverrideRecord

_NAMES = {
    "retrain.new_samples": "New labelled rows that start a retraining.",
    "retrain.on_drift": "Whether an alarm of drift starts one.",
    "retrain.every": "The longest time without one.",
    "retrain.cooldown": "The least time between two.",
    "retrain.quality.window": "Labelled rows over which quality is judged.",
    "monitor.window": "Predictions that are judged together.",
    "monitor.drift.psi": "Population stability index that raises an alarm.",
}
_FLOOR = re.compile(r"retrain\.quality\.([a-z0-9_]+)")
_FLOOR_MEANS = "Worse than this over a whole window, with its interval, starts a retraining."
M = TypeVar("M", bound=BaseModel)
_SET_ONCE = frozenset({"monitor.window"})  # a detector's memory is of one length


class ThresholdInvalid(ModelwrightError):
    """A threshold cannot have this name or value."""

    code = ExitCode.PROJECT


class Threshold(msgspec.Struct, frozen=True, kw_only=True):
    """One threshold in force.

    Attributes:
        name: As the project file has it, for example "retrain.new_samples".
        value: What holds; ``None`` where nothing is asked for.
        source: "default", "project.yaml:12", or who set it, when and why.
        description: What it is for.
        settable: Whether it may be set while the service runs.
    """

    name: str
    value: Any
    source: str
    description: str
    settable: bool = True


@dataclass(frozen=True)
class Effective:
    """What holds.

    Attributes:
        retrain, monitor: The sections of the project file with what was set since.
        entries: Each threshold with its source.
    """

    retrain: Retrain
    monitor: Monitor
    entries: tuple[Threshold, ...]

    @property
    def quality_window(self) -> int:
        """Labelled rows over which quality is judged."""
        said = (self.retrain.quality or {}).get("window")
        return self.monitor.window if said is None else int(said)

    @property
    def floors(self) -> dict[str, float]:
        """Least value (most, where less is better) of each metric that triggers."""
        return {name: value for name, value in (self.retrain.quality or {}).items() if name != "window"}


def effective(project: Project | None, overrides: Sequence[OverrideRecord] = ()) -> Effective:
    """What holds for ``project`` (for a bundle that is served alone, ``None``: the defaults).

    An override that the project file has outgrown (its metric is of another task by now) is left out.
    """
    file = None if project is None else project.file
    retrain, monitor = (Retrain(), Monitor()) if file is None else (file.retrain, file.monitor)
    held: dict[str, OverrideRecord] = {}
    for record in overrides:
        try:
            retrain, monitor = _with(file, retrain, monitor, record.name, record.value)
        except ThresholdInvalid:
            continue
        held[record.name] = record
    floors = sorted(metric for metric in retrain.quality or {} if metric != "window")
    names = [*_NAMES, *(f"retrain.quality.{metric}" for metric in floors)]
    entries = tuple(
        Threshold(
            name=name,
            value=_value(retrain, monitor, name),
            source=_source(project, name, held.get(name)),
            description=_NAMES.get(name, _FLOOR_MEANS),
            settable=name not in _SET_ONCE,
        )
        for name in names
    )
    return Effective(retrain, monitor, entries)


def effective_of(store: Store, project: str, project_file: str) -> Effective:
    """What holds for a project by its file, read anew ("" where there is none).

    Raises:
        ModelwrightError: The file has mistakes or is gone.
        StoreUnavailable: The store cannot be asked.
    """
    return effective(load(project_file) if project_file else None, store.overrides.list(project))


def change(
    store: Store, project: str, project_file: str, values: Mapping[str, Any], *, actor: str, reason: str
) -> tuple[Effective, EventRecord]:
    """Set thresholds (``None`` takes one back to the project file's); what holds then, and the event.

    Raises:
        ThresholdInvalid: A name or value cannot be; nothing was set.
        ModelwrightError: The project file has mistakes.
    """
    if not values:
        raise ThresholdInvalid("Nothing was named to be set.", f"Name one of: {', '.join(settable())}.")
    loaded = load(project_file) if project_file else None
    file = None if loaded is None else loaded.file
    section = (Retrain(), Monitor()) if file is None else (file.retrain, file.monitor)
    for name, value in values.items():
        _check_name(file, name)
        if value is not None:
            section = _with(file, *section, name, value, strict=True)
    event = store.overrides.set(project, values, actor=actor, reason=reason)
    return effective(loaded, store.overrides.list(project)), event


def settable() -> list[str]:
    """Names that may be set while the service runs."""
    return [*(name for name in _NAMES if name not in _SET_ONCE), "retrain.quality.METRIC"]


def read_value(text: str) -> Any:
    """A threshold's value as a person types it: a number, yes or no, a length of time; "" takes it back."""
    word = text.strip()
    if word.lower() in {"", "none", "null", "default"}:
        return None
    if word.lower() in {"true", "yes", "on", "false", "no", "off"}:
        return word.lower() in {"true", "yes", "on"}
    for kind in (int, float):
        try:
            return kind(word)
        except ValueError:
            continue
    return word


def _check_name(file: ProjectFile | None, name: str) -> None:
    if name in _SET_ONCE:
        raise ThresholdInvalid(
            f"'{name}' cannot be set while the service runs: the detectors' memory is of that length.",
            "Change it in the project file.",
        )
    floor = _FLOOR.fullmatch(name)
    if name not in _NAMES and floor is None:
        raise ThresholdInvalid(f"There is no threshold '{name}'.", f"There are: {', '.join(settable())}.")
    if floor is not None and name not in _NAMES and file is not None and not file.models:
        known = METRICS[file.task]
        if floor[1] not in known:
            raise ThresholdInvalid(
                f"There is no metric '{floor[1]}' of a {file.task.value}.", f"There are: {', '.join(known)}."
            )


def _with(
    file: ProjectFile | None,
    retrain: Retrain,
    monitor: Monitor,
    name: str,
    value: Any,
    *,
    strict: bool = False,
) -> tuple[Retrain, Monitor]:
    """The sections with one more value; ``strict`` takes true for no number and text for none."""
    _check_name(file, name)
    if name.startswith("monitor."):
        changed = _validated(monitor, name.removeprefix("monitor.").split("."), value, name, strict=strict)
        return retrain, changed
    path = name.removeprefix("retrain.").split(".")
    made = _validated(retrain, path, value, name, strict=strict)
    for length in (made.cooldown, made.every):
        if length is not None:
            _check_length(name, length)
    window = (made.quality or {}).get("window")
    if window is not None and (window < 10 or window != int(window)):
        raise ThresholdInvalid(f"{name}: a window of {window:g} rows.", "Give a whole number of at least 10.")
    return made, monitor


def _check_length(name: str, length: str | float) -> None:
    try:
        seconds(length)
    except ValueError as error:
        raise ThresholdInvalid(f"{name}: {error}.", "Write it like 90s, 10m, 1h or 7d.") from error


def _validated(section: M, path: list[str], value: Any, name: str, *, strict: bool) -> M:
    tree = section.model_dump()
    at = tree
    for key in path[:-1]:
        at[key] = dict(at.get(key) or {})
        at = at[key]
    if strict and isinstance(value, float) and value.is_integer() and abs(value) < 2**63:
        value = int(value)  # 50.0 is a whole number to JSON
    at[path[-1]] = value
    try:
        return type(section).model_validate(tree, strict=strict)
    except ValidationError as error:
        said = error.errors(include_url=False, include_input=False)[0]["msg"]
        raise ThresholdInvalid(f"{name} cannot be {value!r}: {said}.", "Give another value.") from error


def _value(retrain: Retrain, monitor: Monitor, name: str) -> Any:
    at: Any = {"retrain": retrain.model_dump(), "monitor": monitor.model_dump()}
    for key in name.split("."):
        at = at.get(key) if isinstance(at, dict) else None
    return int(at) if name == "retrain.quality.window" and at is not None else at


def _source(project: Project | None, name: str, override: OverrideRecord | None) -> str:
    if override is not None:
        why = f": {override.reason}" if override.reason else ""
        return f"set by {override.actor or 'somebody'} on {override.time:%Y-%m-%d %H:%M} UTC{why}"
    if project is not None and name in project.lines:
        return f"{project.path.name}:{project.lines[name]}"
    return "default"
