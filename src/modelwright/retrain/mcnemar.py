"""McNemar's exact tests: whose labels are right where the two differ in being right.

The conditional form takes the number of rows on which they differ as given. That is simple and wastes
error: its p jumps from one number of wins to the next, so that at 3 % it errs in 2 % of the cases. The
unconditional form lets that number be chance as well, and takes the worst case over every share of
differing rows that the data do not rule out. Both are exact: neither errs more often than it says.

Source: McNemar, "Note on the sampling error of the difference between correlated proportions",
Psychometrika 12 (1947); the exact binomial form as in Agresti, "Categorical Data Analysis", 2013, 11.1.1.
Unconditional: Suissa and Shuster, "The 2 x 2 matched-pairs trial: exact unconditional design and
analysis", Biometrics 47 (1991), with the nuisance parameter kept in a confidence set as in Berger and
Boos, "P values maximized over a confidence set for the nuisance parameter", JASA 89 (1994).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

_SHARES = 100  # points of that set; the chance is smooth in the share
_SPREADS = 6.0  # standard deviations within which counts of differing rows have any chance to speak of
_ROUNDING = 1e-9


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


def mcnemar(challenger: np.ndarray, champion: np.ndarray) -> McNemar:
    """Test which of the two is right more often.

    Args:
        challenger, champion: bool [rows]: is it right?
    """
    wins = int(np.count_nonzero(challenger & ~champion))
    losses = int(np.count_nonzero(champion & ~challenger))
    return McNemar(wins, losses, upper_tail(wins, wins + losses), upper_tail(losses, wins + losses))


def unconditional(wins: int, losses: int, rows: int, *, outside: float = 1e-5) -> float:
    """One-sided exact p of the challenger being right more often, unconditional form.

    The statistic is (wins - losses) / sqrt(wins + losses). For a share of differing rows its chance to
    be as large as it is follows from two binomials; the largest over the confidence set counts, plus the
    chance that the true share lies outside of it.

    Args:
        wins, losses: Rows on which exactly one of the two is right.
        rows: All of them.
        outside: Chance left for a true share outside the confidence set. It is part of the result, so
            choose it, before looking, well below the p that matters.
    """
    differing = wins + losses
    if wins <= losses:
        return 1.0
    score = (wins - losses) / math.sqrt(differing)
    low, high = _share_interval(differing, rows, outside)
    counts = np.arange(_least_count(low, rows), _most_count(high, rows) + 1)
    enough = np.ceil((counts + score * np.sqrt(counts)) / 2 - _ROUNDING).astype(np.int64)
    factorials = _log_factorials(rows)
    tails = np.array([
        _tail(int(k), int(n), factorials) if n else 0.0 for k, n in zip(enough, counts, strict=True)
    ])  # fmt: skip
    shares = np.linspace(low, high, _SHARES)[:, None]
    chances = np.exp(
        _log_choose(rows, counts, factorials) + counts * np.log(shares) + (rows - counts) * np.log1p(-shares)
    )
    return min(1.0, float((chances @ tails).max()) + outside)


def _share_interval(count: int, rows: int, outside: float) -> tuple[float, float]:
    """A set that holds the true share of ``count`` in ``rows`` but with chance ``outside``.

    From Chernoff's bound: all shares whose relative entropy to the observed one is small enough, which
    holds at any number of rows. Source: Hoeffding, J. Am. Stat. Assoc. 58 (1963), theorem 1.
    """
    seen = count / rows
    room = math.log(2.0 / outside) / rows
    grid = np.linspace(0.0, 1.0, 4_001)[1:-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        entropy = np.where(seen > 0, seen * np.log(seen / grid), 0.0)
        entropy = entropy + np.where(seen < 1, (1 - seen) * np.log((1 - seen) / (1 - grid)), 0.0)
    inside = np.flatnonzero(entropy <= max(room, float(entropy.min())))
    # One step further out on each side, as the bound lies between two points of the grid.
    first, last = max(0, inside[0] - 1), min(len(grid) - 1, inside[-1] + 1)
    return float(grid[first]), float(grid[last])


def _least_count(share: float, rows: int) -> int:
    return max(0, math.floor(rows * share - _SPREADS * math.sqrt(rows * share * (1 - share)) - _SPREADS))


def _most_count(share: float, rows: int) -> int:
    return min(rows, math.ceil(rows * share + _SPREADS * math.sqrt(rows * share * (1 - share)) + _SPREADS**2))


def _log_factorials(most: int) -> np.ndarray:
    return np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, most + 1)))])


def _log_choose(rows: int, counts: np.ndarray, factorials: np.ndarray) -> np.ndarray:
    return np.asarray(factorials[rows] - factorials[counts] - factorials[rows - counts])


def upper_tail(successes: int, trials: int) -> float:
    """Chance of ``successes`` or more heads of a fair coin in ``trials`` throws."""
    return _tail(successes, trials, _log_factorials(trials))


def _tail(successes: int, trials: int, factorials: np.ndarray) -> float:
    if successes <= 0:
        return 1.0
    logs = _log_choose(trials, np.arange(successes, trials + 1), factorials)
    return float(min(1.0, np.exp(logs - trials * math.log(2.0)).sum()))
