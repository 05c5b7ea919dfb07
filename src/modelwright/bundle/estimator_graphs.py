"""Fitted estimators as ONNX nodes.

Linear, Bayes, neighbour and cluster models are computed in float64, trees by ``bundle.trees``; the
label comes from the same quantity as in the library (the decision function, not the rounded
probability). An estimator without a graph of ours goes through ``bundle.converted``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn import calibration, cluster, ensemble, linear_model, naive_bayes, neighbors, svm, tree
from sklearn.linear_model._base import LinearClassifierMixin, LinearModel

from modelwright.bundle.boosters import Booster, read_lightgbm, read_xgboost
from modelwright.bundle.estimators import LeastSquaresClassifier
from modelwright.bundle.fusion import LateFusion
from modelwright.bundle.fusion_graph import add_fusion, add_kernel
from modelwright.bundle.graph import DOUBLE, INT64, Graph, NotExportable
from modelwright.bundle.graph_outputs import Classes, Clusters, Outputs, Value, argmax, dense, normalised
from modelwright.bundle.kernels import KernelRidgeClassifier
from modelwright.bundle.neighbours import NeighborsClassifier, NeighborsRegressor
from modelwright.bundle.neighbours_graph import add_own_neighbours, add_sklearn_neighbours
from modelwright.bundle.trees import add_exact_sum, add_forest, histogram_forest, sklearn_forest

Adder = Callable[[Graph, str, Any], Outputs]

_FORESTS = (tree.BaseDecisionTree, ensemble._forest.BaseForest)
_HISTOGRAMS = (ensemble.HistGradientBoostingClassifier, ensemble.HistGradientBoostingRegressor)
_NEIGHBOURS = (neighbors.KNeighborsClassifier, neighbors.KNeighborsRegressor)
_LINEAR_BAYES = (naive_bayes.MultinomialNB, naive_bayes.ComplementNB, naive_bayes.BernoulliNB)


def adder_for(estimator: Any) -> Adder | None:
    """What writes ``estimator``'s graph; ``None`` where only a converter might."""
    library = type(estimator).__module__.split(".")[0]
    if library == "xgboost":
        return _add_xgboost
    if library == "lightgbm":
        return _add_lightgbm
    for kinds, adder in _ADDERS:
        if isinstance(estimator, kinds):
            return adder
    if isinstance(estimator, LinearModel) and not isinstance(estimator, LinearClassifierMixin):
        return _add_linear_regression
    return None


def _add_forest_model(graph: Graph, features: str, estimator: Any) -> Outputs:
    if np.ndim(getattr(estimator, "n_classes_", 1)) or estimator.n_outputs_ > 1:
        raise NotExportable("The model predicts several targets at once.")
    members = len(getattr(estimator, "estimators_", ()))
    classes = len(estimator.classes_) if hasattr(estimator, "classes_") else 0
    mean = add_exact_sum(graph, sklearn_forest(estimator, classes or 1), features)
    if members:
        mean = graph.add("Div", mean, graph.const(float(members), np.float64))
    return Classes(argmax(graph, mean), mean) if classes else Value(mean)


def _add_histogram(graph: Graph, features: str, estimator: Any) -> Outputs:
    forest = histogram_forest(estimator)
    if isinstance(estimator, ensemble.HistGradientBoostingRegressor):
        raw = add_exact_sum(graph, forest, features)
        log_link = estimator.loss in {"poisson", "gamma"}
        return Value(graph.add("Exp", raw) if log_link else raw)
    raw = add_forest(graph, forest, features)
    return _linked_classes(graph, raw, "sigmoid" if estimator.n_trees_per_iteration_ == 1 else "softmax")


def _add_xgboost(graph: Graph, features: str, estimator: Any) -> Outputs:
    return _add_booster(graph, features, read_xgboost(estimator), hasattr(estimator, "n_classes_"))


def _add_lightgbm(graph: Graph, features: str, estimator: Any) -> Outputs:
    return _add_booster(graph, features, read_lightgbm(estimator), hasattr(estimator, "predict_proba"))


def _add_booster(graph: Graph, features: str, booster: Booster, classifies: bool) -> Outputs:
    dtype = np.float32 if classifies else np.float64
    raw = (add_forest if classifies else add_exact_sum)(graph, booster.forest, features)
    if booster.average > 1:
        raw = graph.add("Div", raw, graph.const(booster.average, dtype))
    if booster.slope != 1.0:
        raw = graph.add("Mul", raw, graph.const(booster.slope, dtype))
    if classifies:
        return _linked_classes(graph, raw, booster.link)
    link = {"exp": "Exp", "sigmoid": "Sigmoid"}.get(booster.link)
    return Value(graph.add(link, raw) if link else raw)


def _linked_classes(graph: Graph, raw: str, link: str) -> Classes:
    """Raw scores to labels and probabilities; one score stands for the second of two classes."""
    if link == "sigmoid":
        return _binary(graph, raw)
    if link == "softmax":
        return Classes(argmax(graph, raw), graph.add("Softmax", raw, axis=1))
    shares = graph.add("Sigmoid", raw)
    return Classes(argmax(graph, shares), normalised(graph, shares))


def _binary(graph: Graph, score: str) -> Classes:
    """Classes of a [rows, 1] score that is positive for the second label."""
    zero = graph.add("CastLike", graph.const(0.0, np.float64), score)
    positive = graph.cast(graph.add("Greater", score, zero), INT64)
    label = graph.add("Squeeze", positive, graph.const([1], np.int64))
    both = graph.concat([graph.add("Neg", score), score])
    return Classes(label, graph.add("Sigmoid", both))


def _add_least_squares(graph: Graph, features: str, estimator: Any) -> Outputs:
    scores = _linear(graph, features, estimator.coef_, estimator.intercept_)
    zero, one = graph.const(0.0, np.float64), graph.const(1.0, np.float64)
    clipped = graph.add("Min", graph.add("Max", scores, zero), one)
    return Classes(argmax(graph, scores), normalised(graph, clipped))


def _add_logistic(graph: Graph, features: str, estimator: Any) -> Outputs:
    scores = _linear(graph, features, estimator.coef_, estimator.intercept_)
    if len(estimator.classes_) == 2:
        return _binary(graph, scores)
    # With liblinear each class has a model of its own (scikit-learn before 1.8).
    return _linked_classes(graph, scores, "ova" if estimator.solver == "liblinear" else "softmax")


def _add_linear_regression(graph: Graph, features: str, estimator: Any) -> Outputs:
    coefficients = np.asarray(estimator.coef_)
    if coefficients.ndim == 2 and len(coefficients) > 1:
        raise NotExportable("The model predicts several targets at once.")
    return Value(_linear(graph, features, coefficients.reshape(1, -1), np.ravel(estimator.intercept_)))


def _linear(graph: Graph, features: str, coefficients: Any, intercept: Any) -> str:
    """``features @ coefficients.T + intercept`` in float64, [rows, outputs]."""
    weights = dense(coefficients).T.astype(np.float64)
    product = graph.add("MatMul", graph.cast(features, DOUBLE), graph.const(weights))
    offset = np.broadcast_to(np.asarray(intercept, dtype=np.float64), (weights.shape[1],))
    return graph.add("Add", product, graph.const(offset.copy()))


def _add_calibrated(graph: Graph, features: str, estimator: Any) -> Outputs:
    """Platt-scaled linear models: mean over the folds of each fold's normalised sigmoids."""
    folds = estimator.calibrated_classifiers_
    classes = len(estimator.classes_)
    if not all(_is_sigmoid_linear(fold, classes) for fold in folds):
        raise NotExportable(
            "Calibration is exported for linear models with sigmoid calibration only "
            "(CalibratedClassifierCV(LinearSVC(), method='sigmoid'))."
        )
    total = None
    for fold in folds:
        shares = _add_calibrated_fold(graph, features, fold, classes)
        total = shares if total is None else graph.add("Add", total, shares)
    if total is None:
        raise NotExportable("The calibrated model has no folds.")
    mean = graph.add("Div", total, graph.const(float(len(folds)), np.float64)) if len(folds) > 1 else total
    return Classes(argmax(graph, mean), mean)


def _is_sigmoid_linear(fold: Any, classes: int) -> bool:
    inner = fold.estimator
    return (
        fold.method == "sigmoid"
        and isinstance(inner, LinearClassifierMixin)
        and len(inner.classes_) == classes
    )


def _add_calibrated_fold(graph: Graph, features: str, fold: Any, classes: int) -> str:
    inner = fold.estimator
    scores = _linear(graph, features, inner.coef_, inner.intercept_)
    slopes = np.array([[calibrator.a_ for calibrator in fold.calibrators]], dtype=np.float64)
    offsets = np.array([[calibrator.b_ for calibrator in fold.calibrators]], dtype=np.float64)
    scaled = graph.add("Add", graph.add("Mul", scores, graph.const(-slopes)), graph.const(-offsets))
    shares = graph.add("Sigmoid", scaled)
    if classes > 2:
        return normalised(graph, shares)
    return graph.concat([graph.add("Sub", graph.const(1.0, np.float64), shares), shares])


def _add_gaussian_bayes(graph: Graph, features: str, estimator: Any) -> Outputs:
    """Sum of squared standardised distances, one class at a time, as the library adds them."""
    wide = graph.cast(features, DOUBLE)
    columns = []
    for mean, variance, prior in zip(estimator.theta_, estimator.var_, estimator.class_prior_, strict=True):
        distance = graph.add("Sub", wide, graph.const(mean.reshape(1, -1).astype(np.float64)))
        square = graph.add(
            "Div",
            graph.add("Mul", distance, distance),
            graph.const(variance.reshape(1, -1).astype(np.float64)),
        )
        total = graph.add("ReduceSum", square, graph.const([1], np.int64), keepdims=1)
        constant = np.log(prior) - 0.5 * np.sum(np.log(2.0 * np.pi * variance))
        halved = graph.add("Mul", total, graph.const(-0.5, np.float64))
        columns.append(graph.add("Add", halved, graph.const(float(constant), np.float64)))
    scores = graph.concat(columns)
    return Classes(argmax(graph, scores), graph.add("Softmax", scores, axis=1))


def _add_linear_bayes(graph: Graph, features: str, estimator: Any) -> Outputs:
    """Naive Bayes whose joint log likelihood is linear in the (binarised) features."""
    weights = np.asarray(estimator.feature_log_prob_, dtype=np.float64)
    intercept = np.asarray(estimator.class_log_prior_, dtype=np.float64)
    if isinstance(estimator, naive_bayes.BernoulliNB):
        if estimator.binarize is not None:
            over = graph.add("Greater", features, graph.const(estimator.binarize, np.float32))
            features = graph.cast(over, DOUBLE)
        absent = np.log1p(-np.exp(weights))
        intercept = intercept + absent.sum(axis=1)
        weights = weights - absent
    elif isinstance(estimator, naive_bayes.ComplementNB) and len(estimator.classes_) > 1:
        intercept = np.zeros(len(estimator.classes_))
    scores = _linear(graph, features, weights, intercept)
    return Classes(argmax(graph, scores), graph.add("Softmax", scores, axis=1))


def _add_centres(graph: Graph, features: str, estimator: Any) -> Outputs:
    """Euclidean distance to every centre, directly (no expansion), and the nearest centre."""
    centres = np.asarray(estimator.cluster_centers_, dtype=np.float64)
    wide = graph.cast(features, DOUBLE)
    columns = [
        graph.add(
            "ReduceL2", graph.add("Sub", wide, graph.const(centre.reshape(1, -1))), axes=[1], keepdims=1
        )
        for centre in centres
    ]
    distances = graph.concat(columns)
    return Clusters(graph.add("ArgMin", distances, axis=1, keepdims=0), distances)


def _add_late_fusion(graph: Graph, features: str, estimator: LateFusion) -> Outputs:
    return add_fusion(graph, features, estimator, _add_member)


def _add_member(graph: Graph, features: str, member: Any) -> Classes:
    adder = adder_for(member)
    found = None if adder is None else adder(graph, features, member)
    if not isinstance(found, Classes):
        raise NotExportable(f"{type(member).__name__} has no graph of ours to be part of a fusion.")
    return found


_ADDERS: tuple[tuple[type | tuple[type, ...], Adder], ...] = (
    (_FORESTS, _add_forest_model),
    (_HISTOGRAMS, _add_histogram),
    (LeastSquaresClassifier, _add_least_squares),
    (KernelRidgeClassifier, add_kernel),
    (LateFusion, _add_late_fusion),
    (linear_model.LogisticRegression, _add_logistic),
    (calibration.CalibratedClassifierCV, _add_calibrated),
    (svm.LinearSVR, _add_linear_regression),
    (naive_bayes.GaussianNB, _add_gaussian_bayes),
    (_LINEAR_BAYES, _add_linear_bayes),
    (_NEIGHBOURS, add_sklearn_neighbours),
    ((NeighborsClassifier, NeighborsRegressor), add_own_neighbours),
    ((cluster.KMeans, cluster.MiniBatchKMeans), _add_centres),
)
