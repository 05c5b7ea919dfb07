"""Projects small enough to be trained in a test."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelwright.project.load import load
from modelwright.project.settings import resolve
from modelwright.store.engine import open_store
from modelwright.train.outcome import Outcome
from modelwright.train.run import train_project
from tracked import lay_tracking

Train = Callable[..., Outcome]


@pytest.fixture
def train() -> Train:
    """Train the project in a folder: ``train(folder, **arguments of train_project)``."""
    return train_in


def train_in(folder: Path, **arguments: Any) -> Outcome:
    """Train the project in ``folder`` with a store of its own there."""
    project = load(folder)
    lay_tracking(project.working)
    with open_store(path=project.working / "store.db") as store:
        return train_project(project, store=store, settings=resolve(project, environ={}), **arguments)


def made_csv(rows: int = 240, seed: int = 0) -> str:
    """A table with numbers, gaps, categories, a date, awkward names, and two targets."""
    generator = np.random.default_rng(seed)
    size = generator.normal(170, 10, rows)
    kind = generator.choice(["red", "grün", "blue", ""], rows)
    gap = np.where(generator.random(rows) < 0.2, np.nan, generator.normal(size=rows))
    amount = (
        (size - 170) / 10 + (kind == "red") * 1.5 + np.nan_to_num(gap) + generator.normal(size=rows) * 0.3
    )
    lines = ['"größe ""cm""",kind.of thing,gap,when,label,amount']
    for row in range(rows):
        when = f"2024-{1 + row % 12:02}-{1 + row % 28:02}T0{row % 10}:00:00"
        label = "yes" if amount[row] > 0.4 else "no"
        shown = "" if np.isnan(gap[row]) else f"{gap[row]:.3f}"
        lines.append(f"{size[row]:.2f},{kind[row]},{shown},{when},{label},{amount[row] * 100:.3f}")
    return "\n".join(lines) + "\n"
