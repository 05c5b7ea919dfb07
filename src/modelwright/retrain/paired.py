"""How much better one model's metric is than another's on the same rows: interval and test.

The interval is the paired bootstrap's: both models are measured on the same drawn rows, so what is
common to both cancels. The test is a permutation test: were neither better, whose answer is whose
would be a matter of chance, row by row. For metrics of labels both need only how often each
combination (truth, one's label, the other's) occurs: drawn rows are multinomial, exchanged ones
binomial, exactly as if rows were drawn.

Source: Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapters 8, 13 and 15; Good,
"Permutation, Parametric and Bootstrap Tests of Hypotheses", 2005, section 3.7 (matched pairs).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from modelwright.monitor.formulas import LABEL_METRICS, confusion
from modelwright.schema.metrics import Task
from modelwright.train import bootstrap
from modelwright.train.answers import Answers
from modelwright.train.evaluate import higher_is_better, measure

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
        p: One-sided: how likely such a gain is if neither were better. The larger of the share of
            exchanges with such a gain and the tail of a normal distribution with their spread: the
            first is exact in the middle, the second reaches where no draw does.
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
    draw = _label_draws if _of_labels(task, metric, challenger) else _row_draws
    bootstrapped, exchanged = draw(task, metric, truth, (challenger, champion), np.random.default_rng(seed))
    value = sign * (one - other)
    low, high = bootstrap.interval(sign * bootstrapped, value)
    return Gain(metric, one, other, value, low, high, _p(value, sign * exchanged))


def _of_labels(task: Task, metric: str, answers: Answers) -> bool:
    classes = 0 if answers.probabilities is None else answers.probabilities.shape[1]
    return task is Task.CLASSIFICATION and metric in LABEL_METRICS and classes <= _MOST_CLASSES


def _value(task: Task, metric: str, truth: np.ndarray, answers: Answers) -> float:
    if task is Task.CLASSIFICATION and metric in LABEL_METRICS:
        assert answers.labels is not None and answers.probabilities is not None  # noqa: S101 - a classifier's
        table = confusion(truth, answers.labels, answers.probabilities.shape[1])
        return float(LABEL_METRICS[metric](table))
    found = measure(task, answers, truth, only=metric).get(metric)
    return float("nan") if found is None else found.value


def _label_draws(
    task: Task,
    metric: str,
    truth: np.ndarray,
    sides: tuple[Answers, Answers],
    generator: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Differences of the metric on drawn and on exchanged rows, [RESAMPLES] each."""
    del task
    one, other = (answers.labels for answers in sides)
    assert one is not None and other is not None  # noqa: S101 - a classifier's
    classes = 0 if sides[0].probabilities is None else sides[0].probabilities.shape[1]
    kinds, counts = np.unique((truth * classes + one) * classes + other, return_counts=True)
    right, ours, theirs = kinds // classes**2, kinds // classes % classes, kinds % classes
    cells = right * classes + ours, right * classes + theirs
    of = LABEL_METRICS[metric]

    def difference(kept: np.ndarray, swapped: np.ndarray) -> np.ndarray:
        mine = _tables(kept, cells[0], classes) + _tables(swapped, cells[1], classes)
        yours = _tables(kept, cells[1], classes) + _tables(swapped, cells[0], classes)
        return np.asarray(of(mine) - of(yours))

    drawn = generator.multinomial(len(truth), counts / len(truth), size=RESAMPLES)
    swapped = generator.binomial(counts, 0.5, size=(RESAMPLES, len(counts)))
    return difference(drawn, np.zeros_like(drawn)), difference(counts - swapped, swapped)


def _row_draws(
    task: Task,
    metric: str,
    truth: np.ndarray,
    sides: tuple[Answers, Answers],
    generator: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """The same by measuring anew on every draw, [_ROW_RESAMPLES] each."""

    def difference(truth: np.ndarray, one: Answers, other: Answers) -> float:
        return _value(task, metric, truth, one) - _value(task, metric, truth, other)

    def exchanged(swap: np.ndarray) -> float:
        return difference(truth, _mixed(swap, *sides), _mixed(~swap, *sides))

    drawn = bootstrap.row_draws(
        lambda some: difference(truth[some], *(answers.take(some) for answers in sides)),
        len(truth),
        generator,
        times=_ROW_RESAMPLES,
    )
    swaps = generator.random((_ROW_RESAMPLES, len(truth))) < 0.5
    return drawn, np.array([exchanged(swap) for swap in swaps])


def _mixed(swap: np.ndarray, one: Answers, other: Answers) -> Answers:
    """``one``'s answers, ``other``'s where ``swap`` says so."""

    def pick(mine: np.ndarray | None, yours: np.ndarray | None) -> np.ndarray | None:
        if mine is None or yours is None:
            return None
        return np.where(swap if mine.ndim == 1 else swap[:, None], yours, mine)

    return Answers(
        pick(one.labels, other.labels),
        pick(one.probabilities, other.probabilities),
        pick(one.values, other.values),
    )


def _tables(drawn: np.ndarray, cells: np.ndarray, classes: int) -> np.ndarray:
    """Confusion matrices [draws, classes, classes] of drawn counts [draws, kinds] in these cells."""
    tables = np.zeros((len(drawn), classes * classes), dtype=np.int64)
    for kind, cell in enumerate(cells.tolist()):
        tables[:, cell] += drawn[:, kind]
    return tables.reshape(-1, classes, classes)


def _p(value: float, exchanged: np.ndarray) -> float:
    draws = exchanged[np.isfinite(exchanged)]
    if value <= 0 or not len(draws):
        return 1.0
    spread = float(np.sqrt(np.mean(draws**2)))  # around 0, where exchanged rows lie
    normal = 0.5 * math.erfc(value / spread / math.sqrt(2.0)) if spread > 0 else 1.0
    return max(normal, float(np.mean(draws >= value - 1e-12)))
