"""Pages out of templates: every value is escaped, and shown the way people read it."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from modelwright.figures import duration

_FOLDER = Path(__file__).parent
NOTHING = "\N{EN DASH}"
"""Stands where there is no value."""


def page(name: str, /, **values: Any) -> str:
    """The page ``templates/<name>`` with ``values``."""
    return _environment().get_template(name).render(**values)


@cache
def asset(name: str) -> bytes:
    """A file of ``static``.

    Raises:
        FileNotFoundError: There is none of that name.
    """
    if "/" in name or name.startswith("."):
        raise FileNotFoundError(name)
    return (_FOLDER / "static" / name).read_bytes()


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "count": count,
        "figure": figure,
        "percent": percent,
        "seconds": seconds,
        "instant": instant,
        "ago": ago,
        "metric": metric,
        "shown": shown,
        "pretty": pretty,
    }
    return environment


def count(value: float | None) -> str:
    """A whole number, with its thousands told apart."""
    return NOTHING if value is None else f"{round(value):,}".replace(",", "\u202f")


def figure(value: float | None, digits: int = 4) -> str:
    """A number with as many digits as tell something."""
    if value is None or not math.isfinite(value):
        return NOTHING
    if value and not 1e-4 <= abs(value) < 1e9:
        return f"{value:.{digits - 1}g}"
    if abs(value) >= 1000:
        return f"{value:,.0f}".replace(",", "\u202f")
    text = f"{value:.{digits}g}" if abs(value) >= 1 else f"{value:.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text and "e" not in text else text


_METRICS = {
    "brier": "Brier score",
    "calinski_harabasz": "Calinski-Harabasz",
    "davies_bouldin": "Davies-Bouldin",
    "f1": "F1",
    "mae": "MAE",
    "mape": "MAPE",
    "mcc": "MCC",
    "r2": "R²",
    "rmse": "RMSE",
    "roc_auc": "ROC AUC",
}


def metric(name: str) -> str:
    """A metric as its field writes it; of one of several models, which."""
    model, _, metric = name.rpartition(".")
    words = _METRICS.get(metric, metric.replace("_", " "))
    return f"{model}: {words}" if model else words


def percent(share: float | None) -> str:
    """A share in per cent."""
    if share is None or not math.isfinite(share):
        return NOTHING
    value = 100 * share
    if value and abs(value) < 0.01:
        return "< 0.01\u202f%"
    digits = 0 if value == 0 or value >= 99.995 else 1 if abs(value) >= 10 else 2
    return f"{value:.{digits}f}\u202f%"


def seconds(value: float | None) -> str:
    """A length of time with its unit."""
    return NOTHING if value is None else duration(value).replace(" ", "\u202f")


def instant(time: datetime | None) -> str:
    """A moment, UTC, as machines read it; the page's script shows it in the reader's own time."""
    return "" if time is None else time.astimezone(UTC).isoformat(timespec="milliseconds")


def ago(time: datetime | None, now: datetime) -> str:
    """How long ago."""
    if time is None:
        return NOTHING
    passed = now - time
    if passed < timedelta(seconds=5):
        return "just now"
    for length, unit in ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second")):
        number = int(passed.total_seconds() // length)
        if number:
            return f"{number} {unit}{'s' if number > 1 else ''} ago"
    return "just now"


def shown(value: Any) -> str:
    """Any value of a row or an answer, in one line."""
    if value is None or value == "":
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return figure(value)
    if isinstance(value, str | int):
        text = str(value)
        return text if len(text) <= 120 else f"{text[:117]}…"
    return pretty(value, indent=None)[:120]


def pretty(value: Any, indent: int | None = 2) -> str:
    """A value as JSON that a person can read."""
    return json.dumps(value, ensure_ascii=False, indent=indent, default=str)
