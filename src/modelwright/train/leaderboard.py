"""The leaderboard: one row a candidate, plain enough for JSON, the store and a table on screen.

A row has ``rank``, ``candidate``, ``estimator`` (its class), ``settings``, ``metric`` (which decided),
``score`` (``value``, ``spread``, ``how``: on training rows it was not fitted on), ``metrics`` (on the
held-out rows, each ``value``, ``low``, ``high``), ``fit_seconds``, ``latency_seconds`` (one row),
``size_bytes`` (of the exported model), ``exportable``, ``eligible``, ``reason`` (why not), ``notes``,
``trials`` (of its search) and ``cluster_scores``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from modelwright.train.catalogue import Candidate
from modelwright.train.evaluate import higher_is_better
from modelwright.train.fit import Trained
from modelwright.train.material import Material


def row_of(trained: Trained, material: Material) -> dict[str, Any]:
    """The row of a candidate that was trained."""
    return {
        **_common(trained.candidate, material),
        "score": {
            "value": _number(trained.score),
            "spread": _number(trained.spread),
            "how": material.plan.words,
        },
        "metrics": {
            name: {"value": metric.value, "low": metric.low, "high": metric.high}
            for name, metric in trained.metrics.items()
        },
        "fit_seconds": trained.fit_seconds,
        "latency_seconds": trained.latency,
        "size_bytes": len(trained.graph) or None,
        "exportable": bool(trained.graph),
        "eligible": trained.eligible,
        "reason": trained.reason,
        "notes": list(trained.notes),
        "trials": len(trained.trials),
        "cluster_scores": list(trained.cluster_scores),
    }


def failed_row(candidate: Candidate, material: Material, reason: str) -> dict[str, Any]:
    """The row of a candidate that could not be trained."""
    return {
        **_common(candidate, material),
        "score": None,
        "metrics": {},
        "fit_seconds": None,
        "latency_seconds": None,
        "size_bytes": None,
        "exportable": False,
        "eligible": False,
        "reason": reason,
        "notes": [],
        "trials": 0,
        "cluster_scores": [],
    }


def ranked(rows: Sequence[dict[str, Any]], material: Material) -> tuple[dict[str, Any], ...]:
    """Best first: eligible ones by score, then those that are not, then those that failed."""
    sign = -1.0 if higher_is_better(material.task, material.metric) else 1.0

    def place(row: dict[str, Any]) -> tuple[bool, bool, float]:
        value = None if row["score"] is None else row["score"]["value"]
        return (not row["eligible"], value is None, 0.0 if value is None else round(sign * value, 12))

    return tuple({"rank": rank, **row} for rank, row in enumerate(sorted(rows, key=place), start=1))


def _common(candidate: Candidate, material: Material) -> dict[str, Any]:
    return {
        "candidate": candidate.name,
        "estimator": f"{candidate.cls.__module__.split('.')[0]}.{candidate.cls.__qualname__}",
        "settings": {name: _plain(value) for name, value in candidate.settings.items()},
        "metric": material.metric,
    }


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
