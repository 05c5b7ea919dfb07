"""How MLflow opens a model whose rows need Python before the graph: it opens the bundle.

MLflow imports this module by name when it loads the model (``loader_module``). No pickle is involved.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

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
        return pd.DataFrame([_flat(answer) for answer in self.bundle.predict_rows(rows)], index=data.index)


def _load_pyfunc(path: str) -> BundleModel:
    """MLflow's entry point."""
    return BundleModel(open_bundle(Path(path)))


def _plain(value: Any) -> Any:
    """A cell as JSON would carry it: NumPy scalars unwrapped, gaps as ``None``, times as ISO 8601."""
    import pandas as pd

    if value is None or (not isinstance(value, str) and pd.isna(value)):
        return None
    if isinstance(value, pd.Timestamp):
        return value.isoformat()
    return value.item() if hasattr(value, "item") else value
