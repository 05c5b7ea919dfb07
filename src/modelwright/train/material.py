"""The encoded rows a training works on, and the matrices candidates want of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from modelwright.bundle.encode import Block, Packed
from modelwright.bundle.preprocess import Preprocessor, Recipe
from modelwright.project.model import Decision
from modelwright.schema.columns import Scalar
from modelwright.schema.metrics import Task
from modelwright.train.folds import Plan

Spans = tuple[tuple[int, int], ...]
"""Ranges of a matrix's columns, start and stop."""

_THREAD_CELLS = 50_000
_OPENMP_CELLS = 2_000_000
_KEPT_CELLS = 2_000_000  # above, one recipe's matrices are kept at a time


@dataclass(frozen=True)
class Matrices:
    """One recipe's view of the rows: float32, dense or CSR."""

    preprocessor: Preprocessor
    train: Any
    test: Any


@dataclass
class Material:
    """Everything candidates are trained on and measured with.

    Attributes:
        task: What is learned.
        train, test: The encoded rows on either side of the split.
        train_target, test_target: Label indices (int64) or values (float64); ``None`` for clustering.
        labels: Classification: the target's values in the order of their indices.
        plan: How candidates compete on the training rows.
        metric: What picks the winner.
        weights: One weight a training row, where classes are balanced.
        threshold: Binary: the second label is answered from this probability on, where the project
            fixes that.
        decision: Binary: what the threshold is chosen for, where it is chosen.
        seed: Of everything drawn.
        cores: Threads that may be used.
        blocks: Which of the encoder's numbers come from each text and image column.
    """

    task: Task
    train: Packed
    test: Packed
    train_target: np.ndarray | None
    test_target: np.ndarray | None
    labels: Sequence[Scalar]
    plan: Plan
    metric: str
    weights: np.ndarray | None
    threshold: float | None
    seed: int
    cores: int
    blocks: tuple[Block, ...] = ()
    decision: Decision | None = None
    _made: dict[Recipe, Matrices] = field(default_factory=dict)

    @property
    def classes(self) -> int:
        """How many labels there are."""
        return len(self.labels)

    def threads_for(self, *, openmp: bool) -> int:
        """How many threads a fit is worth."""
        cells = self.train.rows * max(1, self.train.numbers.shape[1])
        return self.cores if cells >= (_OPENMP_CELLS if openmp else _THREAD_CELLS) else 1

    @property
    def large(self) -> bool:
        """Whether matrices are too large to keep more than one recipe's."""
        return bool(self.train.numbers.size + self.test.numbers.size > _KEPT_CELLS)

    def matrices(self, recipe: Recipe) -> Matrices:
        """The rows as ``recipe`` wants them; medians, scales and categories come from training rows.

        They come from all training rows, those of a fold to score on included: that reveals no
        target, and costs one preprocessing instead of one a fold.
        """
        if recipe not in self._made:
            if self.large:
                self._made.clear()
            preprocessor = Preprocessor.fit(self.train, recipe)
            self._made[recipe] = Matrices(
                preprocessor, preprocessor.transform(self.train), preprocessor.transform(self.test)
            )
        return self._made[recipe]

    def layout(self, recipe: Recipe) -> dict[str, Spans]:
        """Where ``recipe``'s matrix has text, images and the rest, and each text and image column."""
        preprocessor = self.matrices(recipe).preprocessor
        start, plain = preprocessor.passed_start, preprocessor.plain_width
        found: dict[str, list[tuple[int, int]]] = {"table": [(0, start)]} if start else {}
        for block in self.blocks:
            span = (start + block.start - plain, start + block.stop - plain)
            for name in dict.fromkeys((block.kind.value, block.column)):
                found.setdefault(name, []).append(span)
        return {name: _joined(spans) for name, spans in found.items()}

    def release(self) -> None:
        """Forget the matrices made so far."""
        self._made.clear()


def _joined(spans: list[tuple[int, int]]) -> Spans:
    """Neighbouring ranges as one."""
    joined: list[tuple[int, int]] = []
    for start, stop in spans:
        if joined and joined[-1][1] == start:
            joined[-1] = (joined[-1][0], stop)
        else:
            joined.append((start, stop))
    return tuple(joined)


RARE_SHARE = 0.4
"""A class is rare below this part of an even share: 20 % where there are two, 4 % where ten."""


def balancing_weights(target: np.ndarray, classes: int, wish: str | None) -> np.ndarray | None:
    """One weight a row so that every class weighs the same, or ``None`` where that isn't wanted.

    Args:
        target: Label indices.
        classes: How many labels there are.
        wish: "balanced", "none", or ``None``: balanced where the rarest class is rare.
    """
    if wish == "none":
        return None
    counts = np.bincount(target, minlength=classes)
    occurring = counts[counts > 0]
    if wish is None and occurring.min() >= RARE_SHARE * len(target) / classes:
        return None
    per_class = np.divide(len(target), len(occurring) * counts, out=np.zeros(classes), where=counts > 0)
    return np.asarray(per_class[target])
