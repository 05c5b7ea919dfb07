"""The rows of a duel: held out in the new version's training, and unknown to the champion."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np

from modelwright.bundle.preprocess import Recipe
from modelwright.bundle.read import Bundle, LoadedModel
from modelwright.data.rowhash import row_hashes
from modelwright.retrain.dataset import Note
from modelwright.retrain.duel import Sides
from modelwright.schema.columns import Kind
from modelwright.schema.metrics import Task
from modelwright.train.prepare import Prepared
from modelwright.train.publish import learned_file
from modelwright.train.versus import NotComparable, answers_of, clusters_of, labels_beyond

MOST_ROWS = 5_000
MOST_POINTS = 2_000
"""Of a clustering: its silhouette needs all pairs of distances."""
_GROUPING = frozenset({Kind.CATEGORICAL, Kind.BOOLEAN})


@dataclass(frozen=True)
class Champion:
    """Whom a challenger meets.

    Attributes:
        bundle: Opened.
        report: The folder of its training's report, where it is said what it learned from.
        created: When it was registered.
    """

    bundle: Bundle
    report: Path
    created: datetime


@dataclass(frozen=True)
class Arena:
    """One model's duel, ready to be judged.

    Attributes:
        sides: Both models' answers.
        ids: Where each row came from: "row:N" of the new dataset version (from 1), "sample:N" or
            "prediction:ID".
    """

    sides: Sides
    ids: tuple[str, ...]


@dataclass(frozen=True)
class ClusterArena:
    """One clustering's duel, ready to be judged.

    Attributes:
        points: The rows in a space that is neither model's own, [rows, dimensions].
        challenger, champion: The clusters either puts them in, [rows].
        ids: As of ``Arena``.
    """

    points: np.ndarray
    challenger: np.ndarray
    champion: np.ndarray
    ids: tuple[str, ...]


def cluster_arena(prepared: Prepared, challenger: Bundle, champion: Champion, note: Note) -> ClusterArena:
    """Both clusterings of the rows that neither learned from.

    Raises:
        NotComparable: One of them cannot answer these rows.
    """
    one, other = (_model(bundle, prepared.part.name) for bundle in (challenger, champion.bundle))
    rows = _sampled(_untouched(prepared, other, champion, note), MOST_POINTS, prepared.material.seed)
    points = prepared.material.matrices(Recipe()).test[rows]
    return ClusterArena(
        np.asarray(points.toarray() if hasattr(points, "toarray") else points, dtype=np.float64),
        clusters_of(one, prepared, rows),
        clusters_of(other, prepared, rows),
        tuple(_id(int(place), note) for place in prepared.held_out_rows[rows]),
    )


def arena(prepared: Prepared, challenger: Bundle, champion: Champion, note: Note) -> Arena:
    """Both models' answers for the rows that neither learned from.

    Args:
        prepared: The part, prepared from the new dataset version.
        challenger: The new version.
        champion: The one that answers now.
        note: What the new dataset version is made of.

    Raises:
        NotComparable: One of them cannot answer these rows; or there is no truth.
    """
    part, material = prepared.part, prepared.material
    if material.test_target is None:
        raise NotComparable("There is no truth to compare by.")
    one, other = (_model(bundle, part.name) for bundle in (challenger, champion.bundle))
    rows = _sampled(_untouched(prepared, other, champion, note), MOST_ROWS, material.seed)
    truth = material.test_target[rows]
    places = prepared.held_out_rows[rows]
    beyond = labels_beyond(other, prepared) if part.task is Task.CLASSIFICATION else ()
    return Arena(
        Sides(
            task=part.task,
            metric=material.metric,
            truth=truth,
            challenger=answers_of(one, prepared, rows, beyond=beyond),
            champion=answers_of(other, prepared, rows, beyond=beyond),
            groups=_groups(prepared, rows, truth),
            original=places < note.base_rows if note.ids else None,
        ),
        tuple(_id(int(place), note) for place in places),
    )


def _sampled(rows: np.ndarray, most: int, seed: int) -> np.ndarray:
    if len(rows) <= most:
        return rows
    return np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))


def _model(bundle: Bundle, name: str) -> LoadedModel:
    found = next((model for model in bundle.models if model.entry.name == name), None)
    if found is None:
        raise NotComparable(f"Version {bundle.manifest.version} has no model '{name}'.")
    return found


def _untouched(prepared: Prepared, model: LoadedModel, champion: Champion, note: Note) -> np.ndarray:
    """Positions among the held-out rows."""
    lacking = [name for name in model.encoder.names if name not in prepared.held_out]
    if lacking:
        raise NotComparable(f"The champion needs the column '{lacking[0]}', which is gone.")
    file = learned_file(champion.report, model.entry.name)
    if file.is_file():
        hashes = row_hashes(prepared.held_out[name] for name in model.encoder.names)
        return np.flatnonzero(~np.isin(hashes, np.load(file)))
    # What it learned from is not known: only what came after it certainly was not there.
    added = prepared.held_out_rows - note.base_rows
    late = np.array([moment > champion.created for moment in note.received], dtype=np.bool_)
    return np.flatnonzero([bool(note.ids) and place >= 0 and bool(late[place]) for place in added])


def _groups(prepared: Prepared, rows: np.ndarray, truth: np.ndarray) -> dict[str, np.ndarray]:
    """Values by which no group may be harmed: the classes, and columns of few values."""
    groups = {}
    if prepared.part.task is Task.CLASSIFICATION:
        names = prepared.label_names or tuple(str(label) for label in prepared.material.labels)
        groups[prepared.part.data.target or "class"] = np.array(names, dtype=object)[truth]
    for column in prepared.features:
        if column.kind in _GROUPING and column.name in prepared.held_out:
            values = prepared.held_out[column.name][rows]
            if values.dtype.kind == "f":
                values = np.array(["false", "true", ""], dtype=object)[
                    np.nan_to_num(values, nan=2).astype(int)
                ]
            groups[column.name] = values
    return groups


def _id(place: int, note: Note) -> str:
    added = place - note.base_rows
    return note.ids[added] if note.ids and added >= 0 else f"row:{place + 1}"
