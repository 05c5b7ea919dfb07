"""What a person should know of a winner beyond its metrics: columns, curves, mistakes, groups of rows.

Computed once a training from held-out rows and the exported model, and kept beside the report, so that
pages drawn later need neither the data nor the training.
"""

from __future__ import annotations

from dataclasses import dataclass

from modelwright.schema.metrics import Metric
from modelwright.train.report.importance import Importance


@dataclass(frozen=True)
class Curve:
    """Partial dependence on one column.

    Attributes:
        column: Its name.
        points: Numbers in ascending order, or categories.
        answers: Mean answer at each point: probability of a label by the label's name, or the value
            under the empty name.
    """

    column: str
    points: tuple[float | str, ...]
    answers: dict[str, tuple[float, ...]]


@dataclass(frozen=True)
class Mistake:
    """A held-out row that was answered wrongly.

    Attributes:
        row: Its place in the data, from 1.
        truth, answer: What was so, and what was answered.
        weight: The probability that was given to the wrong label, or how far off the value was.
        values: The most important columns as the row has them; a picture as a small one, a data URL.
    """

    row: int
    truth: str
    answer: str
    weight: float
    values: dict[str, str]


@dataclass(frozen=True)
class Segment:
    """The deciding metric on a group of held-out rows.

    Attributes:
        column, group: Which rows.
        rows: How many.
        metric: On them, with its bootstrap interval.
    """

    column: str
    group: str
    rows: int
    metric: Metric


@dataclass(frozen=True)
class Insight:
    """All of it, for one model."""

    importances: tuple[Importance, ...]
    curves: tuple[Curve, ...]
    mistakes: tuple[Mistake, ...]
    segments: tuple[Segment, ...]
