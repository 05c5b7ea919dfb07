"""A small watched project: its bundle with a real profile, and streams of its predictions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelwright.monitor.monitors import Monitors, Pace, Watched
from modelwright.monitor.thresholds import Effective, effective
from modelwright.project.model import Monitor, Retrain
from modelwright.store.records import PredictionRecord, Truth
from modelwright.testing.factories import version
from modelwright.testing.memory import MemoryStore
from watched import NAMES, write_bundle

START = datetime(2026, 5, 1, tzinfo=UTC)


@pytest.fixture(scope="session")
def bundles(tmp_path_factory) -> Path:
    """Bundles of versions 1 and 2, of different rows."""
    folder = tmp_path_factory.mktemp("watched")
    for number in (1, 2):
        write_bundle(folder, number, seed=number)
    return folder


class Stream:
    """A store that is filled with predictions, and the monitors over it.

    Attributes:
        store: The store.
        now: The present time of the stream.
    """

    def __init__(self, bundles: Path, pictures: Path, store: Any = None) -> None:
        self.store = MemoryStore() if store is None else store
        self.bundles = bundles
        self.pictures = pictures
        self.now = START
        self.number = 0
        self.version = 1
        self.beside: tuple[int, ...] = ()
        self.settings: dict[str, Any] = {}
        for number in (1, 2):
            if self.store.versions.get("iris", number) is None:
                self.store.versions.add(version(number))
        self.monitors = self.monitor()

    def monitor(self, **pace: Any) -> Monitors:
        """Monitors as after a restart."""
        return Monitors(
            self.store,
            "iris",
            pictures=self.pictures,
            pace=Pace(**{"judge": timedelta(0), "batch": 500, **pace}),
            now=lambda: self.now,
        )

    def effective(self) -> Effective:
        """Thresholds as the test has set them."""
        made = effective(None)
        retrain = Retrain.model_validate(self.settings.get("retrain", {}))
        monitor = Monitor.model_validate(self.settings.get("monitor", {"window": 200}))
        return Effective(retrain, monitor, made.entries)

    def answer(self, matrix: np.ndarray, target: Any = None, *, label_every: int = 0, wrong: float = 0.0):
        """Log answers of the live version, a second a row, and labels of some; their ids."""
        random = np.random.default_rng(self.number)
        records, truths = [], []
        for row, features in enumerate(matrix):
            score = 1 / (1 + np.exp(-3 * (features[0] + features[1])))
            answer = int(score > 0.5)
            self.number += 1
            self.now += timedelta(seconds=1)
            id = f"p{self.number:07d}"
            records.append(
                PredictionRecord(
                    id=id,
                    project="iris",
                    version=self.version,
                    time=self.now,
                    status=200,
                    inputs=dict(zip(NAMES, map(float, features), strict=True)),
                    outputs={
                        "prediction": answer,
                        "prediction_name": ("no", "yes")[answer],
                        "confidence": float(max(score, 1 - score)),
                        "probabilities": {"no": float(1 - score), "yes": float(score)},
                    },
                )
            )
            if label_every and row % label_every == 0:
                truth = int(target[row])
                truths.append(Truth(id, 1 - truth if random.random() < wrong else truth))
        self.store.predictions.add(records)
        if truths:
            self.store.labels.record("iris", truths, client="ann")
        self.now += timedelta(seconds=1)
        return [record.id for record in records]

    def look(self, monitors: Monitors | None = None) -> int:
        """One look at the live version."""
        beside = tuple(self.bundles / f"v{number}" for number in self.beside)
        watched = Watched(
            version=self.version, bundle=self.bundles / f"v{self.version}", since=START, beside=beside
        )
        return (monitors or self.monitors).look(watched, self.effective())

    def events(self, kind: str) -> list[Any]:
        """Of a kind, oldest first."""
        return list(self.store.events.list("iris", kind=kind))[::-1]


@pytest.fixture
def stream(bundles, tmp_path) -> Stream:
    """An empty log of version 1."""
    return Stream(bundles, tmp_path / "alarms")
