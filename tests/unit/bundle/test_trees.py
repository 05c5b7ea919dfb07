"""Tree ensembles answer as the library adds them up, however they are written down."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper
from sklearn import ensemble

from modelwright.bundle import trees
from modelwright.bundle.graph import DOUBLE, FLOAT, Graph
from modelwright.bundle.session import GraphRunner

SINGLE = st.floats(width=32, allow_nan=False)


def sums_of(model: Any, rows: np.ndarray, targets: int) -> tuple[bytes, np.ndarray]:
    """The graph of a forest's sums, and those sums for some rows."""
    graph = Graph()
    features = graph.input("numbers", FLOAT, ["rows", rows.shape[1]])
    total = trees.add_exact_sum(graph, trees.sklearn_forest(model, targets), features)
    graph.output(total, "sums", DOUBLE, ["rows", targets])
    written = graph.build()
    return written, GraphRunner(written).run(rows, np.empty((len(rows), 0), object))[0]


@pytest.fixture(scope="module")
def forest() -> tuple[Any, np.ndarray]:
    """A fully grown forest on few distinct values, so that sums of shares tie, and rows to ask."""
    random = np.random.default_rng(5)
    rows = random.integers(0, 4, (600, 4)).astype(np.float32)
    target = (rows.sum(axis=1) + random.normal(size=600) * 3 > 6).astype(int)
    return ensemble.RandomForestClassifier(12, random_state=0).fit(rows, target), rows


def added_in_order(model: Any, rows: np.ndarray) -> np.ndarray:
    """Each tree's shares, added one tree after the other."""
    total = np.zeros((len(rows), 2))
    for member in model.estimators_:
        total += member.predict_proba(rows)
    return total


def test_sums_are_bit_equal_to_adding_tree_by_tree(forest: tuple[Any, np.ndarray]) -> None:
    """In float64, in the order of the trees."""
    model, rows = forest
    assert sums_of(model, rows, 2)[1].tobytes() == added_in_order(model, rows).tobytes()


def test_a_large_forest_is_parted_and_answers_alike(
    forest: tuple[Any, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Several operators, none of more nodes than allowed unless one tree has more; the same sums."""
    model, rows = forest
    monkeypatch.setattr(trees, "_NODES_AN_OPERATOR", 2 * model.estimators_[0].tree_.node_count)
    written, sums = sums_of(model, rows, 2)
    operators = [
        node for node in onnx.load_model_from_string(written).graph.node if node.op_type == "TreeEnsemble"
    ]
    assert len(operators) > 3
    assert sums.tobytes() == added_in_order(model, rows).tobytes()


def test_equal_leaves_are_kept_once(forest: tuple[Any, np.ndarray]) -> None:
    """What is looked up has a row for each distinct content of a leaf, not for each leaf."""
    model, rows = forest
    graph = onnx.load_model_from_string(sums_of(model, rows, 2)[0]).graph
    leaves = sum(member.tree_.n_leaves for member in model.estimators_)
    distinct = {
        tuple(values)
        for member in model.estimators_
        for values in member.tree_.value[member.tree_.children_left < 0][:, 0].tolist()
    }
    (table,) = [tensor for tensor in graph.initializer if list(tensor.dims)[1:] == [2]]
    assert table.dims[0] == len(distinct) < leaves / 2


def test_leaves_that_hash_alike_are_kept_apart(
    forest: tuple[Any, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a hash that makes all leaves alike the sums are still right."""
    model, rows = forest
    monkeypatch.setattr(trees, "_MIXER", np.uint64(0))
    assert sums_of(model, rows, 2)[1].tobytes() == added_in_order(model, rows).tobytes()


@given(SINGLE, st.floats(allow_nan=False))
@pytest.mark.parametrize("less_than", [False, True])
def test_a_rounded_threshold_decides_alike(less_than: bool, value: float, threshold: float) -> None:
    """Every float32 value goes the same way at the float32 threshold as at the float64 one."""
    tree = trees._constant_tree(0.0, 0)
    rounded = trees._rounded(trees.replace(tree, threshold=np.array([threshold])), less_than=less_than)
    compare: Callable[[Any, Any], Any] = np.less if less_than else np.less_equal
    single = np.float32(value)
    assert compare(single, rounded.threshold[0]) == compare(np.float64(single), threshold)


@given(SINGLE)
def test_a_threshold_at_the_value_itself_decides_alike(value: float) -> None:
    """Just below, at, and just above a float32 value."""
    for threshold in (np.nextafter(value, -np.inf), value, np.nextafter(value, np.inf)):
        tree = trees.replace(trees._constant_tree(0.0, 0), threshold=np.array([threshold]))
        assert (np.float32(value) <= trees._rounded(tree, less_than=False).threshold[0]) == (
            value <= threshold
        )
        assert (np.float32(value) < trees._rounded(tree, less_than=True).threshold[0]) == (value < threshold)


def test_graphs_with_the_operator_of_before_are_read() -> None:
    """A bundle whose trees were written as ``TreeEnsembleRegressor`` answers as ever."""
    node = helper.make_node(
        "TreeEnsembleRegressor",
        ["numbers"],
        ["sums"],
        domain="ai.onnx.ml",
        n_targets=1,
        aggregate_function="SUM",
        post_transform="NONE",
        nodes_treeids=[0, 0, 0],
        nodes_nodeids=[0, 1, 2],
        nodes_featureids=[0, 0, 0],
        nodes_modes=["BRANCH_LEQ", "LEAF", "LEAF"],
        nodes_truenodeids=[1, 0, 0],
        nodes_falsenodeids=[2, 0, 0],
        nodes_values=[0.5, 0.0, 0.0],
        target_treeids=[0, 0],
        target_nodeids=[1, 2],
        target_ids=[0, 0],
        target_weights=[10.0, 20.0],
    )
    graph = helper.make_graph(
        [node],
        "modelwright",
        [helper.make_tensor_value_info("numbers", TensorProto.FLOAT, ["rows", 1])],
        [helper.make_tensor_value_info("sums", TensorProto.FLOAT, ["rows", 1])],
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)], ir_version=8
    )
    rows = np.array([[0.0], [0.5], [1.0]], dtype=np.float32)
    (sums,) = GraphRunner(model.SerializeToString()).run(rows, np.empty((3, 0), object))
    assert sums.ravel().tolist() == [10.0, 10.0, 20.0]
