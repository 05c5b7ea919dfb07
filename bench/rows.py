"""What a benchmark is, and what it found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Row:
    """One figure beside what it is compared with.

    Attributes:
        what: What was measured.
        value, reference: The figure and what it is compared with, in ``unit``.
        against: What the reference is.
        goal: What ``value / reference`` may be at most, or must be at least; ``None`` where the
            row only informs.
        more_is_better: Whether the goal is a least ratio.
    """

    what: str
    value: float
    reference: float
    unit: str
    against: str
    goal: float | None = None
    more_is_better: bool = False

    @property
    def ratio(self) -> float:
        """The figure in units of its reference."""
        return self.value / self.reference

    @property
    def holds(self) -> bool:
        """Whether the goal is met; always, where there is none."""
        if self.goal is None:
            return True
        return self.ratio >= self.goal if self.more_is_better else self.ratio <= self.goal

    @property
    def aim(self) -> str:
        """The goal in words."""
        if self.goal is None:
            return "none"
        return f"{'at least' if self.more_is_better else 'at most'} {self.goal:g}"

    def sentence(self) -> str:
        """The row as a line for a terminal."""
        verdict = "" if self.goal is None else f", goal {self.aim}: {'met' if self.holds else 'MISSED'}"
        return (
            f"{self.what}: {self.value:,.4g} {self.unit}, {self.ratio:.3f} times {self.against} "
            f"({self.reference:,.4g} {self.unit}){verdict}"
        )


@dataclass(frozen=True)
class Benchmark:
    """A measurement that can be repeated.

    Attributes:
        title: Its heading in the documentation.
        how: How it measures, for a reader who wants to judge the figures.
        run: Takes an empty folder to work in and whether small sizes will do; returns what it found.
        packages: Whose versions matter to the figures.
    """

    title: str
    how: str
    run: Callable[[Path, bool], list[Row]]
    packages: tuple[str, ...] = ()
