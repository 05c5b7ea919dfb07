"""Tree ensembles as ONNX nodes that sum in the same order and precision as the library does.

Converters cast thresholds or leaves to float32 and divide leaf weights beforehand; near a threshold,
or at a tie of votes, the answer then differs. Here scikit-learn's and LightGBM's trees stay in
float64, XGBoost's in float32, trees in their order, and what follows the sum (mean, sigmoid,
softmax) is done after it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from modelwright.bundle.graph import (
    DOUBLE,
    FLOAT,
    INT64,
    ML,
    TREES_ML_OPSET,
    Graph,
    NotExportable,
    tensor_attribute,
)

MOST_NODES = 10_000_000  # numbers of leaves are exact in float32, which holds whole numbers up to 2**24
_NODES_AN_OPERATOR = 250_000
"""More are parted among several operators: reading one takes ONNX Runtime 300 bytes a node for a moment."""

_MIXER = np.uint64(0x9E3779B97F4A7C15)  # odd, its bits well mixed: 2**64 divided by the golden ratio

# As ``TreeEnsemble`` numbers them.
_LESS_OR_EQUAL, _LESS = 0, 1
_SUM, _NO_TRANSFORM = 1, 0


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
    """Add the ensemble's node on the float32 matrix ``features``; each tree adds to one target.

    Returns:
        The name of the sums, float32 [rows, targets]: added up in the forest's own precision, then
        rounded.
    """
    trees = _from_start(forest)
    _check_size(trees)
    sums = _add_ensemble(graph, replace(forest, trees=trees), features)
    return sums if forest.dtype is np.float32 else graph.cast(sums, FLOAT)


def add_exact_sum(graph: Graph, forest: Forest, features: str) -> str:
    """Like ``add_forest``, but a tree may add to any targets, and the sums are float64.

    They are bit-equal to adding tree by tree: float32 would settle near-ties of votes otherwise than
    the library does, and round a target far from zero. Each tree gives the number of what the leaf
    holds that was reached (exact in float32); that is looked up, and added in order.

    Returns:
        The name of the sums, float64 [rows, targets].
    """
    if forest.dtype is np.float32:
        return graph.cast(add_forest(graph, forest, features), DOUBLE)
    trees = _from_start(forest)
    _check_size(trees)
    table, numbers = _distinct_leaves(trees, forest.targets)
    numbered = (
        replace(_rounded(tree, less_than=forest.less_than), values=_at_leaves(tree, given)[:, None])
        for tree, given in zip(trees, numbers, strict=True)
    )
    reached = graph.concat(
        [
            _add_ensemble(graph, Forest(part, len(part), np.zeros(0), forest.less_than, np.float32), features)
            for part in _parted(numbered)
        ]
    )
    values = graph.add("Gather", graph.const(table), graph.cast(reached, INT64), axis=0)
    running = graph.add("CumSum", values, graph.const(1, np.int64))
    return graph.add("Gather", running, graph.const(len(trees) - 1, np.int64), axis=1)


def _check_size(trees: list[Tree]) -> None:
    nodes = sum(len(tree.feature) for tree in trees)
    if nodes > MOST_NODES:
        raise NotExportable(
            f"The model's {len(trees)} trees have {nodes} nodes together, more than the {MOST_NODES} that a "
            "bundle may hold; limit max_depth or raise min_samples_leaf."
        )
    if not trees:
        raise NotExportable("The model has no trees: it found nothing to learn from.")


def _from_start(forest: Forest) -> list[Tree]:
    """The trees, after one of a single leaf for each target if the sum does not start from zero.

    Libraries start their sum there; ONNX adds base values at the end.
    """
    if not np.any(forest.start):
        return list(forest.trees)
    return [*(_constant_tree(value, target) for target, value in enumerate(forest.start)), *forest.trees]


def _constant_tree(value: float, target: int) -> Tree:
    no_child = np.array([-1])
    return Tree(
        feature=np.array([0]),
        threshold=np.array([0.0]),
        left=no_child,
        right=no_child,
        missing_left=np.array([False]),
        values=np.array([[value]]),
        targets=(target,),
    )


def _distinct_leaves(trees: list[Tree], targets: int) -> tuple[np.ndarray, list[np.ndarray]]:
    """What leaves hold, each once (float64 [distinct, targets]), and its number at every leaf of a tree.

    A forest grown to its end has millions of leaves, and two different ones where there are two labels.
    """
    leaves = [np.flatnonzero(tree.left < 0) for tree in trees]

    def held(target: int) -> np.ndarray:
        return np.concatenate([_held(tree, at, target) for tree, at in zip(trees, leaves, strict=True)])

    first, numbers = _numbered(held, targets)
    table = np.column_stack([held(target)[first] for target in range(targets)])
    return table, np.split(numbers.astype(np.int32), np.cumsum([*map(len, leaves)])[:-1])


def _at_leaves(tree: Tree, given: np.ndarray) -> np.ndarray:
    """One number a node: what ``given`` has for the leaves, 0 elsewhere."""
    at_nodes = np.zeros(len(tree.left), dtype=np.int64)
    at_nodes[tree.left < 0] = given
    return at_nodes


def _numbered(held: Callable[[int], np.ndarray], targets: int) -> tuple[np.ndarray, np.ndarray]:
    """Where each distinct leaf stands first, and which of them every leaf equals, by a hash of its bits."""
    codes: np.ndarray = np.zeros(len(held(0)), dtype=np.uint64)
    for target in range(targets):
        codes = (codes ^ (held(target) + 0.0).view(np.uint64)) * _MIXER  # -0.0 is the same as 0.0
        codes ^= codes >> np.uint64(29)
    _, first, numbers = np.unique(codes, return_index=True, return_inverse=True)
    if all(np.array_equal(values[first][numbers], values) for values in map(held, range(targets))):
        return first, numbers
    return np.arange(len(codes)), np.arange(len(codes))  # two leaves have one hash: each for itself


def _held(tree: Tree, leaves: np.ndarray, target: int) -> np.ndarray:
    """What each leaf of a tree adds to one target."""
    if target not in tree.targets:
        return np.zeros(len(leaves))
    return np.asarray(tree.values[leaves, tree.targets.index(target)])


def _rounded(tree: Tree, *, less_than: bool) -> Tree:
    """The same decisions on float32 features, with thresholds that are float32 themselves.

    ``x <= t`` where ``x`` is float32 is ``x <= t`` rounded down to float32, ``x < t`` is ``x < t``
    rounded up.
    """
    with np.errstate(over="ignore", under="ignore"):
        near = np.asarray(tree.threshold).astype(np.float32)
        wrong = near < tree.threshold if less_than else near > tree.threshold
        near[wrong] = np.nextafter(near[wrong], np.float32(np.inf if less_than else -np.inf))
    return replace(tree, threshold=near)


def _parted(trees: Iterable[Tree]) -> Iterator[list[Tree]]:
    """The trees in their order, in parts of not too many nodes, each tree's target its place in its part."""
    part: list[Tree] = []
    nodes = 0
    for tree in trees:
        if part and nodes + len(tree.feature) > _NODES_AN_OPERATOR:
            yield part
            part, nodes = [], 0
        part.append(replace(tree, targets=(len(part),)))
        nodes += len(tree.feature)
    yield part


def _add_ensemble(graph: Graph, forest: Forest, features: str) -> str:
    """One operator for trees of one target each; the name of their sums, of the forest's type."""
    graph.ml_opset = TREES_ML_OPSET
    inputs = features if forest.dtype is np.float32 else graph.cast(features, DOUBLE)
    return graph.add(
        "TreeEnsemble",
        inputs,
        domain=ML,
        n_targets=forest.targets,
        aggregate_function=_SUM,
        post_transform=_NO_TRANSFORM,
        **_attributes(forest),
    )


def _attributes(forest: Forest) -> dict[str, Any]:
    """Inner nodes one after the other, leaves one after the other, trees in their order."""
    found: dict[str, list[np.ndarray]] = {name: [] for name in (*_NODE_ARRAYS, *_LEAF_ARRAYS)}
    roots, nodes, leaves = [], 0, 0
    for tree in forest.trees:
        roots.append(nodes)
        laid = _laid_out(tree, nodes, leaves)
        for name, values in laid.items():
            found[name].append(values)
        nodes += len(laid["nodes_featureids"])
        leaves += len(laid["leaf_weights"])
    joined = {name: np.concatenate(arrays) for name, arrays in found.items()}
    mode = np.full(nodes, _LESS if forest.less_than else _LESS_OR_EQUAL, dtype=np.uint8)
    return {
        **joined,
        "tree_roots": np.array(roots),
        "nodes_modes": tensor_attribute(mode, "nodes_modes"),
        "nodes_splits": tensor_attribute(joined["nodes_splits"].astype(forest.dtype), "nodes_splits"),
        "leaf_weights": tensor_attribute(joined["leaf_weights"].astype(forest.dtype), "leaf_weights"),
    }


_NODE_ARRAYS = (
    "nodes_featureids",
    "nodes_splits",
    "nodes_truenodeids",
    "nodes_trueleafs",
    "nodes_falsenodeids",
    "nodes_falseleafs",
    "nodes_missing_value_tracks_true",
)
_LEAF_ARRAYS = ("leaf_targetids", "leaf_weights")


def _laid_out(tree: Tree, nodes: int, leaves: int) -> dict[str, np.ndarray]:
    """One tree's arrays, its first inner node having the number ``nodes``, its first leaf ``leaves``."""
    leaf = tree.left < 0
    inner, ends = np.flatnonzero(~leaf), np.flatnonzero(leaf)
    place = np.empty(len(leaf), dtype=np.int64)
    place[inner] = np.arange(nodes, nodes + len(inner))
    place[ends] = np.arange(leaves, leaves + len(ends))
    left, right = tree.left[inner], tree.right[inner]
    if not len(inner):  # a tree of one leaf: a comparison that ends there either way
        inner = left = right = ends
    (target,) = tree.targets
    return {
        "nodes_featureids": np.where(leaf[inner], 0, tree.feature[inner]),
        "nodes_splits": np.where(leaf[inner], 0, tree.threshold[inner]),
        "nodes_truenodeids": place[left],
        "nodes_trueleafs": leaf[left],
        "nodes_falsenodeids": place[right],
        "nodes_falseleafs": leaf[right],
        "nodes_missing_value_tracks_true": tree.missing_left[inner],
        "leaf_targetids": np.full(len(ends), target),
        "leaf_weights": tree.values[ends, 0],
    }


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
