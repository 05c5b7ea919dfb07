"""A new model against the champion on the same held-out rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from modelwright.bundle.read import BundleInvalid, LoadedModel, open_bundle
from modelwright.schema.columns import Kind
from modelwright.schema.metrics import Task
from modelwright.train import bootstrap
from modelwright.train.answers import Answers, decide
from modelwright.train.evaluate import higher_is_better, measure
from modelwright.train.prepare import Prepared

LEAST_ROWS = 100
_MOST_ROWS = 5_000
_TIMES = 400
_BATCH = 4_096


class NotComparable(Exception):
    """The champion cannot answer these rows; the message says why."""


@dataclass(frozen=True)
class Comparison:
    """The deciding metric of both on the same rows.

    Attributes:
        version: The champion's number.
        metric: Which metric.
        mine, theirs: Its values for the new model and the champion.
        gain: How much better the new one is, whichever direction is better.
        low, high: Paired bootstrap interval (95 %) of ``gain``.
        rows: How many rows.
        same_data: Whether the champion was trained on the same data, and so held out the same rows.
    """

    version: int
    metric: str
    mine: float
    theirs: float
    gain: float
    low: float
    high: float
    rows: int
    same_data: bool

    def inferior_by(self, margin: float) -> bool:
        """Whether the new model is worse by more than ``margin``.

        From ``LEAST_ROWS`` rows on the measured difference decides; on fewer, where one row moves a
        metric by more than any margin, only a difference that the whole interval confirms.
        """
        return (self.gain if self.rows >= LEAST_ROWS else self.high) < -margin


def compare(prepared: Prepared, mine: Answers, champion: Path, *, dataset_md5: str) -> Comparison:
    """Compare a new model's answers with the champion's.

    Args:
        prepared: The part, with its held-out rows.
        mine: The new model's answers for all of them.
        champion: The champion's bundle.
        dataset_md5: Of the data the new model was trained on.

    Raises:
        NotComparable: The champion cannot answer these rows.
    """
    part, material = prepared.part, prepared.material
    if part.task is Task.CLUSTERING or material.test_target is None:
        raise NotComparable("Clusterings have no truth to be compared by.")
    try:
        bundle = open_bundle(champion)
    except BundleInvalid as error:
        raise NotComparable(f"Its bundle cannot be opened: {error.reason}") from error
    model = next((model for model in bundle.models if model.entry.name == part.name), None)
    if model is None:
        raise NotComparable(f"It has no model '{part.name}'.")
    rows = _sample(len(material.test_target), material.seed)
    theirs = answers_of(model, prepared, rows)
    picked = Answers(
        *(None if a is None else a[rows] for a in (mine.labels, mine.probabilities, mine.values))
    )
    return _compared(
        prepared,
        picked,
        theirs,
        rows,
        version=bundle.manifest.version,
        same_data=bundle.manifest.dataset_md5 == dataset_md5,
    )


def _sample(rows: int, seed: int) -> np.ndarray:
    return np.sort(np.random.default_rng(seed).permutation(rows)[:_MOST_ROWS])


def answers_of(
    model: LoadedModel, prepared: Prepared, rows: np.ndarray, *, beyond: Sequence[str] = ()
) -> Answers:
    """A bundle's answers for some held-out rows, its labels put in the places of ours.

    Args:
        model: Of the bundle.
        prepared: Whose held-out rows.
        rows: Which of them.
        beyond: Further labels, that no row has, with the places after ours (``labels_beyond``).

    Raises:
        NotComparable: It cannot answer these rows.
    """
    entry, part = model.entry, prepared.part
    labels = [*map(str, prepared.material.labels), *beyond]
    columns = _columns(model, prepared, rows)
    if entry.target and entry.target != part.data.target:
        raise NotComparable(f"It predicts another target ('{entry.target}').")
    gone = [label for label in map(str, entry.labels) if label not in labels]
    if part.task is Task.CLASSIFICATION and gone:
        raise NotComparable(f"It answers the label '{gone[0]}', which is in no row any more.")
    outputs = _outputs(model, prepared, columns)
    if part.task is Task.REGRESSION:
        return Answers(values=outputs)
    own = [str(label) for label in entry.labels]
    known = [place for place, label in enumerate(labels) if label in own]
    # A label that came since it was trained is one that it never answers.
    probabilities = np.zeros((len(outputs), len(labels)))
    probabilities[:, known] = outputs[:, [own.index(labels[place]) for place in known]]
    decided = decide(probabilities[:, known], entry.threshold)
    return Answers(labels=np.array(known)[decided], probabilities=probabilities)


def labels_beyond(model: LoadedModel, prepared: Prepared) -> tuple[str, ...]:
    """Labels that a model answers and no row has any more."""
    ours = set(map(str, prepared.material.labels))
    return tuple(label for label in map(str, model.entry.labels) if label not in ours)


def clusters_of(model: LoadedModel, prepared: Prepared, rows: np.ndarray) -> np.ndarray:
    """The clusters that a bundle puts some held-out rows in.

    Raises:
        NotComparable: It cannot answer these rows.
    """
    columns = _columns(model, prepared, rows)
    return np.asarray(_outputs(model, prepared, columns, output=0)).ravel().astype(np.int64)


def _columns(model: LoadedModel, prepared: Prepared, rows: np.ndarray) -> dict[str, np.ndarray]:
    """What the model is asked, if it does what the part is to do and its columns are there."""
    if model.entry.task is not prepared.part.task:
        raise NotComparable(f"It does {model.entry.task.value}.")
    kinds = {column.name for column in prepared.features}
    lacking = [name for name in model.encoder.names if name not in kinds]
    if lacking:
        raise NotComparable(f"It needs the column '{lacking[0]}', which is gone.")
    return {name: prepared.held_out[name][rows] for name in model.encoder.names}


def _outputs(
    model: LoadedModel, prepared: Prepared, columns: dict[str, np.ndarray], *, output: int = -1
) -> np.ndarray:
    """Probabilities, values, or what else the graph gives; in batches."""
    rows = len(next(iter(columns.values()), ()))
    try:
        parts = [
            _run(model, {name: values[start : start + _BATCH] for name, values in columns.items()})[output]
            for start in range(0, rows, _BATCH)
        ]
    except (TypeError, ValueError) as error:
        kinds = {column.name: column.kind for column in prepared.features}
        changed = ", ".join(name for name in model.encoder.names if kinds[name] is not Kind.NUMERIC)
        raise NotComparable(f"A column it needs has changed its kind ({changed or error}).") from error
    return np.concatenate(parts).astype(np.float64)


def _run(model: LoadedModel, columns: dict[str, np.ndarray]) -> list[np.ndarray]:
    return list(model.run(*model.encoder.transform_dense(columns)))


def _compared(
    prepared: Prepared, mine: Answers, theirs: Answers, rows: np.ndarray, *, version: int, same_data: bool
) -> Comparison:
    material = prepared.material
    assert material.test_target is not None  # noqa: S101 - checked by the caller
    truth = material.test_target[rows]
    sign = 1.0 if higher_is_better(material.task, material.metric) else -1.0

    def value(answers: Answers, some: np.ndarray) -> float:
        found = measure(material.task, answers.take(some), truth[some], only=material.metric).get(
            material.metric
        )
        return float("nan") if found is None else found.value

    everything = np.arange(len(truth))
    one, other = value(mine, everything), value(theirs, everything)
    if not np.isfinite(one - other):
        raise NotComparable(f"'{material.metric}' cannot be measured on the held-out rows.")
    gain = sign * (one - other)
    draws = bootstrap.row_draws(
        lambda some: sign * (value(mine, some) - value(theirs, some)),
        len(truth),
        np.random.default_rng(material.seed),
        times=_TIMES,
    )
    low, high = bootstrap.interval(draws, gain)
    return Comparison(version, material.metric, one, other, gain, low, high, len(truth), same_data)
