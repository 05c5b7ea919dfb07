"""The thresholds in force, each with where it comes from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from modelwright.errors import ModelwrightError
from modelwright.monitor.thresholds import effective
from modelwright.project.load import Project, load
from modelwright.project.settings import resolve
from modelwright.schema.catalogue import METRICS
from modelwright.serve.dashboard.pages import Look

_SECTIONS = (
    ("gate", "What a version must reach to be served"),
    ("retrain", "How a retraining goes"),
    ("monitor", "How it is watched"),
    ("serve", "How it is served"),
)


@dataclass(frozen=True, slots=True)
class Line:
    """A value in force: its name, what it says, where it is said, and what it means."""

    name: str
    value: Any
    source: str
    meaning: str


def view(look: Look) -> dict[str, Any]:
    """The thresholds, the rest of the project file, and where things are kept."""
    project, problem = _project(look.room.file)
    broken = project is None and look.room.file
    held = () if broken else effective(project, look.store.overrides.list(look.room.project)).entries
    watched = {entry.name for entry in held}
    return {
        "problem": problem,
        "thresholds": held,
        "settable": [*(entry.name for entry in held if entry.settable), *_floors(project, watched)],
        "file": look.room.file and Path(look.room.file).name,
        "sections": [] if project is None else _sections(project, watched),
        "process": [] if project is None else _process(project),
    }


def _project(file: str) -> tuple[Project | None, str]:
    if not file:
        return None, "The project's file is not here; what it may say of other settings is not known."
    try:
        return load(file), ""
    except ModelwrightError as error:
        return None, str(error)


def _sections(project: Project, apart: set[str]) -> list[tuple[str, list[Line]]]:
    """What the project file says, without the thresholds that are told apart."""
    found = []
    for name, title in _SECTIONS:
        lines = [line for line in _of(project, getattr(project.file, name), name) if line.name not in apart]
        if lines:
            found.append((title, lines))
    return found


def _floors(project: Project | None, known: set[str]) -> list[str]:
    """Floors of live quality that may be set beside those that are."""
    if project is None or project.file.models:
        return []
    names = (f"retrain.quality.{metric}" for metric in METRICS[project.file.task])
    return [name for name in names if name not in known]


def _of(project: Project, model: BaseModel, place: str) -> list[Line]:
    lines: list[Line] = []
    for name, field in type(model).model_fields.items():
        value, key = getattr(model, name), f"{place}.{name}"
        if isinstance(value, BaseModel):
            lines += _of(project, value, key)
        elif isinstance(value, dict) and value:
            lines += [
                Line(f"{key}.{each}", told, _source(project, f"{key}.{each}", key), field.description or "")
                for each, told in value.items()
            ]
        else:
            lines.append(Line(key, value, _source(project, key), field.description or ""))
    return lines


def _source(project: Project, *keys: str) -> str:
    for key in keys:
        if key in project.lines:
            return f"{project.path.name}:{project.lines[key]}"
    return "default"


def _process(project: Project) -> list[Line]:
    try:
        entries = resolve(project).entries
    except ModelwrightError:
        return []
    # Host, port and workers are as the server was started, which only it knows.
    kept = [entry for entry in entries if entry.name not in {"host", "port", "workers"}]
    return [Line(entry.variable, entry.shown, entry.source, entry.description) for entry in kept]
