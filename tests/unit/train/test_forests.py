"""Forests that would be too large for a bundle are kept smaller, and nothing else is touched."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from modelwright.bundle.trees import MOST_NODES
from modelwright.schema.metrics import Task
from modelwright.train.catalogue import Candidate, candidates_of
from modelwright.train.forests import KEPT_NODES, kept_small

ROWS = 3_000
LIMITS = {"most": 20_000, "kept": 5_000}


@pytest.fixture
def grow() -> Callable[[Candidate], Any]:
    """Fits on rows that no rule tells apart, and keeps what it fitted."""
    random = np.random.default_rng(0)
    matrix, target = random.normal(size=(ROWS, 4)).astype(np.float32), random.integers(0, 2, ROWS)

    def fitted(candidate: Candidate) -> Any:
        grown.append(candidate.settings)
        return candidate.build().fit(matrix, target)

    grown: list[dict[str, Any]] = []
    fitted.grown = grown  # type: ignore[attr-defined]
    return fitted


def candidate(spec: Any, task: Task = Task.CLASSIFICATION) -> Candidate:
    """As a project file asks for it."""
    return candidates_of([spec], task, seed=0)[0]


@pytest.mark.parametrize("name", ["random_forest", "extra_trees"])
@pytest.mark.parametrize("task", [Task.CLASSIFICATION, Task.REGRESSION])
def test_a_forest_too_large_gets_larger_leaves(grow, name: str, task: Task):
    """The whole forest is then as small as its first tree promised, and not needlessly small."""
    chosen, said = kept_small(candidate({name: {"n_estimators": 20}}, task), grow, ROWS, **LIMITS)
    nodes = sum(tree.tree_.node_count for tree in grow(chosen).estimators_)
    assert LIMITS["kept"] / 3 < nodes < LIMITS["kept"] * 1.1
    assert chosen.settings["n_estimators"] == 20
    assert f"min_samples_leaf is {chosen.settings['min_samples_leaf']}" in said and "20,000" in said


@pytest.mark.parametrize(
    "spec",
    [
        {"random_forest": {"max_depth": 30}},
        {"random_forest": {"min_samples_leaf": 1}},
        {"random_forest": {"search": {}}},
        "hist_gradient_boosting",
        "logistic_regression",
    ],
)
def test_what_somebody_thought_of_is_left_alone(grow, spec: Any):
    """Also what is no forest; nothing is grown to find that out."""
    given = candidate(spec)
    assert kept_small(given, grow, ROWS, **LIMITS) == (given, "")
    assert grow.grown == []


def test_a_forest_that_fits_is_left_alone(grow):
    """Few rows cannot grow too large; more are tried with one tree."""
    given = candidate("random_forest")
    assert kept_small(given, grow, ROWS) == (given, "") and grow.grown == []
    assert kept_small(given, grow, ROWS, most=400_000, kept=5_000) == (given, "")
    assert [settings["n_estimators"] for settings in grow.grown] == [1]
    assert KEPT_NODES < MOST_NODES


def test_more_trees_than_nodes_end_as_well(grow):
    """No leaf makes so many trees small enough: the search for one ends, and the bundle's limit speaks."""
    chosen, _ = kept_small(candidate({"random_forest": {"n_estimators": 6_000}}), grow, ROWS, **LIMITS)
    assert chosen.settings["min_samples_leaf"] >= ROWS
