"""Tree ensembles as one ONNX node that sums in the same order and precision as the library does.

Converters cast thresholds or leaves to float32 and divide leaf weights beforehand; near a threshold,
or at a tie of votes, the answer then differs. Here scikit-learn's and LightGBM's trees stay in
float64, XGBoost's in float32, trees in their order, and what follows the sum (mean, sigmoid,
softmax) is done after it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from modelwright.bundle.graph import DOUBLE, INT64, ML, Graph, NotExportable, tensor_attribute

_MOST_LEAVES = 2**24  # float32 holds every whole number up to here
_MOST_NODES = 10_000_000


@dataclass(frozen=True)
class Tree:
    """One tree; every array has one entry a node, node 0 is the root.

    Attributes:
        feature: Feature compared; anything at a leaf.
        threshold: Compared with; anything at a leaf.
        left, right: Child where the comparison is true, and where not; -1 at a leaf.
        missing_left: Whether a missing value (NaN) counts as true.
        values: Leaf values, [nodes, targets this tree adds to].
        targets: The output columns it adds to.
    """

    feature: np.ndarray
    threshold: np.ndarray
    left: np.ndarray
    right: np.ndarray
    missing_left: np.ndarray
    values: np.ndarray
    targets: tuple[int, ...]


@dataclass(frozen=True)
class Forest:
    """Trees whose values are added up.

    Attributes:
        trees: In the order of the sum.
        targets: Number of output columns.
        start: What the sum starts from, one value an output column.
        less_than: Compare by ``<`` rather than ``<=``.
        dtype: float64 or float32, of thresholds, values and sum alike.
    """

    trees: list[Tree]
    targets: int
    start: np.ndarray
    less_than: bool = False
    dtype: type[np.generic] = np.float64


def add_forest(graph: Graph, forest: Forest, features: str) -> str:
    """Add the ensemble's node on the float32 matrix ``features``.

    Returns:
        The name of the sums, float32 [rows, targets]: added up in the forest's own precision, then
        rounded, because the operator gives nothing wider.
    """
    trees = _from_start(forest)
    nodes = sum(len(tree.feature) for tree in trees)
    if nodes > _MOST_NODES:
        raise NotExportable(
            f"The model's {len(trees)} trees have {nodes} nodes together, more than the {_MOST_NODES} that a "
            "bundle may hold; limit max_depth or raise min_samples_leaf."
        )
    if not trees:
        raise NotExportable("The model has no trees: it found nothing to learn from.")
    inputs = features if forest.dtype is np.float32 else graph.cast(features, DOUBLE)
    return graph.add(
        "TreeEnsembleRegressor",
        inputs,
        domain=ML,
        n_targets=forest.targets,
        aggregate_function="SUM",
        post_transform="NONE",
        **_node_attributes(trees, forest),
        **_leaf_attributes(trees, forest.dtype),
    )


def add_exact_sum(graph: Graph, forest: Forest, features: str) -> str:
    """Like ``add_forest``, but the sums are float64 and bit-equal to adding tree by tree.

    The operator gives float32 only, which would settle near-ties of votes otherwise than the
    library does, and round a target far from zero. So here it gives, for each tree, the number of
    the leaf that was reached (exact in float32); the leaves' values are looked up and added in order.

    Returns:
        The name of the sums, float64 [rows, targets].
    """
    trees = _from_start(forest)
    leaves = [np.flatnonzero(tree.left < 0) for tree in trees]
    starts = np.cumsum([0, *(len(found) for found in leaves)])
    if starts[-1] > _MOST_LEAVES or forest.dtype is np.float32:
        return graph.cast(add_forest(graph, forest, features), DOUBLE)
    numbered = [
        replace(tree, values=_leaf_numbers(tree, found, start), targets=(place,))
        for place, (tree, found, start) in enumerate(zip(trees, leaves, starts[:-1], strict=True))
    ]
    width = len(numbered)
    reached = add_forest(graph, Forest(numbered, width, np.zeros(width)), features)
    table = np.zeros((starts[-1], forest.targets))
    for tree, found, start in zip(trees, leaves, starts[:-1], strict=True):
        table[start : start + len(found), list(tree.targets)] = tree.values[found]
    values = graph.add("Gather", graph.const(table), graph.cast(reached, INT64), axis=0)
    running = graph.add("CumSum", values, graph.const(1, np.int64))
    return graph.add("Gather", running, graph.const(width - 1, np.int64), axis=1)


def _from_start(forest: Forest) -> list[Tree]:
    """The trees, after one of a single leaf if the sum does not start from zero.

    Libraries start their sum there; ONNX adds base values at the end.
    """
    return [_constant_tree(forest), *forest.trees] if np.any(forest.start) else list(forest.trees)


def _leaf_numbers(tree: Tree, leaves: np.ndarray, start: int) -> np.ndarray:
    """Node values that number the leaves from ``start`` on."""
    numbers = np.zeros((len(tree.left), 1))
    numbers[leaves, 0] = np.arange(start, start + len(leaves))
    return numbers


def _constant_tree(forest: Forest) -> Tree:
    no_child = np.array([-1])
    return Tree(
        feature=np.array([0]),
        threshold=np.array([0.0]),
        left=no_child,
        right=no_child,
        missing_left=np.array([False]),
        values=forest.start.reshape(1, -1),
        targets=tuple(range(forest.targets)),
    )


def _node_attributes(trees: list[Tree], forest: Forest) -> dict[str, Any]:
    sizes = [len(tree.feature) for tree in trees]
    leaf = np.concatenate([tree.left < 0 for tree in trees])
    mode = b"BRANCH_LT" if forest.less_than else b"BRANCH_LEQ"
    values = np.where(leaf, 0, np.concatenate([tree.threshold for tree in trees])).astype(forest.dtype)
    attributes: dict[str, Any] = {
        "nodes_treeids": np.repeat(np.arange(len(trees)), sizes),
        "nodes_nodeids": np.concatenate([np.arange(size) for size in sizes]),
        "nodes_featureids": np.where(leaf, 0, np.concatenate([tree.feature for tree in trees])),
        "nodes_modes": [b"LEAF" if is_leaf else mode for is_leaf in leaf.tolist()],
        "nodes_truenodeids": np.where(leaf, 0, np.concatenate([tree.left for tree in trees])),
        "nodes_falsenodeids": np.where(leaf, 0, np.concatenate([tree.right for tree in trees])),
        # NumPy booleans in an attribute are refused: whole numbers instead.
        "nodes_missing_value_tracks_true": np.where(
            leaf, 0, np.concatenate([tree.missing_left for tree in trees])
        ).astype(np.int64),
    }
    if forest.dtype is np.float32:
        attributes["nodes_values"] = values
    else:
        attributes["nodes_values_as_tensor"] = tensor_attribute(values, "nodes_values")
    return attributes


def _leaf_attributes(trees: list[Tree], dtype: type[np.generic]) -> dict[str, Any]:
    tree_ids, node_ids, target_ids, weights = [], [], [], []
    for number, tree in enumerate(trees):
        leaves = np.flatnonzero(tree.left < 0)
        values = tree.values[leaves]
        # Adding zero changes no sum, but a leaf must give something: its first target stays.
        keep = values != 0
        keep[:, 0] |= ~keep.any(axis=1)
        rows, places = np.nonzero(keep)
        tree_ids.append(np.full(len(rows), number))
        node_ids.append(leaves[rows])
        target_ids.append(np.array(tree.targets)[places])
        weights.append(values[rows, places])
    flat = np.concatenate(weights).astype(dtype)
    attributes: dict[str, Any] = {
        "target_treeids": np.concatenate(tree_ids),
        "target_nodeids": np.concatenate(node_ids),
        "target_ids": np.concatenate(target_ids),
    }
    if dtype is np.float32:
        attributes["target_weights"] = flat
    else:
        attributes["target_weights_as_tensor"] = tensor_attribute(flat, "target_weights")
    return attributes


def sklearn_tree(tree: Any, targets: int) -> Tree:
    """A ``sklearn.tree._tree.Tree``; its values are class shares or one mean."""
    values = tree.value.reshape(tree.node_count, -1)
    if values.shape[1] != targets:
        raise NotExportable("The tree predicts several targets at once.")
    return Tree(
        feature=tree.feature,
        threshold=tree.threshold,
        left=tree.children_left,
        right=tree.children_right,
        missing_left=np.asarray(tree.missing_go_to_left).astype(bool),
        values=values,
        targets=tuple(range(targets)),
    )


def sklearn_forest(estimator: Any, targets: int) -> Forest:
    """A decision tree, random forest or extra-trees model; the sum is not yet divided."""
    members = getattr(estimator, "estimators_", None)
    trees = [estimator] if members is None else list(members)
    return Forest([sklearn_tree(tree.tree_, targets) for tree in trees], targets, np.zeros(targets))


def histogram_forest(estimator: Any) -> Forest:
    """Scikit-learn's histogram gradient boosting."""
    outputs = estimator.n_trees_per_iteration_
    trees = [
        _histogram_tree(predictor.nodes, (output,))
        for iteration in estimator._predictors
        for output, predictor in enumerate(iteration)
    ]
    return Forest(trees, outputs, np.asarray(estimator._baseline_prediction, dtype=np.float64).reshape(-1))


def _histogram_tree(nodes: np.ndarray, targets: tuple[int, ...]) -> Tree:
    leaf = nodes["is_leaf"].astype(bool)
    if np.any(nodes["is_categorical"].astype(bool) & ~leaf):
        raise NotExportable("Histogram gradient boosting with categorical splits has no ONNX form.")
    return Tree(
        feature=nodes["feature_idx"].astype(np.int64),
        threshold=nodes["num_threshold"],
        left=np.where(leaf, -1, nodes["left"].astype(np.int64)),
        right=np.where(leaf, -1, nodes["right"].astype(np.int64)),
        missing_left=nodes["missing_go_to_left"].astype(bool),
        values=nodes["value"].reshape(-1, 1),
        targets=targets,
    )
