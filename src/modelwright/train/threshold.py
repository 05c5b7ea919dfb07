"""From which probability on the second label is answered, chosen for what mistakes cost.

A rare class is found by asking for less than one half. The threshold is chosen on training rows that
the model asked was not fitted on (the folds candidates compete on), never on the held-out rows, whose
numbers would come out too good. Source: Elkan, "The foundations of cost-sensitive learning", 2001, for
costs; scikit-learn's ``TunedThresholdClassifierCV`` for choosing out of fold and fitting on all rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from modelwright.project.model import Decision


@dataclass(frozen=True)
class Choice:
    """A threshold and why it is that.

    Attributes:
        threshold: The second label is answered from this probability on; a float32 number, as which
            the exported model compares it.
        words: A sentence for people.
    """

    threshold: float
    words: str


@dataclass(frozen=True)
class _Cuts:
    """Every way to part rows by score: the rows called positive grow from cut to cut.

    Attributes:
        thresholds: float32, descending: in the middle between two neighbouring scores, so that the
            last bit of a score decides nothing.
        hits, false_alarms: Positives and negatives called positive at each.
        positives: How many there are in all.
    """

    thresholds: np.ndarray
    hits: np.ndarray
    false_alarms: np.ndarray
    positives: int

    @property
    def misses(self) -> np.ndarray:
        """Positives called negative at each."""
        return np.asarray(self.positives - self.hits)


def choose(scores: np.ndarray, positive: np.ndarray, decision: Decision) -> Choice:
    """The best threshold for ``decision``.

    Args:
        scores: Probability of the second label [rows], of models that were not fitted on the row.
        positive: Whether it was the truth [rows].
        decision: What mistakes cost, or which precision is wanted.
    """
    cuts = _cuts(np.asarray(scores, dtype=np.float32), positive)
    if decision.cost is not None:
        return _by_cost(cuts, decision.cost.false_negative, decision.cost.false_positive)
    assert decision.precision is not None  # noqa: S101 - a decision has one of them
    return _by_precision(cuts, decision.precision)


def _cuts(scores: np.ndarray, positive: np.ndarray) -> _Cuts:
    values, place = np.unique(scores, return_inverse=True)
    counts = np.zeros((len(values), 2))
    np.add.at(counts, (place, positive.astype(np.int64)), 1.0)
    before = np.concatenate([[0.0], values[:-1].astype(np.float64)])
    middle = ((before + values) / 2).astype(np.float32)
    # Between two neighbouring float32 numbers there is no middle: then the upper one itself.
    thresholds = np.where(middle > before.astype(np.float32), middle, values)[::-1]
    called = np.cumsum(counts[::-1], axis=0)
    real = thresholds > 0  # from zero on everything would be positive, whatever the model says
    if not real.any():
        return _Cuts(np.array([0.5], np.float32), np.zeros(1), np.zeros(1), int(positive.sum()))
    return _Cuts(thresholds[real], called[real, 1], called[real, 0], int(positive.sum()))


def _by_cost(cuts: _Cuts, miss: float, alarm: float) -> Choice:
    """The cheapest; of several equally cheap ones the nearest to what is best for calibrated scores."""
    costs = miss * cuts.misses + alarm * cuts.false_alarms
    cheapest = np.flatnonzero(costs <= costs.min() * (1 + 1e-12))
    ideal = alarm / (alarm + miss)
    best = int(cheapest[np.argmin(np.abs(cuts.thresholds[cheapest] - ideal))])
    usual = int(np.searchsorted(-cuts.thresholds, -0.5, side="right")) - 1
    half = costs[usual] if usual >= 0 else miss * cuts.positives
    return Choice(
        float(cuts.thresholds[best]),
        f"Decides from a probability of {cuts.thresholds[best]:.4g} on: there mistakes cost {costs[best]:g} "
        f"on validation rows, {half:g} from 0.5 on (a miss costs {miss:g}, a false alarm {alarm:g}).",
    )


def _by_precision(cuts: _Cuts, wanted: float) -> Choice:
    """The one that finds most while the precision holds; the most precise one where none is enough."""
    precision = cuts.hits / np.maximum(cuts.hits + cuts.false_alarms, 1)
    enough = np.flatnonzero(precision >= wanted)
    best = int(enough[-1]) if len(enough) else int(np.flatnonzero(precision == precision.max())[-1])
    reached = "" if len(enough) else f" The wanted precision of {wanted:g} is not reached."
    found = cuts.hits[best] / cuts.positives if cuts.positives else 0.0
    return Choice(
        float(cuts.thresholds[best]),
        f"Decides from a probability of {cuts.thresholds[best]:.4g} on: there the precision is "
        f"{precision[best]:.4g} and the recall {found:.4g} on validation rows.{reached}",
    )
