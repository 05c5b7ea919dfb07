"""McNemar's exact test: whose labels are right where the two differ in being right.

Source: McNemar, "Note on the sampling error of the difference between correlated proportions",
Psychometrika 12 (1947); the exact binomial form as in Agresti, "Categorical Data Analysis", 2013, 11.1.1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class McNemar:
    """Rows on which exactly one of the two is right.

    Attributes:
        wins: The challenger is.
        losses: The champion is.
        better: One-sided exact p: chance of as many wins or more if both were equally good.
        worse: The same of as many losses or more.
    """

    wins: int
    losses: int
    better: float
    worse: float

    @property
    def two_sided(self) -> float:
        """Twice the smaller tail, 1 at most."""
        return min(1.0, 2.0 * min(self.better, self.worse))


def mcnemar(challenger: np.ndarray, champion: np.ndarray) -> McNemar:
    """Test which of the two is right more often.

    Args:
        challenger, champion: bool [rows]: is it right?
    """
    wins = int(np.count_nonzero(challenger & ~champion))
    losses = int(np.count_nonzero(champion & ~challenger))
    return McNemar(wins, losses, upper_tail(wins, wins + losses), upper_tail(losses, wins + losses))


def upper_tail(successes: int, trials: int) -> float:
    """Chance of ``successes`` or more heads of a fair coin in ``trials`` throws."""
    if successes <= 0:
        return 1.0
    counts = np.arange(successes, trials + 1)
    whole = math.lgamma(trials + 1)
    logs = np.array([whole - math.lgamma(k + 1) - math.lgamma(trials - k + 1) for k in counts.tolist()])
    return float(min(1.0, np.exp(logs - trials * math.log(2.0)).sum()))
