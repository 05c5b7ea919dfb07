"""Answers of made-up classifiers."""

from __future__ import annotations

import numpy as np

from modelwright.retrain.duel import Sides
from modelwright.schema.metrics import Task
from modelwright.train.answers import Answers


def answering(labels: np.ndarray, classes: int = 2) -> Answers:
    """A classifier that is sure of its labels."""
    return Answers(labels=labels, probabilities=np.eye(classes)[labels])


def sides(rows: int, *, fixed: float, broken: float, right: float = 0.9, seed: int = 0, **more) -> Sides:
    """A champion that is right so often, and a challenger that differs on these shares of all rows."""
    generator = np.random.default_rng(seed)
    truth = generator.integers(0, 2, rows)
    champion = generator.random(rows) < right
    flips = np.where(champion, broken / right, fixed / (1 - right)) > generator.random(rows)
    said = [np.where(each, truth, 1 - truth) for each in (champion ^ flips, champion)]
    return Sides(Task.CLASSIFICATION, more.pop("metric", "accuracy"), truth, *map(answering, said), **more)
