"""Optional parts that a verb needs, looked for before it begins."""

from __future__ import annotations

import importlib.util

from modelwright.errors import MissingExtra

TRAINING = ("sklearn", "mlflow", "dvc", "pyarrow")


def need_training() -> None:
    """Raise ``MissingExtra`` unless the training parts are installed; nothing is imported."""
    for module in TRAINING:
        if importlib.util.find_spec(module) is None:
            raise MissingExtra(module, "train")
