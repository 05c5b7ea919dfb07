"""The thresholds in force, each with where it comes from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from modelwright.errors import ModelwrightError
from modelwright.project.load import Project, load
from modelwright.project.settings import resolve
from modelwright.serve.dashboard.pages import Look

_SECTIONS = (
    ("gate", "What a version must reach to be served"),
    ("monitor", "What is watched while serving"),
    ("retrain", "What starts a retraining, and what it must show"),
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
    """The project file's thresholds, then how processes run."""
    project, problem = _project(look.room.file)
    return {
        "problem": problem,
        "file": look.room.file and Path(look.room.file).name,
        "sections": [] if project is None else [(title, _lines(project, name)) for name, title in _SECTIONS],
        "process": [] if project is None else _process(project),
    }


def _project(file: str) -> tuple[Project | None, str]:
    if not file:
        return (
            None,
            "The project's file is not here: only a bundle is served, so there are no thresholds to show.",
        )
    try:
        return load(file), ""
    except ModelwrightError as error:
        return None, str(error)


def _lines(project: Project, section: str) -> list[Line]:
    return list(_of(project, getattr(project.file, section), section))


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
    return [Line(entry.variable, entry.shown, entry.source, entry.description) for entry in entries]
