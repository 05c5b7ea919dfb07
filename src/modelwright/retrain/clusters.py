"""The duel of two clusterings: nobody says which rows belong together, so the tighter one is not worse.

Both part the same untouched rows. How well is measured by the silhouette (Rousseeuw, "Silhouettes", J.
Comput. Appl. Math. 20, 1987) in one space for both: the rows encoded and scaled as the new training
data are. A challenger may replace the champion if its mean silhouette is at most the margin below the
champion's. It cannot be *shown* to be better as a classification can, so that is never asked for
unless the project does; then the paired difference of the rows' silhouettes is tested one-sidedly.
"""

from __future__ import annotations

import math

import numpy as np
from sklearn.metrics import silhouette_samples

from modelwright.retrain.duel import LEAST_ROWS, PROOF_ROWS, Judgement, Proof
from modelwright.retrain.paired import Gain
from modelwright.retrain.spending import allowance

METRIC = "silhouette"
_ROUNDING = 1e-12


def judge_clusters(
    points: np.ndarray,
    challenger: np.ndarray,
    champion: np.ndarray,
    *,
    margin: float,
    look: int = 1,
    proof: Proof = Proof.AUTO,
) -> Judgement:
    """Decide the duel of two clusterings.

    Args:
        points: The rows in the space both are measured in, [rows, dimensions].
        challenger, champion: The clusters either puts them in, [rows].
        margin: Non-inferiority margin, in the silhouette.
        look: Which duel against this champion it is, from 1.
        proof: What the challenger has to show.
    """
    rule = Proof.BETTER if proof is Proof.BETTER else Proof.NOT_WORSE
    rows = len(points)
    least = PROOF_ROWS if rule is Proof.BETTER else LEAST_ROWS
    if rows < least:
        few = f"There are {rows:,} rows that neither learned from; {least} are the least to judge by."
        return Judgement(False, rule, (few,), rows, look)
    for name, clusters in (("challenger", challenger), ("champion", champion)):
        if not 1 < len(np.unique(clusters)) < rows:
            one = f"The {name} puts these {rows:,} rows into {len(np.unique(clusters))} cluster, which no"
            return Judgement(False, rule, (f"{one} silhouette can measure.",), rows, look)
    one, other = (silhouette_samples(points, clusters) for clusters in (challenger, champion))
    gain = _gain(one - other, float(one.mean()), float(other.mean()))
    measured = (
        f"{METRIC} {gain.challenger:.4g} against the champion's {gain.champion:.4g} on {rows:,} rows that "
        f"neither learned from (difference {gain.value:+.4g}, between {gain.low:+.4g} and {gain.high:+.4g})."
    )
    if rule is Proof.BETTER:
        allowed = allowance(look)
        better = gain.p <= allowed
        why = f"p {gain.p:.2g}, at most {allowed:.2g} at look {look}."
        said = (
            f"That is more than chance explains: {why}" if better else f"It is not shown to be better: {why}"
        )
        reasons = (measured, said) if better else (said, measured)
        return Judgement(better, rule, reasons, rows, look, gain, p=gain.p, allowed=allowed)
    fine = gain.value >= -margin
    if fine:
        reasons = (measured, f"It is not measured worse by more than the margin of {margin:g}.")
    else:
        reasons = (f"It is measured worse by {-gain.value:.4g}, beyond the margin of {margin:g}.", measured)
    return Judgement(fine, rule, reasons, rows, look, gain)


def _gain(differences: np.ndarray, challenger: float, champion: float) -> Gain:
    """Interval and one-sided p of the mean difference, by the normal distribution of a mean."""
    value = float(differences.mean())
    error = float(differences.std(ddof=1)) / math.sqrt(len(differences))
    if error < _ROUNDING:
        return Gain(METRIC, challenger, champion, value, value, value, 0.0 if value > 0 else 1.0)
    p = 0.5 * math.erfc(value / error / math.sqrt(2.0))
    return Gain(METRIC, challenger, champion, value, value - 1.96 * error, value + 1.96 * error, p)
