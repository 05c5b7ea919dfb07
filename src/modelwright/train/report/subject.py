"""A winner to ask questions of: its exported model over columns as the data has them."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from modelwright.bundle.encode import ColumnArrays
from modelwright.bundle.session import GraphRunner
from modelwright.schema.columns import Column
from modelwright.schema.metrics import Task
from modelwright.train.answers import Answers, decide
from modelwright.train.package import Made


class Subject:
    """One model of a version, as a report asks it.

    Attributes:
        made: The model with its rows.
        task: What it does.
        encoder: Turns columns into what the graph takes.
        kinds: Its columns by name.
    """

    def __init__(self, made: Made) -> None:
        self.made = made
        self.task = made.prepared.part.task
        self.encoder = made.prepared.proof.encoder
        self.kinds: dict[str, Column] = {column.name: column for column in made.prepared.features}

    @cached_property
    def runner(self) -> GraphRunner:
        """The exported model."""
        return GraphRunner(self.made.contest.winner.graph)

    @property
    def names(self) -> tuple[str, ...]:
        """What people call the labels."""
        prepared = self.made.prepared
        return prepared.label_names or tuple(map(str, prepared.material.labels))

    def rows(self, positions: np.ndarray) -> ColumnArrays:
        """Some of the held-out rows."""
        return {name: self.made.prepared.held_out[name][positions] for name in self.encoder.names}

    def answers(self, columns: ColumnArrays) -> Answers:
        """The exported model's answers for rows."""
        scores = np.asarray(self.runner.run(*self.encoder.transform_dense(columns))[-1], dtype=np.float64)
        if self.task is Task.REGRESSION:
            return Answers(values=scores)
        return Answers(labels=decide(scores, self.made.contest.winner.threshold), probabilities=scores)
