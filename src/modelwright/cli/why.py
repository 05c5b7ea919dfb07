"""``modelwright why PREDICTION_ID``: from an answer back to data, code and libraries."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from modelwright.cli.terminal import Terminal
from modelwright.cli.verb import project_option, verb
from modelwright.cli.versions import interval
from modelwright.errors import ExitCode, ModelwrightError
from modelwright.figures import duration

if TYPE_CHECKING:
    from modelwright.project.load import Project
    from modelwright.project.settings import Settings
    from modelwright.store.lineage import Generation, Lineage
    from modelwright.store.ports import Store
    from modelwright.store.records import LabelRecord, VersionRecord

_WIDTH = 13
_LONGEST = 200
_MOST_VALUES = 60


class NoSuchPrediction(ModelwrightError):
    """The log has no prediction by that id."""

    code = ExitCode.USAGE


@verb(
    "why",
    examples=[
        ("modelwright why 019aa5f2-8c1e-7d3b-a1f0-5b6e0c9d2f11", "where that answer came from"),
        ("modelwright why 019aa5f2-8c", "the beginning of an id is enough where only one has it"),
        ("modelwright why order-17 -p examples/fraud --json", "the same as GET /predictions/order-17"),
    ],
)
@click.argument("prediction_id", metavar="PREDICTION_ID")
@project_option
def command(terminal: Terminal, prediction_id: str, project: str | None) -> None:
    """Say where an answer came from.

    The input, what was looked up for it, the version that answered and the release by which it was
    live, the gate's decision, the training's run, the data's md5, the code's commit, the libraries, and
    the truth if it is known.
    """
    from modelwright.cli.context import nothing_trained, open_project, opened_store
    from modelwright.store.lineage import document

    opened, settings = open_project(terminal, project)
    with opened_store(settings, create=False) as store:
        if store is None:
            raise nothing_trained(opened)
        lineage = _found(store, opened, prediction_id)
    terminal.result(document(lineage), lambda: _print(terminal, lineage, settings))


def _found(store: Store, project: Project, id: str) -> Lineage:
    from modelwright.store.lineage import meant, trace

    lineage = trace(store, project.name, id)
    if lineage is not None:
        return lineage
    whole, near = meant(store, project.name, id)
    if whole is not None and (lineage := trace(store, project.name, whole)) is not None:
        return lineage
    raise NoSuchPrediction(
        f"Project '{project.name}' has no prediction '{id[:_LONGEST]}' in its log (any more).",
        _advice(store, project, id, near),
        details=[f"near it: {each}" for each in near],
    )


def _advice(store: Store, project: Project, id: str, near: list[str]) -> str:
    if near:
        return "Check the id: it is the answer's 'prediction_id'."
    for other in store.versions.projects():
        if other != project.name and store.predictions.get(other, id) is not None:
            return f"It is one of project '{other}': ask there, with -p FOLDER."
    newest = store.predictions.history(project.name, limit=1)
    if not newest:
        return (
            "The log is empty: answers of 'modelwright serve' get there within moments, "
            "those of 'modelwright predict' are not logged."
        )
    return f"Give the 'prediction_id' of an answer; the newest is {newest[0].id}."


def _print(terminal: Terminal, lineage: Lineage, settings: Settings) -> None:
    record = lineage.prediction
    terminal.print(f"Prediction {record.id} of project '{record.project}'")
    _say(terminal, "answered", _answered(lineage))
    _say(terminal, "input", *_values(record.inputs))
    _say(terminal, "answer" if record.status < 400 else "refused", *_values(record.outputs))
    if record.warnings:
        _say(terminal, "warnings", *(_told(warning) for warning in record.warnings))
    if lineage.features is not None:
        _say(terminal, "looked up", *_generation(lineage.features))
    _say(terminal, "label", *_labels(lineage))
    if lineage.version is None:
        _say(terminal, "version", f"{record.version}, of which the store knows nothing (any more)")
        return
    _print_version(terminal, lineage.version, lineage, settings)


def _answered(lineage: Lineage) -> str:
    record = lineage.prediction
    told = f"{_time(record.time)} by version {record.version}"
    if record.role != "champion":
        told += f" as {record.role}"
    told += f", over {record.protocol}, in {duration(record.latency)}"
    return f"{told}, for {record.client}" if record.client else told


def _print_version(terminal: Terminal, version: VersionRecord, lineage: Lineage, settings: Settings) -> None:
    from modelwright.cli.context import bundle_path
    from modelwright.cli.summary import experiment

    metric = version.metrics.get(version.metric)
    quality = f"; {version.metric} {interval(metric)}" if metric is not None else ""
    _say(
        terminal,
        "version",
        f"{version.number}: {version.estimator}, trained {_time(version.created)}{quality}",
    )
    _say(terminal, "decision", version.decision.verdict.value, *version.decision.reasons)
    release = lineage.release
    if release is None:
        _say(terminal, "release", "none: it was not live when it answered")
    else:
        _say(terminal, "release", f"{_time(release.released)} by {release.actor}", release.reason)
    _say(terminal, "run", version.run_id or "not tracked", experiment(settings) if version.run_id else "")
    _say(terminal, "data", f"md5 {version.dataset_md5}")
    _say(terminal, "code", _commit(version.git_commit))
    libraries = [f"{name} {number}" for name, number in version.environment.items()]
    _say(terminal, "environment", *_wrapped(libraries))
    bundle = bundle_path(settings, version)
    _say(
        terminal,
        "bundle",
        f"{bundle}{'' if bundle.is_dir() else ' (gone)'}",
        f"content {version.content_hash}",
    )
    _say(terminal, "again", f"modelwright reproduce {version.number}")


def _generation(features: Generation) -> Iterator[str]:
    """In which generation of online features was looked up."""
    told = f"in generation {features.number} of the features"
    if features.written is None:
        yield f"{told}, of which the store knows nothing (any more)"
        return
    as_of = f", as of {features.as_of}" if features.as_of else ""
    yield f"{told}: {features.keys:,} keys{as_of}, written {_time(features.written)}"
    if not features.live:
        yield "a newer generation has taken its place since"


def _labels(lineage: Lineage) -> list[str]:
    if lineage.label is None:
        return ["none came yet"]
    lines = [f"{_told(lineage.label.target)}{_by(lineage.label)}"]
    others = [label for label in lineage.labels if label.sequence != lineage.label.sequence]
    return lines + [f"also said: {_told(label.target)}{_by(label)}" for label in others]


def _by(label: LabelRecord) -> str:
    return f", {_time(label.received)}" + (f", from {label.client}" if label.client else "")


def _commit(commit: str) -> str:
    if not commit:
        return "not in git when it was trained"
    if commit.endswith("-dirty"):
        return f"git commit {commit.removesuffix('-dirty')}, with changes that were not committed"
    return f"git commit {commit}"


def _values(value: Any) -> list[str]:
    """A row, one line a value; anything else in one line."""
    if not isinstance(value, Mapping):
        return [_told(value)]
    lines = [f"{name}: {_told(each)}" for name, each in value.items()]
    more = len(lines) - _MOST_VALUES
    return lines if more <= 0 else [*lines[:_MOST_VALUES], f"… and {more} more: see --json"]


def _told(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    text = text if text.isprintable() else repr(text)
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"


def _wrapped(words: list[str], width: int = 90) -> Iterator[str]:
    line = ""
    for word in words:
        if line and len(line) + len(word) + 2 > width:
            yield line + ","
            line = word
        else:
            line = f"{line}, {word}" if line else word
    yield line or "not recorded"


def _time(moment: datetime) -> str:
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _say(terminal: Terminal, title: str, *lines: str) -> None:
    """A part of the walk: its title once, its lines under each other."""
    for place, line in enumerate(line for line in lines if line):
        terminal.print(f"  {(title if place == 0 else ''):{_WIDTH}}{line}")
