"""A version's bundle out of its trained models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

from modelwright.bundle.background import stored
from modelwright.bundle.format import BundleSchema, Lookup, ModelEntry
from modelwright.bundle.read import LoadedModel
from modelwright.bundle.rows import RowReader
from modelwright.bundle.write import BundleContents, ModelContents
from modelwright.data.profile import value_profile
from modelwright.schema.columns import TableSchema
from modelwright.schema.metrics import Task
from modelwright.schema.profile import ColumnProfile, Profile
from modelwright.train.compete import Contest
from modelwright.train.prepare import Prepared
from modelwright.train.raw import BuildFailed
from modelwright.train.segments import segment_names


@dataclass(frozen=True)
class Made:
    """One model of the version: its rows and what came of its candidates."""

    prepared: Prepared
    contest: Contest


@dataclass(frozen=True)
class Origin:
    """Where a version comes from: what its manifest says beside the models."""

    project: str
    version: int
    dataset_md5: str
    git_commit: str
    run_id: str
    libraries: dict[str, str]


def contents(models: Sequence[Made], origin: Origin, *, derive_source: str | None) -> BundleContents:
    """Everything the bundle is made of."""
    written = tuple(
        ModelContents(
            entry=entry_of(made), graph=made.contest.winner.graph, encoder=made.prepared.proof.encoder
        )
        for made in models
    )
    return BundleContents(
        project=origin.project,
        version=origin.version,
        dataset_md5=origin.dataset_md5,
        git_commit=origin.git_commit,
        run_id=origin.run_id,
        libraries=origin.libraries,
        models=written,
        schema=(schema := _schema(models)),
        reference=msgspec.json.encode(_reference(models)),
        derive_source=derive_source,
        example=_example(models, written, schema),
        background={
            made.prepared.part.name: stored(made.prepared.background, made.prepared.proof.encoder.names)
            for made in models
        },
    )


def _schema(models: Sequence[Made]) -> BundleSchema:
    inputs = _joined([made.prepared.inputs for made in models])
    features = _joined([made.prepared.features for made in models])
    online = models[0].prepared.part.online
    if online is None:
        return BundleSchema(inputs=inputs, features=features)
    names = {name for made in models for name in made.prepared.looked_up}
    columns = tuple(column for column in features if column.name in names)
    place = {name: place for place, name in enumerate(online.sent)}
    sent = sorted(inputs.columns, key=lambda column: place[column.name])
    if online.key not in inputs.names or not columns:
        why = "no table has that column" if columns else "there are none to look up"
        raise BuildFailed(
            f"The project looks features up by '{online.key}', but {why}.",
            "Let build in features.py give the key and the columns, or remove online from the project file.",
        )
    return BundleSchema(
        inputs=msgspec.structs.replace(inputs, columns=tuple(sent)),
        features=features,
        lookup=Lookup(key=online.key, columns=columns),
    )


def entry_of(made: Made) -> ModelEntry:
    """What the manifest says of a model."""
    prepared, winner = made.prepared, made.contest.winner
    assert winner.parity is not None  # noqa: S101 - a winner is eligible, so it was proven
    return ModelEntry(
        name=prepared.part.name,
        task=prepared.part.task,
        file="",
        estimator=winner.candidate.name,
        target=prepared.part.data.target or "",
        labels=tuple(prepared.material.labels),
        label_names=prepared.label_names or segment_names(winner, prepared.proof.encoder),
        threshold=winner.threshold,
        metrics=winner.metrics,
        parity=winner.parity,
    )


def _joined(schemas: Sequence[TableSchema]) -> TableSchema:
    """One schema with every column once; the first model's say counts."""
    if len(schemas) == 1:
        return schemas[0]
    columns = {column.name: column for schema in reversed(schemas) for column in schema}
    order = dict.fromkeys(name for schema in schemas for name in schema.names)
    others = dict.fromkeys(name for schema in schemas for name in sorted(schema.lineage))
    return TableSchema(
        columns=tuple(columns[name] for name in order),
        target=None,
        identifier=next((schema.identifier for schema in schemas if schema.identifier), None),
        ignored=tuple(name for name in others if name not in columns),
    )


def _reference(models: Sequence[Made]) -> Profile:
    first = models[0].prepared.reference
    columns = {column.name: column for made in reversed(models) for column in made.prepared.reference.columns}
    return msgspec.structs.replace(
        first,
        columns=tuple(columns.values()) if len(models) > 1 else first.columns,
        predictions={made.prepared.part.name: _answered(made) for made in models},
    )


def _answered(made: Made) -> ColumnProfile:
    """How the model's answers for the held-out rows are distributed."""
    part, answers = made.prepared.part, made.contest.winner.answers
    if part.task is Task.REGRESSION:
        assert answers.values is not None  # noqa: S101 - what a regression answers
        return value_profile(part.name, answers.values)
    assert answers.labels is not None  # noqa: S101 - what the others answer
    labels = tuple(made.prepared.material.labels) or tuple(range(int(answers.labels.max()) + 1))
    return value_profile(part.name, answers.labels, labels)


def _example(
    models: Sequence[Made], written: Sequence[ModelContents], schema: BundleSchema
) -> dict[str, Any]:
    """A held-out row as a client would send it, one with few gaps, and the answer.

    Where features are looked up, what is known of a key changes: the example gives none.
    """
    row: dict[str, Any] = {}
    answers: dict[str, Any] = {}
    if schema.lookup is not None:
        for made in models:
            row = {**made.prepared.examples[_fullest(made)], **row}
        row[schema.lookup.key] = None
        columns = RowReader(schema).read([row]).columns
        for model in written:
            loaded = LoadedModel(model.entry, model.encoder, model.graph, threads=1)
            answers[model.entry.name] = msgspec.to_builtins(loaded.answer(columns)[0])
        return _request(row, answers)
    for made, model in zip(models, written, strict=True):
        place = _fullest(made)
        row = {**made.prepared.examples[place], **row}
        loaded = LoadedModel(model.entry, model.encoder, model.graph, threads=1)
        one = {name: np.asarray(values[place : place + 1]) for name, values in made.prepared.held_out.items()}
        answers[model.entry.name] = msgspec.to_builtins(loaded.answer(one)[0])
    return _request(row, answers)


def _fullest(made: Made) -> int:
    """The place of the first example with the fewest missing values."""
    gaps = [sum(value is None for value in row.values()) for row in made.prepared.examples]
    return gaps.index(min(gaps))


def _request(row: dict[str, Any], answers: dict[str, Any]) -> dict[str, Any]:
    response = next(iter(answers.values())) if len(answers) == 1 else {"outputs": answers}
    return {"request": {"features": row}, "response": response}
