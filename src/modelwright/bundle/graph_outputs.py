"""What an estimator's nodes give, and the few nodes that several estimators share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from modelwright.bundle.graph import Graph


@dataclass(frozen=True)
class Classes:
    """Names of the tensors a classifier gives: ``label`` int64 [rows], ``probabilities`` [rows, classes]."""

    label: str
    probabilities: str


@dataclass(frozen=True)
class Value:
    """Name of the tensor a regressor gives, [rows] or [rows, 1]."""

    value: str


@dataclass(frozen=True)
class Clusters:
    """Names of the tensors a clustering gives: ``label`` int64 [rows], ``distances`` [rows, clusters]."""

    label: str
    distances: str


Outputs = Classes | Value | Clusters


def argmax(graph: Graph, scores: str) -> str:
    """Index of the first largest score of each row, int64 [rows]."""
    return graph.add("ArgMax", scores, axis=1, keepdims=0)


def normalised(graph: Graph, shares: str) -> str:
    """Each row divided by its sum."""
    return graph.add("Div", shares, graph.add("ReduceSum", shares, graph.const([1], np.int64), keepdims=1))


def dense(matrix: Any) -> np.ndarray:
    """``matrix`` as an array, if it is a sparse one."""
    return np.asarray(matrix.toarray() if hasattr(matrix, "toarray") else matrix)
