"""How a project computes columns of its own. To use it, rename this file to features.py.

Both functions are optional; keep those you need.
"""

from datetime import datetime
from typing import Any


def build(raw: Any) -> Any:
    """Turn the raw table (a pandas DataFrame) into the table to learn from. Runs only in training."""
    return raw[raw["amount"].notna()]


def derive(row: dict[str, Any], now: datetime) -> dict[str, Any]:
    """Turn one row as a client sends it into what the model sees.

    Runs the same in training and in serving, so it may use nothing but the row and the time, and
    only the standard library.
    """
    row["hour"] = now.hour
    row["amount_per_item"] = row["amount"] / row["items"] if row.get("items") else None
    return row
