"""The duel: may the challenger replace the champion, judged on the same rows that neither learned from?

From ``PROOF_ROWS`` rows on a challenger must be *shown* to be better: the deciding metric's gain is
tested one-sidedly (McNemar's exact test, unconditional, where the metric is accuracy, the paired bootstrap
elsewhere) at what the sequential correction allows this look (``retrain.spending``), and no group of
rows may be harmed (``retrain.segments``). On fewer rows no test could show it: there the measured
difference must be within the non-inferiority margin, on all rows and on those of the original data
alone. Below ``LEAST_ROWS`` rows nobody is replaced.

Nothing here reads or writes: numbers in, a judgement out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import msgspec
import numpy as np

from modelwright.retrain import paired
from modelwright.retrain.mcnemar import McNemar, mcnemar, unconditional
from modelwright.retrain.segments import Segment, judge_segments
from modelwright.retrain.spending import allowance
from modelwright.schema.metrics import Task
from modelwright.train.answers import Answers

LEAST_ROWS = 20
PROOF_ROWS = 200
_SPENT_ON_SHARE = 1_000  # of the allowance, on not knowing how often the two differ


class Proof(StrEnum):
    """What a challenger has to show."""

    AUTO = "auto"  # better where there are rows enough to show it, else not worse
    BETTER = "better"
    NOT_WORSE = "not_worse"


@dataclass(frozen=True)
class Sides:
    """Both models' answers for the same rows.

    Attributes:
        task: Classification or regression.
        metric: What decides.
        truth: Label indices (int64) or values (float64), [rows].
        challenger, champion: Their answers, labels in the same places.
        groups: Values of each row by column, for the segments; "" is no value.
        original: bool [rows]: which rows are of the original data and not sent by clients.
    """

    task: Task
    metric: str
    truth: np.ndarray
    challenger: Answers
    champion: Answers
    groups: Mapping[str, np.ndarray] = field(default_factory=dict)
    original: np.ndarray | None = None


@dataclass(frozen=True)
class Judgement:
    """What came of a duel.

    Attributes:
        promote: Whether the challenger may replace the champion.
        proof: Which rule was applied.
        reasons: Sentences, what decided first.
        gain: The deciding metric of both; ``None`` where there were too few rows to look.
        labels: McNemar's test; ``None`` for a regression.
        p, allowed: The p-value that decided and what it had to stay below; ``None`` for "not worse".
        look: Which duel against this champion it was.
        rows: How many rows were untouched.
        segments: Each group's outcome.
    """

    promote: bool
    proof: Proof
    reasons: tuple[str, ...]
    rows: int
    look: int
    gain: paired.Gain | None = None
    labels: McNemar | None = None
    p: float | None = None
    allowed: float | None = None
    segments: tuple[Segment, ...] = ()

    def numbers(self) -> dict[str, Any]:
        """All of it as plain values, for the store and for MLflow."""
        found: dict[str, Any] = msgspec.to_builtins(self)
        return found


def judge(
    sides: Sides, *, margin: float, look: int = 1, proof: Proof = Proof.AUTO, models: int = 1, seed: int = 0
) -> Judgement:
    """Decide a duel.

    Args:
        sides: Both models' answers.
        margin: Non-inferiority margin, in the deciding metric.
        look: Which duel against this champion it is, from 1.
        proof: What the challenger has to show.
        models: How many models of a version are judged together; they share the allowance.
        seed: Of the bootstrap.
    """
    rows = len(sides.truth)
    rule = _rule(proof, rows)
    if rows < LEAST_ROWS:
        few = f"There are {rows:,} rows that neither learned from; {LEAST_ROWS} are the least to judge by."
        return Judgement(False, rule, (few,), rows, look)
    if rule is Proof.BETTER and rows < PROOF_ROWS:
        few = f"There are {rows:,} rows that neither learned from; {PROOF_ROWS} are the least to show more."
        return Judgement(False, rule, (few,), rows, look)
    try:
        gain = _gain(sides, slice(None), seed)
    except paired.Unmeasurable as error:
        return Judgement(False, rule, (str(error),), rows, look)
    labels, segments = _labels(sides), _segments(sides, margin)
    measured = _measured(gain, rows, labels)
    harm = [_harmed(segment, margin) for segment in segments if segment.harmed]
    if rule is Proof.NOT_WORSE:
        wrong = _worse(sides, gain, margin, seed)
        right = f"It is not measured worse by more than the margin of {margin:g}."
        p = allowed = None
    else:
        allowed = allowance(look) / models
        p = gain.p
        if labels is not None and sides.metric == "accuracy":
            p = unconditional(labels.wins, labels.losses, rows, outside=allowed / _SPENT_ON_SHARE)
        wrong = [] if p <= allowed else [_unproven(p, allowed, look)]
        right = f"That is more than chance explains: p {p:.2g}, at most {allowed:.2g} at look {look}."
    promote = not wrong and not harm
    reasons = (measured, right) if promote else (*wrong, *harm, measured)
    return Judgement(promote, rule, reasons, rows, look, gain, labels, p, allowed, segments)


def _rule(proof: Proof, rows: int) -> Proof:
    if proof is not Proof.AUTO:
        return proof
    return Proof.BETTER if rows >= PROOF_ROWS else Proof.NOT_WORSE


def _gain(sides: Sides, rows: Any, seed: int) -> paired.Gain:
    return paired.gain(
        sides.task,
        sides.metric,
        sides.truth[rows],
        sides.challenger.take(rows),
        sides.champion.take(rows),
        seed=seed,
    )


def _labels(sides: Sides) -> McNemar | None:
    if sides.task is not Task.CLASSIFICATION:
        return None
    one, other = (_row_scores(answers, sides.truth) > 0 for answers in (sides.challenger, sides.champion))
    return mcnemar(one, other)


def _segments(sides: Sides, margin: float) -> tuple[Segment, ...]:
    labels = sides.task is Task.CLASSIFICATION
    one, other = (_row_scores(answers, sides.truth) for answers in (sides.challenger, sides.champion))
    return judge_segments(sides.groups, challenger=one, champion=other, labels=labels, margin=margin)


def _row_scores(answers: Answers, truth: np.ndarray) -> np.ndarray:
    """How well each row was answered: right (1) or wrong (0), or minus the absolute error."""
    if answers.values is not None:
        return np.asarray(-np.abs(answers.values - truth))
    return np.asarray(answers.labels == truth, dtype=np.float64)


def _worse(sides: Sides, gain: paired.Gain, margin: float, seed: int) -> list[str]:
    found = []
    if gain.value < -margin:
        found.append(f"It is measured worse by {-gain.value:.4g}, beyond the margin of {margin:g}.")
    if sides.original is not None and 0 < int(sides.original.sum()) < len(sides.original):
        try:
            anchor = _gain(sides, np.flatnonzero(sides.original), seed)
        except paired.Unmeasurable:
            return found
        if anchor.value < -margin:
            found.append(
                f"On the {int(sides.original.sum()):,} rows of the original data it is worse by "
                f"{-anchor.value:.4g}, beyond the margin of {margin:g}."
            )
    return found


def _measured(gain: paired.Gain, rows: int, labels: McNemar | None) -> str:
    sentence = (
        f"{gain.metric} {gain.challenger:.4g} against the champion's {gain.champion:.4g} on {rows:,} rows "
        f"that neither learned from (difference {gain.value:+.4g}, between {gain.low:+.4g} and "
        f"{gain.high:+.4g})."
    )
    if labels is not None:
        sentence += f" Alone right: it on {labels.wins:,} rows, the champion on {labels.losses:,}."
    return sentence


def _unproven(p: float, allowed: float, look: int) -> str:
    return (
        f"It is not shown to be better: p {p:.2g}, where look {look} at this champion's challengers allows "
        f"{allowed:.2g}."
    )


def _harmed(segment: Segment, margin: float) -> str:
    return (
        f"Where {segment.name} ({segment.rows:,} rows) it is worse by {-segment.gain:.4g}, beyond the margin "
        f"of {margin:g} and beyond chance (p {segment.p:.2g})."
    )
