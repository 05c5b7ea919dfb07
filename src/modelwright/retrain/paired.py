"""How much better one model's metric is than another's on the same rows, with its bootstrap.

Rows are drawn in pairs: both models are measured on the same draw, so what is common to both cancels.
For metrics of labels the number of times each combination (truth, one's label, the other's) is drawn
is multinomial, which is exactly the row bootstrap at the cost of the combinations that occur.

Source: Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapters 8 and 13.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from modelwright.schema.metrics import Task
from modelwright.train import bootstrap
from modelwright.train.answers import Answers
from modelwright.train.evaluate import LABEL_METRICS, confusion, higher_is_better, measure

RESAMPLES = 2_000
_ROW_RESAMPLES = 400  # ranking metrics and losses are measured anew on every draw
_MOST_CLASSES = 60


class Unmeasurable(Exception):
    """The metric has no value on these rows; the message says which."""


@dataclass(frozen=True)
class Gain:
    """A metric of both on the same rows.

    Attributes:
        metric: Which.
        challenger, champion: Its values.
        value: How much better the challenger is, whichever direction is better.
        low, high: Percentile interval (95 %) of ``value``.
        p: One-sided: how likely such a gain is if there were none. The larger of the bootstrap's share
            of draws without a gain and the tail of a normal distribution with the bootstrap's spread:
            the first is exact in the middle, the second reaches where no draw does.
    """

    metric: str
    challenger: float
    champion: float
    value: float
    low: float
    high: float
    p: float


def gain(
    task: Task, metric: str, truth: np.ndarray, challenger: Answers, champion: Answers, *, seed: int
) -> Gain:
    """Compare two models' answers for the same rows.

    Args:
        task: Classification or regression.
        metric: One of the task's.
        truth: Label indices (int64) or values (float64), [rows].
        challenger, champion: Their answers for these rows.
        seed: Of the draws.

    Raises:
        Unmeasurable: The metric is undefined on these rows for one of them.
    """
    sign = 1.0 if higher_is_better(task, metric) else -1.0
    one, other = (_value(task, metric, truth, answers) for answers in (challenger, champion))
    if not (math.isfinite(one) and math.isfinite(other)):
        raise Unmeasurable(f"'{metric}' cannot be measured on these {len(truth):,} rows.")
    generator = np.random.default_rng(seed)
    classes = 0 if challenger.probabilities is None else challenger.probabilities.shape[1]
    if metric in LABEL_METRICS and task is Task.CLASSIFICATION and classes <= _MOST_CLASSES:
        draws = _label_draws(metric, truth, challenger, champion, classes, generator)
    else:
        draws = bootstrap.row_draws(
            lambda some: (
                _value(task, metric, truth[some], challenger.take(some))
                - _value(task, metric, truth[some], champion.take(some))
            ),
            len(truth),
            generator,
            times=_ROW_RESAMPLES,
        )
    value = sign * (one - other)
    signed = sign * draws[np.isfinite(draws)]
    low, high = bootstrap.interval(signed, value)
    return Gain(metric, one, other, value, low, high, _p(value, signed))


def _value(task: Task, metric: str, truth: np.ndarray, answers: Answers) -> float:
    if task is Task.CLASSIFICATION and metric in LABEL_METRICS:
        assert answers.labels is not None and answers.probabilities is not None  # noqa: S101 - a classifier's
        table = confusion(truth, answers.labels, answers.probabilities.shape[1])
        return float(LABEL_METRICS[metric](table))
    found = measure(task, answers, truth, only=metric).get(metric)
    return float("nan") if found is None else found.value


def _label_draws(  # noqa: PLR0917 - one comparison
    metric: str,
    truth: np.ndarray,
    challenger: Answers,
    champion: Answers,
    classes: int,
    generator: np.random.Generator,
) -> np.ndarray:
    assert challenger.labels is not None and champion.labels is not None  # noqa: S101 - of classifiers
    kinds, counts = np.unique(
        (truth * classes + challenger.labels) * classes + champion.labels, return_counts=True
    )
    drawn = generator.multinomial(len(truth), counts / len(truth), size=RESAMPLES)
    right, ours, theirs = kinds // classes**2, kinds // classes % classes, kinds % classes
    of = LABEL_METRICS[metric]
    return np.asarray(
        of(_tables(drawn, right * classes + ours, classes))
        - of(_tables(drawn, right * classes + theirs, classes))
    )


def _tables(drawn: np.ndarray, cells: np.ndarray, classes: int) -> np.ndarray:
    """Confusion matrices [draws, classes, classes] of drawn counts [draws, kinds] in these cells."""
    tables = np.zeros((len(drawn), classes * classes), dtype=np.int64)
    for kind, cell in enumerate(cells.tolist()):
        tables[:, cell] += drawn[:, kind]
    return tables.reshape(-1, classes, classes)


def _p(value: float, draws: np.ndarray) -> float:
    if value <= 0 or not len(draws):
        return 1.0
    spread = float(draws.std())
    normal = 0.5 * math.erfc(value / spread / math.sqrt(2.0)) if spread > 0 else 0.0
    return max(normal, float(np.mean(draws <= 0)))
