"""K-nearest neighbours as ONNX nodes."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn import neighbors

from modelwright.bundle.graph import BOOL, DOUBLE, INT64, Graph, NotExportable
from modelwright.bundle.graph_outputs import Classes, Outputs, Value, argmax, dense
from modelwright.bundle.neighbours import NeighborsClassifier, NeighborsRegressor

_MOST_NEIGHBOUR_VALUES = 20_000_000
_NO_GRID = 2.0**-20  # makes the neighbours' grid as fine as float64 itself


def add_own_neighbours(graph: Graph, features: str, estimator: Any) -> Outputs:
    """``bundle.neighbours``, step for step."""
    known = estimator.known_.astype(np.float64)
    _check_size(known)
    nearest, steps = _add_nearest(
        graph, graph.cast(features, DOUBLE), known, estimator.n_neighbors, estimator.step_
    )
    weights = graph.add("Unsqueeze", _weights(graph, steps, estimator.weights), graph.const([2], np.int64))
    values = graph.add("Gather", graph.const(estimator.values_), nearest, axis=0)
    sums = _running_sum(graph, graph.add("Mul", values, weights), estimator.n_neighbors)
    mean = graph.add("Div", sums, _running_sum(graph, weights, estimator.n_neighbors))
    if isinstance(estimator, NeighborsRegressor):
        return Value(mean)
    return Classes(argmax(graph, sums), mean)


def add_sklearn_neighbours(graph: Graph, features: str, estimator: Any) -> Outputs:
    """Scikit-learn's neighbours, which agree wherever no two training rows are equally near."""
    if estimator.effective_metric_ not in {"euclidean", "sqeuclidean"} and not (
        estimator.effective_metric_ == "minkowski" and estimator.effective_metric_params_.get("p") == 2
    ):
        raise NotExportable("K-nearest neighbours can be exported with the Euclidean distance only.")
    if estimator.weights not in {"uniform", "distance"}:
        raise NotExportable("K-nearest neighbours can be exported with uniform or distance weights only.")
    own = NeighborsClassifier if isinstance(estimator, neighbors.KNeighborsClassifier) else NeighborsRegressor
    targets = np.asarray(estimator._y)
    if targets.ndim > 1 and targets.shape[1] > 1:
        raise NotExportable("The model predicts several targets at once.")
    _check_size(estimator._fit_X)
    twin = own(estimator.n_neighbors, weights=estimator.weights)
    twin.fit(dense(estimator._fit_X), targets.reshape(-1))
    twin.step_ = twin.step_ * _NO_GRID
    return add_own_neighbours(graph, features, twin)


def _check_size(known: Any) -> None:
    rows, width = known.shape
    if rows * width > _MOST_NEIGHBOUR_VALUES:
        raise NotExportable(
            f"K-nearest neighbours keeps all its training rows: {rows} rows of {width} numbers are more than "
            f"the {_MOST_NEIGHBOUR_VALUES} that a bundle may hold."
        )


def _add_nearest(graph: Graph, wide: str, known: np.ndarray, count: int, step: float) -> tuple[str, str]:
    """Positions of the nearest training rows and their squared distances in grid steps, [rows, count]."""
    length = graph.add("ReduceSumSquare", wide, axes=[1], keepdims=1)
    cross = graph.add("MatMul", wide, graph.const(-2.0 * known.T))
    squared = graph.add("Add", graph.add("Add", cross, graph.const((known**2).sum(axis=1))), length)
    rounded = graph.add("Round", graph.add("Div", squared, graph.const(step, np.float64)))
    steps = graph.add("Max", rounded, graph.const(0.0, np.float64))
    # Of equal values TopK takes those with the lower index first (ONNX specification).
    nearest_steps, nearest = graph.add_many(
        "TopK", (steps, graph.const([count], np.int64)), 2, axis=1, largest=0, sorted=1
    )
    return nearest, nearest_steps


def _weights(graph: Graph, steps: str, weights: str) -> str:
    """Weight of each neighbour, float64 [rows, k]."""
    zero, one = graph.const(0.0, np.float64), graph.const(1.0, np.float64)
    if weights == "uniform":
        return graph.cast(graph.add("GreaterOrEqual", steps, zero), DOUBLE)
    touching = graph.add("Equal", steps, zero)
    any_touching = graph.add("ReduceMax", graph.cast(touching, INT64), axes=[1], keepdims=1)
    inverse = graph.add("Div", one, graph.add("Sqrt", graph.add("Where", touching, one, steps)))
    return graph.add("Where", graph.cast(any_touching, BOOL), graph.cast(touching, DOUBLE), inverse)


def _running_sum(graph: Graph, values: str, count: int) -> str:
    """Sum over axis 1 (of ``count``), added in order."""
    running = graph.add("CumSum", values, graph.const(1, np.int64))
    return graph.add("Gather", running, graph.const(count - 1, np.int64), axis=1)
