"""How MLflow opens a model whose rows need Python before the graph: it opens the bundle.

MLflow imports this module by name when it loads the model (``loader_module``). No pickle is involved.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from modelwright.bundle.answers import Answer
from modelwright.bundle.read import Bundle, open_bundle


class BundleModel:
    """A bundle with MLflow's ``predict``."""

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle

    def predict(self, data: Any, params: dict[str, Any] | None = None) -> Any:  # noqa: ARG002 - MLflow's
        """Answers for the rows of a pandas DataFrame, as a DataFrame in the same order.

        Columns are ``prediction``, ``prediction_name`` and ``confidence``, after the model's name and a
        dot where there are several models; then ``p <label>`` for each label.
        """
        import pandas as pd

        rows = [{name: _plain(value) for name, value in row.items()} for row in data.to_dict("records")]
        answers = self.bundle.predict_rows(rows)
        several = len(self.bundle.models) > 1
        return pd.DataFrame([_flat(answer, several=several) for answer in answers], index=data.index)


def _load_pyfunc(path: str) -> BundleModel:
    """MLflow's entry point."""
    return BundleModel(open_bundle(Path(path)))


def _flat(answers: dict[str, Answer], *, several: bool) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for model, answer in answers.items():
        before = f"{model}." if several else ""
        flat[f"{before}prediction"] = answer.prediction
        if answer.prediction_name is not None:
            flat[f"{before}prediction_name"] = answer.prediction_name
        if answer.confidence is not None:
            flat[f"{before}confidence"] = answer.confidence
        for label, probability in (answer.probabilities or {}).items():
            flat[f"{before}p {label}"] = probability
    return flat


def _plain(value: Any) -> Any:
    """A cell as JSON would carry it: NumPy scalars unwrapped, gaps as ``None``, times as ISO 8601."""
    import pandas as pd

    if value is None or (not isinstance(value, str) and pd.isna(value)):
        return None
    if isinstance(value, pd.Timestamp):
        return value.isoformat()
    return value.item() if hasattr(value, "item") else value
