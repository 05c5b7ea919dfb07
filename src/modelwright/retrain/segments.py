"""Whether a challenger harms a group of rows, though it wins on the whole.

A group is harmed if it does worse there by more than the margin, and more than chance explains: the
exact McNemar tail for labels, a paired normal tail for numbers, at ``LEVEL`` over all groups
together (Bonferroni). Groups below ``LEAST`` rows are not judged.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from modelwright.retrain.mcnemar import mcnemar

LEAST = 30
LEVEL = 0.05
MOST_GROUPS = 20


@dataclass(frozen=True)
class Segment:
    """One group of rows.

    Attributes:
        name: "column = value".
        rows: How many.
        gain: How much better the challenger does there: share of right labels, or the part of the
            champion's mean loss that it saves.
        p: Chance of so much worse an outcome if neither were better there.
        harmed: Worse by more than the margin, beyond chance.
    """

    name: str
    rows: int
    gain: float
    p: float
    harmed: bool


def judge_segments(
    groups: Mapping[str, np.ndarray],
    *,
    challenger: np.ndarray,
    champion: np.ndarray,
    labels: bool,
    margin: float,
) -> tuple[Segment, ...]:
    """Judge every group that is large enough.

    Args:
        groups: By column, the value of each row, object or str [rows]; "" belongs to no group.
            A column with more than ``MOST_GROUPS`` values is no grouping and is left out.
        challenger, champion: How well each did on each row, more is better, [rows]: 1 and 0 for labels,
            else minus the loss.
        labels: Whether these are right and wrong labels.
        margin: How much worse is tolerated.

    Returns:
        Groups by name.
    """
    members = [
        (f"{column} = {value}", np.flatnonzero(values == value))
        for column, values in groups.items()
        for value in _values(values)
    ]
    members = [(name, rows) for name, rows in members if len(rows) >= LEAST]
    level = LEVEL / max(1, len(members))
    found = []
    for name, rows in members:
        one, other = challenger[rows], champion[rows]
        value, p = _labels(one, other) if labels else _losses(one, other)
        found.append(Segment(name, len(rows), value, p, harmed=value < -margin and p < level))
    return tuple(found)


def _values(values: np.ndarray) -> list[str]:
    found = sorted({str(value) for value in values.tolist()} - {""})
    return found if len(found) <= MOST_GROUPS else []


def _labels(challenger: np.ndarray, champion: np.ndarray) -> tuple[float, float]:
    test = mcnemar(challenger > 0, champion > 0)
    return (test.wins - test.losses) / len(challenger), test.worse


def _losses(challenger: np.ndarray, champion: np.ndarray) -> tuple[float, float]:
    difference = challenger - champion
    loss = -float(champion.mean())
    error = float(difference.std(ddof=1)) / math.sqrt(len(difference))
    mean = float(difference.mean())
    certain = 0.0 if mean < 0 else 1.0
    p = 0.5 * math.erfc(-mean / error / math.sqrt(2.0)) if error else certain
    return (mean / loss if loss > 0 else float(np.sign(mean))), p
