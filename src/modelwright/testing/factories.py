"""Small complete records for tests: say what matters, the rest is sensible."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from modelwright.schema.metrics import Metric, Parity
from modelwright.store.records import Decision, KeyRecord, PredictionRecord, Verdict, VersionRecord

NOON = datetime(2026, 1, 2, 12, 0, 0, 123456, tzinfo=UTC)
"""A time that tests may build on."""


def decision(verdict: Verdict = Verdict.ACCEPTED, *reasons: str) -> Decision:
    """A gate's decision."""
    told = reasons or (f"f1 is 0.98, the floor is 0.95: {verdict.value}.",)
    return Decision(
        verdict=verdict, reasons=told, checks={"f1": {"value": 0.98, "floor": 0.95}}, decided=NOON
    )


def version(number: int = 1, **changes: Any) -> VersionRecord:
    """A registered version, accepted unless ``decision`` says otherwise."""
    fields: dict[str, Any] = {
        "project": "iris",
        "number": number,
        "created": NOON + timedelta(minutes=number),
        "estimator": "logistic_regression",
        "metric": "f1",
        "metrics": {"f1": Metric(0.97, 0.93, 1.0), "accuracy": Metric(0.96, 0.92, 1.0)},
        "parity": {"iris": Parity(rows=30, labels_differ=0, max_difference=1.25e-7)},
        "decision": decision(),
        "dataset_md5": "d41d8cd98f00b204e9800998ecf8427e",
        "git_commit": "9fceb02d0ae598e95dc970b74767f19372d61af8",
        "run_id": f"run-{number}",
        "fingerprint": f"fingerprint-{number}",
        "content_hash": f"content-{number}",
        "bundle": f"bundles/v{number}",
        "leaderboard": ({"candidate": "logistic_regression", "f1": 0.97},),
        "environment": {"python": "3.11.9"},
    }
    return VersionRecord(**{**fields, **changes})


def prediction(id: str | None = None, **changes: Any) -> PredictionRecord:
    """An answered row of version 1 at noon."""
    fields: dict[str, Any] = {
        "id": str(uuid.uuid4()) if id is None else id,
        "project": "iris",
        "version": 1,
        "time": NOON,
        "status": 200,
        "inputs": {"sepal length (cm)": 5.1, "sepal width (cm)": 3.5},
        "outputs": {"prediction": 0, "prediction_name": "setosa", "confidence": 0.98},
        "latency": 0.00125,
    }
    return PredictionRecord(**{**fields, **changes})


def predictions(count: int, **changes: Any) -> Sequence[PredictionRecord]:
    """``count`` rows, a second apart, the first the oldest, with ids that sort the other way round."""
    return [
        prediction(f"p{count - place:06d}", **{"time": NOON + timedelta(seconds=place), **changes})
        for place in range(count)
    ]


def api_key(id: str = "k1", **changes: Any) -> KeyRecord:
    """A good key that may predict."""
    fields: dict[str, Any] = {
        "id": id,
        "name": "laptop",
        "hash": "sha256$salt$0123",
        "scopes": ("predict", "read"),
        "created": NOON,
    }
    return KeyRecord(**{**fields, **changes})
