"""Explanations as the pages show them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from modelwright.bundle.explain import Explanation, explain
from modelwright.bundle.read import Bundle

_MOST = 15


@dataclass(frozen=True, slots=True)
class Share:
    """A feature's part of the difference, with its bar's places in per cent."""

    name: str
    value: Any
    share: float
    zero: float
    left: float
    width: float


@dataclass(frozen=True, slots=True)
class Explained:
    """A model's explanation, ready to be drawn; or why there is none."""

    model: str
    problem: str = ""
    what: str = ""
    base: float = 0.0
    score: float = 0.0
    rows: int = 0
    runs: int = 0
    exact: bool = True
    shares: tuple[Share, ...] = ()
    others: int = 0
    rest: float = 0.0


def explain_row(bundle: Bundle, row: Any) -> list[Explained]:
    """Why each model answers ``row`` (as clients send it) as it does."""
    reading = bundle.rows.read([row])
    if any(error.type == "image_absent" for error in reading.errors):
        return [Explained("", problem="The log keeps an image's name, not the image this answer saw.")]
    if reading.errors:
        return [Explained("", problem="The row cannot be read by this version any more.")]
    several = len(bundle.models) > 1
    found = []
    for model in bundle.models:
        name = model.entry.name if several else ""
        background = bundle.background(model.entry.name)
        if background is None:
            found.append(
                Explained(
                    name,
                    problem="This version has no reference rows; its answers cannot be explained.",
                )
            )
            continue
        found.append(_drawn(name, explain(model, reading.columns, background), row))
    return found


def _drawn(name: str, found: Explanation, row: Any) -> Explained:
    values = row if isinstance(row, dict) else {}
    order = sorted(found.shares, key=lambda feature: -abs(found.shares[feature]))
    shown, rest = order[:_MOST], order[_MOST:]
    low = min(0.0, *(found.shares[feature] for feature in shown)) if shown else 0.0
    high = max(0.0, *(found.shares[feature] for feature in shown)) if shown else 0.0
    span = (high - low) or 1.0
    zero = 100 * -low / span
    return Explained(
        model=name,
        what=found.what,
        base=found.base,
        score=found.score,
        rows=found.rows,
        runs=found.runs,
        exact=found.exact,
        shares=tuple(
            Share(
                feature,
                values.get(feature),
                found.shares[feature],
                zero,
                zero + min(0.0, 100 * found.shares[feature] / span),
                max(0.4, 100 * abs(found.shares[feature]) / span),
            )
            for feature in shown
        ),
        others=len(rest),
        rest=sum(found.shares[feature] for feature in rest),
    )
