"""The small statistics that drift and quality need, in NumPy and the standard library alone.

The process that watches has the core install, which brings no SciPy; each function names its source
and is compared with SciPy in the tests.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

Counts = NDArray[np.float64]

Z95 = 1.959963984540054
_TINY = 1e-300
_TERMS = 10_000


def normal_survival(z: float) -> float:
    """P(Z > z) of the standard normal distribution."""
    return 0.5 * math.erfc(z / math.sqrt(2))


def chi_square_survival(statistic: float, freedom: float) -> float:
    """P(X > statistic) of the chi-square distribution.

    The regularised upper incomplete gamma function: its series below the mean, its continued fraction
    (Lentz) above. Source: NIST Digital Library of Mathematical Functions, 8.11.4 and 8.9.2.
    """
    if statistic <= 0 or freedom <= 0:
        return 1.0
    a, x = freedom / 2, statistic / 2
    front = math.exp(a * math.log(x) - x - math.lgamma(a))
    if x < a + 1:
        return max(0.0, 1.0 - front * _gamma_series(a, x))
    return min(1.0, front * _gamma_fraction(a, x))


def _gamma_series(a: float, x: float) -> float:
    term = total = 1.0 / a
    for step in range(1, _TERMS):
        term *= x / (a + step)
        total += term
        if term < total * 1e-16:
            break
    return total


def _gamma_fraction(a: float, x: float) -> float:
    b = x + 1.0 - a
    c, d = 1.0 / _TINY, 1.0 / b
    h = d
    for step in range(1, _TERMS):
        numerator = -step * (step - a)
        b += 2.0
        d = numerator * d + b
        d = 1.0 / (d if abs(d) > _TINY else _TINY)
        c = b + numerator / c
        c = c if abs(c) > _TINY else _TINY
        h *= d * c
        if abs(d * c - 1.0) < 1e-15:
            break
    return h


def kolmogorov_survival(distance: float, n: float, m: float) -> float:
    """P-value of a Kolmogorov-Smirnov distance between samples of ``n`` and ``m`` rows.

    Asymptotic, with Stephens' correction for small samples. Source: Stephens, "Use of the
    Kolmogorov-Smirnov, Cramér-von Mises and related statistics without extensive tables", 1970.
    """
    if n <= 0 or m <= 0 or distance <= 0:
        return 1.0
    root = math.sqrt(n * m / (n + m))
    x = (root + 0.12 + 0.11 / root) * distance
    if x < 0.2:
        return 1.0
    total = sum(math.exp(-2 * (k * x) ** 2) * (1 if k % 2 else -1) for k in range(1, 101))
    return min(1.0, max(0.0, 2 * total))


def g_test(reference: ArrayLike, window: ArrayLike) -> tuple[float, float]:
    """Likelihood-ratio chi-square of two rows of counts, and its p-value.

    It holds far into the tail with fewer rows a cell than Pearson's form. Source: Sokal and Rohlf,
    "Biometry", 1981, section 17.4.

    Args:
        reference, window: Counts [cells].
    """
    table = np.array([reference, window], dtype=np.float64)
    rows, cells = table.sum(axis=1, keepdims=True), table.sum(axis=0, keepdims=True)
    if not rows.all():
        return 0.0, 1.0
    table = table[:, cells[0] > 0]
    cells = cells[:, cells[0] > 0]
    expected = rows * cells / rows.sum()
    filled = table > 0
    statistic = 2 * float((table[filled] * np.log(table[filled] / expected[filled])).sum())
    return max(0.0, statistic), chi_square_survival(statistic, cells.shape[1] - 1)


def more_often(hits: float, rows: float, before: float, rows_before: float) -> float:
    """P-value that a share did not rise: ``hits`` of ``rows`` against ``before`` of ``rows_before``.

    One-sided signed root of the likelihood ratio. Source: as ``g_test``.
    """
    if rows <= 0 or rows_before <= 0 or hits / rows <= before / rows_before:
        return 1.0
    return g_test([before, rows_before - before], [hits, rows - hits])[1] / 2


def shares(counts: ArrayLike) -> Counts:
    """Counts [..., cells] as shares, with half a row added to each cell so that none is zero."""
    padded = np.asarray(counts, dtype=np.float64) + 0.5
    return np.asarray(padded / padded.sum(axis=-1, keepdims=True))


def psi(reference: ArrayLike, window: ArrayLike) -> float:
    """Population stability index of two rows of counts [cells].

    Source: Siddiqi, "Credit Risk Scorecards", 2006.
    """
    p, q = shares(reference), shares(window)
    return float(((q - p) * np.log(q / p)).sum())


def psi_by_chance(cells: int, rows: float, rows_before: float) -> float:
    """What ``psi`` is on average where nothing changed.

    Source: Yurdakul and Naranjo, "Statistical properties of the population stability index", 2020.
    """
    if rows <= 0 or rows_before <= 0:
        return 0.0
    return (cells - 1) * (1 / rows + 1 / rows_before)


def jensen_shannon(reference: ArrayLike, window: ArrayLike) -> float:
    """Jensen-Shannon distance of two rows of counts [cells], 0 (equal) to 1 (nothing in common).

    The root of the divergence to base 2. Source: Endres and Schindelin, "A new metric for
    probability distributions", 2003.
    """
    p, q = (np.asarray(side, dtype=np.float64) for side in (reference, window))
    if p.sum() <= 0 or q.sum() <= 0:
        return 0.0
    p, q = p / p.sum(), q / q.sum()
    middle = (p + q) / 2
    total = 0.0
    for side in (p, q):
        some = side > 0
        total += float((side[some] * np.log2(side[some] / middle[some])).sum()) / 2
    return math.sqrt(min(1.0, max(0.0, total)))


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """P-values adjusted so that one or more false findings among all are as rare as the level says.

    Holds whatever the tests' dependence. Source: Holm, "A simple sequentially rejective multiple
    test procedure", 1979.
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    steps = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(steps, 1.0)
    return adjusted


def wilson(hits: float, rows: float) -> tuple[float, float]:
    """95 % interval of a share of ``hits`` among ``rows``; 0 to 1 where there are no rows.

    Source: Wilson, "Probable inference, the law of succession, and statistical inference", 1927.
    """
    if rows <= 0:
        return 0.0, 1.0
    share, z2 = hits / rows, Z95 * Z95
    centre = (share + z2 / (2 * rows)) / (1 + z2 / rows)
    half = Z95 / (1 + z2 / rows) * math.sqrt(share * (1 - share) / rows + z2 / (4 * rows * rows))
    return max(0.0, centre - half), min(1.0, centre + half)
