"""Whether a new version may be served: floors, parity, and the champion on the same rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from modelwright.schema.metrics import Metric, Parity, Task
from modelwright.store.records import Decision, Verdict
from modelwright.train.evaluate import higher_is_better
from modelwright.train.versus import LEAST_ROWS, Comparison


@dataclass(frozen=True)
class Judged:
    """What is known of one model of a new version.

    Attributes:
        name: The model's; empty where there is only one.
        task: What it does.
        metrics: On the held-out rows.
        parity: Of the exported model.
        floors: Least (or most) values, by metric.
        margin: How much worse than the champion it may be.
        comparison: With the champion; ``None`` where there is none or it cannot answer.
        not_compared: Why there is no comparison; empty where there is no champion.
        warnings: About its data.
    """

    name: str
    task: Task
    metrics: dict[str, Metric]
    parity: Parity
    floors: dict[str, float]
    margin: float
    comparison: Comparison | None = None
    not_compared: str = ""
    warnings: Sequence[str] = ()


@dataclass
class _Reasons:
    failed: list[str] = field(default_factory=list)
    passed: list[str] = field(default_factory=list)
    checks: dict[str, Any] = field(default_factory=dict)

    def add(self, prefix: str, check: str, sentence: str, *, holds: bool, **numbers: Any) -> None:
        """Note one check with its sentence and numbers."""
        where = f"{prefix}: " if prefix else ""
        (self.passed if holds else self.failed).append(where + sentence)
        self.checks[f"{prefix}.{check}" if prefix else check] = {"holds": holds, **numbers}


def judge(models: Sequence[Judged]) -> Decision:
    """The decision on a version: accepted if every check of every model holds.

    Reasons come the failed ones first. Warnings about the data are noted and refuse nothing.
    """
    reasons = _Reasons()
    for model in models:
        _parity(model, reasons)
        _floors(model, reasons)
        _champion(model, reasons)
        for warning in model.warnings:
            reasons.passed.append(f"Noted: {warning}")
    verdict = Verdict.REJECTED if reasons.failed else Verdict.ACCEPTED
    return Decision(
        verdict=verdict,
        reasons=(*reasons.failed, *reasons.passed),
        checks=reasons.checks,
        decided=datetime.now(UTC),
    )


def _parity(model: Judged, reasons: _Reasons) -> None:
    parity = model.parity
    how = "answers as the trained one did" if parity.holds else "answers otherwise than the trained one"
    at_most = f"by at most {parity.max_difference:.2g}"
    found = (
        f"numbers differ {at_most} on {parity.rows:,} rows"
        if model.task is Task.REGRESSION
        else f"{parity.labels_differ} labels differ on {parity.rows:,} rows, numbers {at_most}"
    )
    sentence = f"The exported model {how}: {found}."
    reasons.add(
        model.name,
        "parity",
        sentence,
        holds=parity.holds,
        rows=parity.rows,
        labels_differ=parity.labels_differ,
        max_difference=parity.max_difference,
    )


def _floors(model: Judged, reasons: _Reasons) -> None:
    for name, floor in model.floors.items():
        check = f"floor.{name}"
        metric = model.metrics.get(name)
        if metric is None:
            sentence = (
                f"'{name}' could not be measured on the held-out rows, so its floor {floor:g} is not met."
            )
            reasons.add(model.name, check, sentence, holds=False, floor=floor, value=None)
            continue
        up = higher_is_better(model.task, name)
        holds = metric.value >= floor if up else metric.value <= floor
        word = ("reaches" if up else "stays below") if holds else ("is below" if up else "is above")
        sentence = (
            f"{name} {metric.value:.4g} [{metric.low:.4g}, {metric.high:.4g}] {word} the "
            f"{'floor' if up else 'limit'} of {floor:g}."
        )
        reasons.add(model.name, check, sentence, holds=holds, floor=floor, value=metric.value)


def _allowed(found: Comparison, margin: float) -> str:
    """What a loss against the champion means."""
    if found.inferior_by(margin):
        return f"beyond the margin of {margin:g}"
    if found.gain >= -margin:
        return f"within the margin of {margin:g}"
    return f"more than the margin of {margin:g}, which fewer than {LEAST_ROWS} rows cannot confirm"


def _champion(model: Judged, reasons: _Reasons) -> None:
    found = model.comparison
    if found is None:
        if model.not_compared:
            reasons.passed.append(f"Not compared with the champion. {model.not_compared}")
        return
    holds = not found.inferior_by(model.margin)
    amount = f"{abs(found.gain):.4g}"
    how = "the same as" if found.gain == 0 else f"{amount} {'better' if found.gain > 0 else 'worse'} than"
    allowed = _allowed(found, model.margin)
    sentence = (
        f"{found.metric} {found.mine:.4g} is {how} the champion's {found.theirs:.4g} (version "
        f"{found.version}) on the same {found.rows:,} held-out rows"
        f"{'' if found.gain >= 0 else f', {allowed}'}"
        f" (difference between {found.low:+.4g} and {found.high:+.4g})."
    )
    if not found.same_data:
        sentence += " The champion learned from other data and may know some of these rows."
    reasons.add(
        model.name,
        "champion",
        sentence,
        holds=holds,
        version=found.version,
        metric=found.metric,
        value=found.mine,
        champion=found.theirs,
        gain=found.gain,
        low=found.low,
        high=found.high,
        rows=found.rows,
        margin=model.margin,
    )
