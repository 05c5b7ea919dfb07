"""A measured quality with its uncertainty, and the tasks it can be measured for."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Task(StrEnum):
    """What a model is asked to do."""

    CLASSIFICATION = "classification"
    REGRESSION = "regression"
    CLUSTERING = "clustering"


class Metric(msgspec.Struct, frozen=True):
    """A metric's value on held-out rows, with a bootstrap interval (95 %)."""

    value: float
    low: float
    high: float


class Parity(msgspec.Struct, frozen=True, kw_only=True):
    """Proof that the exported model answers as the trained one did, on real held-out rows.

    Attributes:
        rows: Rows that went through both.
        labels_differ: Rows whose label (or cluster) differed.
        max_difference: Largest absolute difference of a probability; for regression, of the value
            relative to the target's standard deviation.
        tolerance: What ``max_difference`` may be at most.
    """

    rows: int
    labels_differ: int
    max_difference: float
    tolerance: float = 1e-5

    @property
    def holds(self) -> bool:
        """Whether the exported model may stand for the trained one."""
        return self.rows > 0 and self.labels_differ == 0 and self.max_difference <= self.tolerance
