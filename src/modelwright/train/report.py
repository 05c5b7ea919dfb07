"""One HTML page a version, complete in itself: opens anywhere, with no network and no script."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined

from modelwright.errors import StorageFailure
from modelwright.train.outcome import Outcome
from modelwright.train.package import Made
from modelwright.train.segments import segment_names

_COLUMNS_SHOWN = 60


def write_report(
    outcome: Outcome,
    models: Sequence[Made],
    plots: Sequence[Sequence[Path]],
    origin: dict[str, Any],
    path: Path,
) -> None:
    """Write the report of a version to ``path``.

    Raises:
        StorageFailure: It cannot be written.
    """
    text = render(outcome, models, plots, origin)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise StorageFailure.from_os_error(error, "writing the report") from error


def render(
    outcome: Outcome, models: Sequence[Made], plots: Sequence[Sequence[Path]], origin: dict[str, Any]
) -> str:
    """The report as text; everything from outside is escaped."""
    environment = Environment(
        loader=PackageLoader("modelwright.train"), autoescape=True, undefined=StrictUndefined
    )
    environment.filters |= {
        "quantity": _quantity,
        "seconds": _seconds,
        "size": _size,
        "picture": _picture,
        "words": lambda name: str(name).replace("_", " "),
    }
    parts = [
        {
            "outcome": found,
            "summary": made.prepared.summary,
            "columns": made.prepared.summary["columns"][:_COLUMNS_SHOWN],
            "more_columns": max(0, len(made.prepared.summary["columns"]) - _COLUMNS_SHOWN),
            "parity": made.contest.winner.parity,
            "segments": _segments(made),
            "labels": made.prepared.label_names or made.prepared.material.labels,
            "balanced": made.prepared.material.weights is not None,
            "how": made.prepared.material.plan.words,
            "notes": made.prepared.warnings,
            "plots": drawn,
        }
        for found, made, drawn in zip(outcome.models, models, plots, strict=True)
    ]
    return environment.get_template("report.html").render(outcome=outcome, parts=parts, origin=origin)


def _segments(made: Made) -> list[tuple[str, float]]:
    """A clustering's groups in words, each with its share of the held-out rows."""
    winner = made.contest.winner
    names, labels = segment_names(winner, made.prepared.proof.encoder), winner.answers.labels
    if not names or labels is None:
        return []
    shares = np.bincount(labels, minlength=len(names)) / max(1, len(labels))
    return list(zip(names, shares.tolist(), strict=True))


def _quantity(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _seconds(value: float | None) -> str:
    if value is None:
        return ""
    for unit, factor in (("s", 1.0), ("ms", 1e3), ("µs", 1e6)):
        if value * factor >= 1 or unit == "µs":
            return f"{value * factor:.3g} {unit}"
    return ""


def _size(value: int | None) -> str:
    if value is None:
        return ""
    return f"{value / 1e6:.1f} MB" if value >= 1e6 else f"{value / 1e3:.1f} kB"


def _picture(path: Path) -> str:
    return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode("ascii")
