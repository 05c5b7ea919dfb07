"""What came of a training."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelwright.schema.metrics import Metric, Task
from modelwright.store.records import Decision, Verdict


@dataclass(frozen=True)
class ModelOutcome:
    """One model of the new version.

    Attributes:
        name: "model" where there is one.
        task: What it does.
        winner: The candidate that won.
        metric: What decided.
        metrics: Of the winner, on the held-out rows.
        leaderboard: All candidates (see ``train.leaderboard``), best first.
    """

    name: str
    task: Task
    winner: str
    metric: str
    metrics: dict[str, Metric]
    leaderboard: tuple[dict[str, Any], ...]


@dataclass(frozen=True)
class Outcome:
    """A version that was trained and registered, served or not.

    Attributes:
        project: Its name.
        version: Its number.
        decision: The gate's.
        models: Its models, the first one first.
        dataset_md5: Content hash of the data.
        bundle: Its bundle's folder.
        content_hash: Of the bundle.
        run_id: MLflow run of the winner.
        tracking_uri: Where that is, passwords masked.
        experiment: How to look at it: an address, or the command that opens it.
        report: Its report.
        released: Whether it is the champion now.
        seconds: From start to end.
    """

    project: str
    version: int
    decision: Decision
    models: tuple[ModelOutcome, ...]
    dataset_md5: str
    bundle: Path
    content_hash: str
    run_id: str
    tracking_uri: str
    experiment: str
    report: Path
    released: bool
    seconds: float

    @property
    def accepted(self) -> bool:
        """Whether it may be served."""
        return self.decision.verdict is Verdict.ACCEPTED

    @property
    def metrics(self) -> dict[str, Metric]:
        """Of all models; names begin with the model's where there are several."""
        if len(self.models) == 1:
            return self.models[0].metrics
        return {f"{m.name}.{name}": metric for m in self.models for name, metric in m.metrics.items()}
