"""Kernel classifiers and late fusion as ONNX nodes, in float64, as the estimators compute."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from modelwright.bundle.fusion import LEAST, Spans
from modelwright.bundle.graph import DOUBLE, Graph
from modelwright.bundle.graph_outputs import Classes, argmax
from modelwright.bundle.kernels import KernelRidgeClassifier

AddClasses = Callable[[Graph, str, Any], Classes]


def add_kernel(graph: Graph, features: str, estimator: KernelRidgeClassifier) -> Classes:
    """Scores of a kernel classifier, sharpened, through a softmax."""
    wide = graph.cast(features, DOUBLE)
    if estimator.kernel == "linear":
        scores = graph.add("MatMul", wide, graph.const(estimator.coef_.T.astype(np.float64)))
    else:
        centres = graph.cast(graph.const(estimator.centres_), DOUBLE)
        product = graph.add("MatMul", wide, graph.add("Transpose", centres, perm=[1, 0]))
        own = graph.add("ReduceSum", graph.add("Mul", wide, wide), graph.const([1], np.int64), keepdims=1)
        squares = (estimator.centres_.astype(np.float64) ** 2).sum(axis=1).reshape(1, -1)
        both = graph.add("Add", own, graph.const(squares))
        distance = graph.add("Sub", both, graph.add("Mul", product, graph.const(2.0, np.float64)))
        distance = graph.add("Max", distance, graph.const(0.0, np.float64))
        near = graph.add("Exp", graph.add("Mul", distance, graph.const(-estimator.gamma_, np.float64)))
        scores = graph.add("MatMul", near, graph.const(estimator.dual_coef_.astype(np.float64)))
    sharpened = graph.add("Mul", scores, graph.const(estimator.sharpness_, np.float64))
    return Classes(argmax(graph, scores), graph.add("Softmax", sharpened, axis=1))


def add_fusion(graph: Graph, features: str, estimator: Any, add_member: AddClasses) -> Classes:
    """The product of the members' powers, each where it sees something.

    Args:
        graph: Under construction.
        features: The float32 matrix.
        estimator: A fitted ``LateFusion``.
        add_member: Adds the nodes of a member to a float32 matrix of its own columns.
    """
    seen, logarithms = [], []
    classes = len(estimator.classes_)
    for (_, _, spans), member in zip(estimator.members, estimator.members_.values(), strict=True):
        part = _columns(graph, features, spans)
        size = graph.add("ReduceSum", graph.add("Abs", part), graph.const([1], np.int64), keepdims=1)
        there = graph.add("Greater", size, graph.const(0.0, np.float32))
        seen.append(graph.cast(there, DOUBLE))
        found = graph.cast(add_member(graph, part, member).probabilities, DOUBLE)
        found = _spread(graph, found, member.classes_, classes)
        logarithms.append(graph.add("Log", graph.add("Max", found, graph.const(LEAST, np.float64))))
    count = seen[0]
    for each in seen[1:]:
        count = graph.add("Add", count, each)
    several = graph.add("Greater", count, graph.const(1.5, np.float64))
    nothing = graph.cast(graph.add("Less", count, graph.const(0.5, np.float64)), DOUBLE)
    prior = np.log(np.maximum(estimator.prior_, LEAST)).reshape(1, -1)
    total = graph.add("Mul", nothing, graph.const(prior))
    for there, logarithm, power in zip(seen, logarithms, estimator.exponents_.tolist(), strict=True):
        chosen = graph.add("Where", several, graph.const(power, np.float64), graph.const(1.0, np.float64))
        total = graph.add("Add", total, graph.add("Mul", graph.add("Mul", chosen, there), logarithm))
    return Classes(argmax(graph, total), graph.add("Softmax", total, axis=1))


def _columns(graph: Graph, features: str, spans: Spans) -> str:
    return graph.concat([graph.columns(features, start, stop) for start, stop in spans])


def _spread(graph: Graph, probabilities: str, classes: np.ndarray, width: int) -> str:
    """Probabilities in the places of all classes."""
    if np.array_equal(classes, np.arange(width)):
        return probabilities
    places = np.zeros((len(classes), width))
    places[np.arange(len(classes)), classes.astype(np.int64)] = 1.0
    return graph.add("MatMul", probabilities, graph.const(places))
