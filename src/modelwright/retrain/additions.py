"""Labelled rows that came since the base data: samples, and predictions whose truth came."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from modelwright.store.ports import Store
from modelwright.store.records import PredictionRecord

MOST_PREDICTIONS = 100_000
_PAGE = 1_000
_ANSWERED = 200


@dataclass(frozen=True)
class Addition:
    """One labelled row.

    Attributes:
        id: "sample:N" or "prediction:ID".
        features: By column name, as the client sent it.
        target: Its truth.
        received: When the truth came.
        sample: The sample's sequence; ``None`` for a prediction.
    """

    id: str
    features: dict[str, Any]
    target: Any
    received: datetime
    sample: int | None = None


def additions(store: Store, project: str) -> list[Addition]:
    """All of them, by the time their truth came.

    Samples that an earlier version used are among them: a dataset version is the base data and
    everything that came since. Of predictions the newest ``MOST_PREDICTIONS`` count.
    """
    found = [
        Addition(
            f"sample:{sample.sequence}", sample.features, sample.target, sample.received, sample.sequence
        )
        for sample in store.samples.list(project)
    ]
    found += _labelled(store, project)
    return sorted(found, key=lambda addition: (addition.received, addition.id))


def _labelled(store: Store, project: str) -> Iterator[Addition]:
    before: str | None = None
    for _ in range(MOST_PREDICTIONS // _PAGE):
        page = store.predictions.history(project, limit=_PAGE, before=before, labelled=True)
        if not page:
            return
        truths = store.labels.latest(project, [prediction.id for prediction in page])
        for prediction in page:
            truth = truths.get(prediction.id)
            if truth is not None and _usable(prediction):
                yield Addition(f"prediction:{prediction.id}", prediction.inputs, truth.target, truth.received)
        before = page[-1].id


def _usable(prediction: PredictionRecord) -> bool:
    return prediction.status == _ANSWERED and isinstance(prediction.inputs, dict)
