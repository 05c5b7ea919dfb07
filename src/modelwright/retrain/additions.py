"""Labelled rows that came since the base data: samples, and predictions whose truth came."""

from __future__ import annotations

from collections import Counter
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
        client: Who told the truth.
    """

    id: str
    features: dict[str, Any]
    target: Any
    received: datetime
    sample: int | None = None
    client: str = ""


def additions(store: Store, project: str, *, per_client: int | None = None) -> list[Addition]:
    """All of them, by the time their truth came.

    Samples that an earlier version used are among them: a dataset version is the base data and
    everything that came since. Of predictions the newest ``MOST_PREDICTIONS`` count.

    Args:
        store: Where they are.
        project: Whose.
        per_client: At most so many, the newest, of each client.
    """
    found = [
        Addition(
            f"sample:{sample.sequence}",
            sample.features,
            sample.target,
            sample.received,
            sample.sequence,
            sample.client,
        )
        for sample in store.samples.list(project)
    ]
    found += _labelled(store, project)
    found.sort(key=lambda addition: (addition.received, addition.id))
    return found if per_client is None else _newest_of_each(found, per_client)


def _newest_of_each(found: list[Addition], most: int) -> list[Addition]:
    taken: Counter[str] = Counter()
    kept = []
    for addition in reversed(found):
        if taken[addition.client] < most:
            taken[addition.client] += 1
            kept.append(addition)
    return kept[::-1]


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
                id = f"prediction:{prediction.id}"
                yield Addition(id, prediction.inputs, truth.target, truth.received, client=truth.client)
        before = page[-1].id


def _usable(prediction: PredictionRecord) -> bool:
    return prediction.status == _ANSWERED and isinstance(prediction.inputs, dict)
