"""What a training leaves in MLflow: a run with a nested run a candidate, the data, and the model."""

from __future__ import annotations

import importlib.metadata
import json
import math
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from modelwright import __version__
from modelwright.bundle.export import NotExportable, column_graph
from modelwright.schema.columns import Column, Kind
from modelwright.schema.metrics import Task
from modelwright.train.fit import Trained
from modelwright.train.package import Made
from modelwright.train.prepare import Prepared
from modelwright.train.track import VERSION_TAG, Tracker

_LONGEST = 500
_PLAIN = frozenset({Kind.NUMERIC, Kind.INTEGER})
_NUMBER = re.compile(r"\s*[-+]?\d.*")
_LIBRARIES = ("onnxruntime", "numpy", "pandas")


def record_candidates(
    tracker: Tracker, parent: str, made: Made, *, prefix: str, plots: Sequence[Path], tags: dict[str, str]
) -> str:
    """One run a candidate.

    Args:
        tracker: Open.
        parent: The training's run.
        made: The model with its candidates.
        prefix: Before names of runs, where the project has several models.
        plots: Of the winner.
        tags: For every run.

    Returns:
        The winner's run.
    """
    winner = ""
    for row in made.contest.leaderboard:
        name = row["candidate"]
        trained = made.contest.trained.get(name)
        run = str(
            tracker.call("start", name=prefix + name, tags={**tags, **_tags(row)}, parent=parent)["run"]
        )
        won = trained is made.contest.winner
        tracker.post(
            "log",
            run=run,
            params=_params(row),
            metrics=_metrics(row, trained),
            tags={"modelwright.winner": "true"} if won else {},
            files=[(str(path), "plots") for path in plots] if won else [],
        )
        _record_data(tracker, run, made.prepared)
        tracker.post("end", run=run, status="FINISHED" if trained is not None else "FAILED")
        if won:
            winner = run
    return winner


def record_training(
    tracker: Tracker, parent: str, models: Sequence[Made], *, files: Sequence[Path], params: dict[str, str]
) -> None:
    """The training's own run: the winners' metrics, the report, and what it ran on."""
    metrics: list[tuple[str, float, int]] = []
    for made in models:
        before = f"{made.prepared.part.name}." if len(models) > 1 else ""
        metrics += [(before + name, value, step) for name, value, step in _metrics(_winning_row(made), None)]
    tracker.post(
        "log", run=parent, params=params, metrics=metrics, tags={}, files=[(str(path), "") for path in files]
    )
    _record_data(tracker, parent, models[0].prepared)


def record_model(
    tracker: Tracker,
    run: str,
    models: Sequence[Made],
    *,
    project: str,
    version: int,
    bundle: Path,
    derived: bool,
    tags: dict[str, str],
) -> str:
    """Log and register the model; MLflow's version number comes back.

    It is an ONNX model with one input a column where that gives the bundle's answers, else a Python
    function that opens the bundle (see ``_flat_graph``).
    """
    graph = None if derived or len(models) > 1 else _flat_graph(models[0])
    with tempfile.TemporaryDirectory() as folder:
        place = None
        if graph is not None:
            place = Path(folder) / "model.onnx"
            place.write_bytes(graph)
        answer = tracker.call(
            "model",
            run=run,
            registered=project,
            bundle=str(bundle),
            graph=None if place is None else str(place),
            example=_example(models),
            types=_types(models, checked=graph is not None),
            outputs=_outputs(models, flat=graph is not None),
            requirements=_requirements(graph is None),
            tags={**tags, VERSION_TAG: str(version)},
        )
    return str(answer["version"])


def _flat_graph(made: Made) -> bytes | None:
    """The graph for MLflow's onnx flavour, where it answers as the bundle does.

    It gives label indices, so they must be the labels; it compares no probability with a threshold;
    it knows no missing strings, and MLflow gives a single column another shape.
    """
    prepared = made.prepared
    schema, encoder = prepared.inputs, prepared.proof.encoder
    plain = all(_is_flat(column) for column in schema if column.name in encoder.names)
    indices = list(prepared.material.labels) == list(range(len(prepared.material.labels)))
    if not plain or not indices or made.contest.winner.threshold is not None or len(encoder.names) < 2:
        return None
    try:
        return column_graph(made.contest.winner.graph, encoder)
    except NotExportable:
        return None


def _is_flat(column: Column) -> bool:
    """Whether a graph can take the column as pandas holds it.

    MLflow gives whole numbers as integers, which a float tensor refuses, also where they stand for
    categories; and a graph knows no missing string.
    """
    if column.kind is Kind.CATEGORICAL:
        return not column.nullable and not any(_NUMBER.fullmatch(name) for name in column.categories)
    return column.kind is Kind.NUMERIC


def _types(models: Sequence[Made], *, checked: bool) -> dict[str, str]:
    """MLflow's type of each input column."""
    found: dict[str, str] = {}
    for made in models:
        used = set(made.prepared.proof.encoder.names)
        for column in made.prepared.inputs:
            if checked and column.name not in used:
                continue
            kind = "any"
            if column.kind is Kind.NUMERIC:
                kind = "double"
            elif column.kind is Kind.TEXT or (checked and column.kind is Kind.CATEGORICAL):
                kind = "string"
            found.setdefault(column.name, kind + ("?" if column.nullable else ""))
    return found


def _outputs(models: Sequence[Made], *, flat: bool) -> dict[str, str]:
    found: dict[str, str] = {}
    for made in models:
        before = f"{made.prepared.part.name}." if len(models) > 1 else ""
        regression = made.prepared.part.task is Task.REGRESSION
        if flat:
            found["value" if regression else "label"] = "double" if regression else "long"
        else:
            found[f"{before}prediction"] = "double" if regression else "any"
    return found


def _example(models: Sequence[Made]) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = {}
    for made in models:
        for name in made.prepared.inputs.names:
            columns.setdefault(name, [row[name] for row in made.prepared.examples])
    least = min(len(values) for values in columns.values())
    kinds = {column.name: column.kind for made in models for column in made.prepared.inputs}
    return {
        name: [float(v) if v is not None and kinds[name] in _PLAIN else v for v in values[:least]]
        for name, values in columns.items()
    }


def _requirements(with_us: bool) -> list[str]:
    names = list(_LIBRARIES)
    found = [f"{name}=={importlib.metadata.version(name)}" for name in names]
    return [*found, f"modelwright=={__version__}"] if with_us else found


def _record_data(tracker: Tracker, run: str, prepared: Prepared) -> None:
    summary = prepared.summary
    schema = {
        "mlflow_colspec": [
            {"name": column["name"], "type": column["kind"], "required": not column["missing"]}
            for column in summary["columns"]
        ]
    }
    profile = {"num_rows": summary["rows"], "train": summary["train"], "test": summary["test"]}
    tracker.post(
        "data",
        run=run,
        name=summary["file"],
        digest=summary["md5"],
        source=summary["origin"],
        profile=json.dumps(profile),
        schema=json.dumps(schema),
    )


def _tags(row: dict[str, Any]) -> dict[str, str]:
    tags = {
        "modelwright.candidate": row["candidate"],
        "modelwright.estimator": row["estimator"],
        "modelwright.rank": str(row["rank"]),
        "modelwright.exportable": str(row["exportable"]).lower(),
    }
    if row["reason"]:
        tags["modelwright.reason"] = row["reason"]
    return tags


def _params(row: dict[str, Any]) -> dict[str, str]:
    return {name: str(value)[:_LONGEST] for name, value in row["settings"].items()}


def _metrics(row: dict[str, Any], trained: Trained | None) -> list[tuple[str, float, int]]:
    """Metrics with their bounds, the score that decided, costs, and the trials of a search by step."""
    found: list[tuple[str, float, int]] = []
    for name, metric in row["metrics"].items():
        found += [(name, metric["value"], 0), (f"{name}_low", metric["low"], 0)]
        found.append((f"{name}_high", metric["high"], 0))
    if row["score"] is not None:
        found += [
            ("selection_score", row["score"]["value"], 0),
            ("selection_spread", row["score"]["spread"], 0),
        ]
    found += [
        (name, row[name], 0)
        for name in ("fit_seconds", "latency_seconds", "size_bytes")
        if row[name] is not None
    ]
    if trained is not None:
        found += [("trial_score", trial.score, trial.number) for trial in trained.trials]
        for scores in trained.cluster_scores:
            step = int(scores["clusters"])
            found += [
                (f"by_clusters_{name}", value, step) for name, value in scores.items() if name != "clusters"
            ]
    return [
        (name, float(value), step)
        for name, value, step in found
        if value is not None and math.isfinite(value)
    ]


def _winning_row(made: Made) -> dict[str, Any]:
    name = made.contest.winner.candidate.name
    return next(row for row in made.contest.leaderboard if row["candidate"] == name)
