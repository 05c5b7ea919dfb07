"""The boards of all workers as ``GET /metrics`` says them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from modelwright.bundle.answers import label_names
from modelwright.serve.deployment import Deployment
from modelwright.serve.metrics.board import Key

PROTOCOLS = {
    "predict": "/predict",
    "invocations": "/invocations",
    "v2": "/v2/models/{name}/infer",
    "sagemaker": "/endpoints/{name}/invocations",
}
"""Route of each protocol's requests."""


def summary(counts: Mapping[Key, float], deployments: Mapping[str, Deployment]) -> dict[str, Any]:
    """Counts since the server began, over all its workers."""
    requests = _sum(counts, lambda key: key[0] == "requests" and key[1] in PROTOCOLS)
    errors = _sum(
        counts, lambda key: key[0] == "requests" and key[1] in PROTOCOLS and not key[2].startswith("2")
    )
    seconds = _sum(counts, lambda key: key[0] == "seconds" and key[1] in PROTOCOLS)
    document: dict[str, Any] = {
        "request_count": int(requests),
        "error_count": int(errors),
        "total_predictions": int(_sum(counts, lambda key: key[0] == "rows")),
        "average_latency": seconds / requests if requests else 0.0,
        "prediction_distribution": {},
        "models": {},
    }
    for place, (name, deployment) in enumerate(deployments.items()):
        spread = distribution(counts, name)
        model = {
            "version": deployment.version,
            "total_predictions": int(_sum(counts, lambda key, name=name: key[:2] == ("rows", name))),
            "prediction_distribution": spread,
        }
        document["models"][name] = model
        if place == 0:
            document["prediction_distribution"] = spread
    return document


def distribution(counts: Mapping[Key, float], name: str) -> dict[str, Any]:
    """How often each class was answered; of several models, by model."""
    spread: defaultdict[str, defaultdict[str, int]] = defaultdict(lambda: defaultdict(int))
    for key, count in counts.items():
        if key[0] == "answers" and key[1] == name:
            spread[key[3]][key[4]] += int(count)
    if len(spread) <= 1:
        return dict(next(iter(spread.values()), {}))
    return {model: dict(answers) for model, answers in spread.items()}


def model_info(deployments: Mapping[str, Deployment]) -> dict[str, Any]:
    """What the first model is."""
    for name, deployment in deployments.items():
        entry = deployment.bundle.manifest.models[0]
        return {
            "name": name,
            "version": deployment.version,
            "task": entry.task.value,
            "estimator": entry.estimator,
            "feature_names": list(deployment.inputs.names),
            "target_names": list(label_names(entry)),
            "model_loaded": True,
        }
    return {"feature_names": [], "target_names": [], "model_loaded": False}


def _sum(counts: Mapping[Key, float], wanted: Any) -> float:
    return sum(count for key, count in counts.items() if wanted(key))
