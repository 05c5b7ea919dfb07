"""From a project to material: read, built, checked, versioned, split, encoded."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from modelwright.bundle.background import drawn
from modelwright.bundle.derive import python_rows
from modelwright.bundle.encode import Encoder
from modelwright.bundle.pictures import Picture
from modelwright.data.arrays import ColumnArrays, column_arrays, strings, target_values
from modelwright.data.load import Loaded, materialise, read_table
from modelwright.data.pictures import as_sent, image_folders
from modelwright.data.profile import profile, value_profile
from modelwright.data.rowhash import row_hashes
from modelwright.data.split import split
from modelwright.data.validate import validate
from modelwright.data.version import DatasetVersion, version_data
from modelwright.project.load import Project
from modelwright.project.model import Decision, SqlSource
from modelwright.project.sources import SYNTHETIC
from modelwright.schema.columns import Scalar, TableSchema
from modelwright.schema.metrics import Task
from modelwright.schema.profile import Profile
from modelwright.train.catalogue import available_cores
from modelwright.train.encoders import Goal, fit_encoder
from modelwright.train.errors import SettingsInvalid
from modelwright.train.evaluate import default_metric
from modelwright.train.fit import Proof
from modelwright.train.folds import Fold, plan
from modelwright.train.material import Material, balancing_weights
from modelwright.train.parts import Part
from modelwright.train.progress import Progress, Stage
from modelwright.train.raw import Modelled, Rows, built, derive_source, modelled
from modelwright.train.weights import combined_weights, row_weights

LEAST_PROVEN = 1_000
MOST_PROVEN = 10_000
_BY_TIME_SHARE = 0.2
_EXAMPLES = 5
_STRANGERS = 8  # of so many training rows one is learned from without what is looked up


@dataclass(frozen=True)
class Prepared:
    """One part, ready to be trained.

    Attributes:
        part: Which model.
        inputs, features: The columns a client sends, and those the model sees.
        material: The encoded rows.
        proof: Rows to check exported models with.
        held_out: The held-out rows as columns.
        held_out_rows: Their positions in the table.
        learned: Fingerprints (``data.rowhash``) of the training rows over the encoder's columns, each
            once, uint64 ascending: what a later comparison must not ask about.
        reference: Profile of the training rows.
        label_names: What people call the labels; empty where nothing but the label itself.
        warnings: About the data, sentences.
        examples: A few held-out rows as clients send them.
        looked_up: Those of the features that are looked up when a request comes.
        summary: About the data, for a report.
        background: The training rows that are kept with the bundle (``bundle.background``).
        image_files: The files of the images that the rows point to.
    """

    part: Part
    inputs: TableSchema
    features: TableSchema
    material: Material
    proof: Proof
    held_out: ColumnArrays
    held_out_rows: np.ndarray
    learned: np.ndarray
    reference: Profile
    label_names: tuple[str, ...]
    warnings: tuple[str, ...]
    examples: tuple[dict[str, Any], ...]
    summary: dict[str, Any]
    background: ColumnArrays
    looked_up: tuple[str, ...] = ()
    image_files: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Dataset:
    """What was read.

    Attributes:
        version: As DVC knows it.
        loaded: The rows.
        image_folders: Where relative paths of image files start.
    """

    version: DatasetVersion
    loaded: Loaded
    image_folders: tuple[Path, ...] = ()


def read(source: str | SqlSource, part: Part, project: Project, progress: Progress) -> Dataset:
    """Read a source and put it under version control.

    Raises:
        ModelwrightError: Of the data's kind: absent, damaged, not versionable, disk full.
    """
    progress.stage(Stage.READ)
    path = materialise(source, project_dir=project.directory)
    loaded = read_table(source, base=project.directory, missing=part.data.missing, materialised=path)
    if isinstance(source, str) and source.startswith(SYNTHETIC):
        progress.note(f"These rows are not real: {loaded.origin}. What is measured on them is synthetic too.")
    progress.stage(Stage.VERSION)
    version = version_data(path, project.directory)
    return Dataset(version, loaded, image_folders(source, path, project.directory))


def prepare(dataset: Dataset, part: Part, project: Project, progress: Progress) -> Prepared:
    """Check, split and encode one part's rows.

    Raises:
        DataInvalid: The rows cannot be trained on; every reason is told.
        SplitImpossible: They cannot be parted as asked.
    """
    progress.stage(Stage.CHECK)
    source = derive_source(project.features_path)
    table = dataset.loaded.table
    if not part.data.built:
        table = built(table, project.features_path, part.name)
    part = part.over(table.column_names)
    found = modelled(table, part, source, image_folders=dataset.image_folders)
    report = validate(found.table, found.inferred, part.data, part.task)
    report.raise_errors()
    warnings = (*(" ".join(str(item).split()) for item in report.warnings), *found.warnings)
    for warning in warnings:
        progress.note(warning)
    progress.stage(Stage.ENCODE)
    labels, target = _target(found, part)
    sides = split(found.table, _identity(found), part.data.split, target, part.task)
    _with_strangers(found, sides.train)
    train, test = Rows(found.columns, sides.train), Rows(found.columns, sides.test)
    goal = Goal(None if target is None else target[sides.train], len(labels))
    encoder = fit_encoder(found.features, train, goal, part, project, progress)
    material = _material(found, part, labels, target, sides, encoder)
    return Prepared(
        part=part,
        inputs=found.inputs,
        features=found.features,
        material=material,
        proof=Proof(encoder, _proof_columns(found.columns, sides.train, sides.test)),
        held_out=test.kept(),
        held_out_rows=found.places[sides.test],
        learned=np.unique(row_hashes(train[name] for name in encoder.names)),
        reference=_reference(found, train, labels, None if target is None else target[sides.train]),
        label_names=_label_names(labels, {**dataset.loaded.label_names, **part.data.labels}),
        warnings=warnings,
        examples=_examples(found, sides.test[:_EXAMPLES]),
        summary=_summary(dataset, found, sides, encoder),
        looked_up=found.looked_up,
        background=Rows(found.columns, drawn(sides.train, part.data.split.seed)).kept(),
        image_files=_image_files(found),
    )


def _image_files(found: Modelled) -> tuple[Path, ...]:
    cells = (cell for values in found.pictures.values() for cell in values.tolist())
    return tuple({cell.path for cell in cells if isinstance(cell, Picture) and cell.path is not None})


def _with_strangers(found: Modelled, train: np.ndarray) -> None:
    """Take what would be looked up from a share of the training rows.

    So the models learn to answer for somebody of whom nothing is known: as the rows of the same
    inputs are answered on average. Which rows is decided by their content, so always the same.
    """
    if not found.looked_up:
        return
    hashes = row_hashes(found.columns[name][train] for name in found.columns)
    rows = train[hashes % np.uint64(_STRANGERS) == 0]
    for name in found.looked_up:
        values = found.columns[name].copy()
        values[rows] = "" if values.dtype == object else np.nan
        found.columns[name] = values


def _identity(found: Modelled) -> ColumnArrays:
    """What tells rows apart for the split: what a client sends, not what ``derive`` makes of it.

    So a row stays on its side when ``features.py`` changes, and versions are compared on the same rows.
    """
    if found.inputs is found.features:
        return found.columns
    return column_arrays(found.table, found.inputs)


def _target(found: Modelled, part: Part) -> tuple[tuple[Scalar, ...], np.ndarray | None]:
    column = found.inferred.schema.target
    if column is None or part.task is Task.CLUSTERING:
        return (), None
    return target_values(found.table, column, part.task)


def _material(  # noqa: PLR0917 - the steps' results, in their order
    found: Modelled,
    part: Part,
    labels: tuple[Scalar, ...],
    target: np.ndarray | None,
    sides: Any,
    encoder: Encoder,
) -> Material:
    train_target = None if target is None else target[sides.train]
    classification = part.task is Task.CLASSIFICATION
    train = Rows(found.columns, sides.train)
    group = part.data.split.by_group
    units: np.ndarray = row_hashes(train[name] for name in train)
    if group is not None:
        units = np.unique(strings(found.table.column(group))[sides.train].astype(str), return_inverse=True)[1]
    strata = train_target if classification else None
    seed = part.data.split.seed
    return Material(
        task=part.task,
        train=encoder.transform(train),
        test=encoder.transform(Rows(found.columns, sides.test)),
        blocks=encoder.blocks,
        train_target=train_target,
        test_target=None if target is None else target[sides.test],
        labels=labels,
        plan=plan(units, strata, seed=seed, latest=_latest(found, part, target, sides)),
        metric=part.train.metric or default_metric(part.task),
        weights=combined_weights(
            balancing_weights(train_target, len(labels), part.train.class_weight)
            if classification and train_target is not None
            else None,
            row_weights(found.table, part.data.weight, sides.train),
        ),
        threshold=part.threshold if len(labels) == 2 else None,
        seed=seed,
        cores=available_cores(),
        decision=_decision(part, labels),
    )


def _decision(part: Part, labels: tuple[Scalar, ...]) -> Decision | None:
    """What the threshold is chosen for.

    Raises:
        SettingsInvalid: There is no threshold between more than two labels.
    """
    if part.train.decision is not None and len(labels) != 2:
        raise SettingsInvalid(
            f"train.decision chooses a threshold between two labels; '{part.data.target}' has {len(labels)}.",
            "Remove the key from the project file.",
        )
    return part.train.decision


def _latest(found: Modelled, part: Part, target: np.ndarray | None, sides: Any) -> Fold | None:
    """Where the split is by time: fit on the earlier training rows, score on the later ones."""
    if part.data.split.by_time is None:
        return None
    again = split(
        found.table.take(sides.train),
        Rows(found.columns, sides.train).kept(),
        part.data.split.model_copy(update={"test": _BY_TIME_SHARE}),
        None if target is None else target[sides.train],
        part.task,
    )
    return Fold(again.train, again.test)


def _proof_columns(columns: ColumnArrays, train: np.ndarray, test: np.ndarray) -> ColumnArrays:
    """Held-out rows, at most ``MOST_PROVEN``; training rows beside them up to ``LEAST_PROVEN``."""
    rows = test[np.linspace(0, len(test) - 1, min(len(test), MOST_PROVEN)).astype(np.int64)]
    if len(rows) < LEAST_PROVEN:
        rows = np.concatenate([rows, train[: LEAST_PROVEN - len(rows)]])
    return Rows(columns, rows).kept()


def _reference(
    found: Modelled, train: Rows, labels: tuple[Scalar, ...], target: np.ndarray | None
) -> Profile:
    column = found.inferred.schema.target
    about = None if target is None or column is None else value_profile(column.name, target, labels)
    return profile(train, found.features, about)  # type: ignore[arg-type]


def _examples(found: Modelled, rows: np.ndarray) -> tuple[dict[str, Any], ...]:
    columns = column_arrays(found.table.take(rows), found.inputs)
    plain = [
        {
            name: value.isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else value
            for name, value in row.items()
        }
        for row in python_rows(columns, found.inputs)
    ]
    for name, cells in found.pictures.items():
        for row, sent in zip(plain, as_sent(cells[rows].tolist()), strict=True):
            row[name] = sent
    return tuple(plain)


def _label_names(labels: tuple[Scalar, ...], names: dict[str, str]) -> tuple[str, ...]:
    found = tuple(names.get(_text(label), _text(label)) for label in labels)
    return found if any(name != _text(label) for name, label in zip(found, labels, strict=True)) else ()


def _text(label: Scalar) -> str:
    return ("true" if label else "false") if isinstance(label, bool) else str(label)


def _summary(dataset: Dataset, found: Modelled, sides: Any, encoder: Encoder) -> dict[str, Any]:
    return {
        "origin": dataset.loaded.origin,
        "file": Path(dataset.version.path).name,
        "md5": dataset.version.md5,
        "rows": found.table.num_rows,
        "train": len(sides.train),
        "test": len(sides.test),
        "left_out": len(sides.left_out),
        "duplicates": sides.duplicates,
        "target": found.inferred.schema.target.name if found.inferred.schema.target else "",
        "columns": [
            {
                "name": column.name,
                "kind": column.kind.value,
                "missing": column.nullable,
                "low": column.observed_min,
                "high": column.observed_max,
                "categories": len(column.categories),
            }
            for column in found.features
        ],
        "ignored": {
            **{item.name: item.why for item in found.inferred.ignored},
            **encoder.ignored,
        },
    }
