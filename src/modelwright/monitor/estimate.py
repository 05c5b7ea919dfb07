"""How good a model probably is while no labels have come: confidence-based performance estimation.

If a calibrated model says 0.9, it is right nine times in ten; so the expected confusion table of a
window is a sum of its probabilities, and every label metric follows. Confidences are calibrated first
on rows whose truth is known, in bins of equal size. Source: NannyML's "Confidence-based performance
estimation" (Białek et al., "Estimating model performance under covariate shift without labels",
2024); calibrating the confidence of the label answered: Gupta and Ramdas, "Top-label calibration",
ICLR 2022.

It holds while P(truth | features) stays as it was; when the concept itself changes, only labels tell.
"""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

from modelwright.errors import ExitCode, ModelwrightError
from modelwright.monitor.quality import Floats, Ints, label_metrics
from modelwright.schema.metrics import Metric

LEAST_ROWS = 100
_BINS = 20
_BIN_ROWS = 50
_DRAWS = 400


class TooFewLabelled(ModelwrightError):
    """Confidences cannot be calibrated on so few rows."""

    code = ExitCode.DATA


class Calibration(msgspec.Struct, frozen=True, kw_only=True):
    """How often answers of each confidence were right.

    Attributes:
        edges: Inner edges of the bins of confidence, ascending.
        right, rows: Right answers and rows per bin.
    """

    edges: tuple[float, ...]
    right: tuple[int, ...]
    rows: tuple[int, ...]


def calibrate(confidence: Floats, right: NDArray[np.bool_]) -> Calibration:
    """Calibrate on rows that the model did not learn from.

    Args:
        confidence: Probability of the label answered [rows].
        right: Whether it was the truth [rows].

    Raises:
        TooFewLabelled: There are fewer than 100 rows.
    """
    if len(confidence) < LEAST_ROWS:
        raise TooFewLabelled(
            f"{len(confidence)} labelled rows are too few to calibrate confidences.",
            f"Wait until at least {LEAST_ROWS} predictions have their label.",
        )
    bins = min(_BINS, max(2, len(confidence) // _BIN_ROWS))
    edges = np.unique(np.quantile(confidence, np.arange(1, bins) / bins))
    place = np.searchsorted(edges, confidence, side="right")
    rows = np.bincount(place, minlength=len(edges) + 1)
    hits = np.bincount(place, weights=right, minlength=len(edges) + 1)
    return Calibration(
        edges=tuple(edges.tolist()), right=tuple(int(hit) for hit in hits), rows=tuple(rows.tolist())
    )


def estimate(
    calibration: Calibration, answers: Ints, probabilities: Floats, *, seed: int = 0
) -> dict[str, Metric]:
    """Estimated label metrics of a window without labels.

    Args:
        calibration: Of this version's confidences.
        answers: Label codes answered [rows].
        probabilities: [rows, labels].
        seed: Of the draws.

    Returns:
        Metrics by name; the interval (95 %) covers both how the truth of these very rows may fall and
        how exactly the calibration is known (each bin's share is drawn from its Beta distribution).
    """
    if not len(answers):
        return {}
    rows, labels = probabilities.shape
    confidence = probabilities[np.arange(rows), answers]
    place = np.searchsorted(np.array(calibration.edges), confidence, side="right")
    hits, seen = np.array(calibration.right, dtype=np.float64), np.array(calibration.rows)
    others = _others(answers, probabilities)
    random = np.random.default_rng(seed)
    # Every bin begins with one row that is as right as all rows are on average. Jeffreys' half right row
    # in each of twenty bins would together tell a good model nearly a point too bad.
    prior = (hits.sum() + 0.5) / (seen.sum() + 1)
    shares = random.beta(hits + prior, seen - hits + 1 - prior, size=(_DRAWS, len(hits)))
    expected = _table(((hits + prior) / (seen + 1))[place], others, answers, labels)
    draws = np.empty((_DRAWS, labels, labels))
    ladder = others.cumsum(axis=1)
    for draw, drawn in enumerate(shares):
        right = random.random(rows) < drawn[place]
        wrong = np.minimum((random.random((rows, 1)) > ladder).sum(axis=1), labels - 1)
        truth = np.where(right, answers, wrong)
        draws[draw] = np.bincount(truth * labels + answers, minlength=labels * labels).reshape(labels, labels)
    found = label_metrics(expected, draws.reshape(_DRAWS, -1))
    accuracy = np.trace(draws, axis1=1, axis2=2) / rows
    low, high = np.quantile(accuracy, [0.025, 0.975])
    value = found["accuracy"].value
    found["accuracy"] = Metric(value=value, low=min(value, float(low)), high=max(value, float(high)))
    return found


def _others(answers: Ints, probabilities: Floats) -> Floats:
    """Shares of the labels not answered [rows, labels], each row adding up to one."""
    others = np.array(probabilities, dtype=np.float64)
    others[np.arange(len(answers)), answers] = 0.0
    totals = others.sum(axis=1, keepdims=True)
    even = np.ones_like(others)
    even[np.arange(len(answers)), answers] = 0.0
    even /= np.maximum(1.0, even.sum(axis=1, keepdims=True))
    return np.asarray(np.where(totals > 0, others / np.where(totals > 0, totals, 1.0), even))


def _table(right: Floats, others: Floats, answers: Ints, labels: int) -> Floats:
    """Expected rows by truth and answer [labels, labels]."""
    truth = others * (1 - right)[:, None]
    truth[np.arange(len(answers)), answers] = right
    table = np.zeros((labels, labels))
    np.add.at(table.T, answers, truth)
    return table
