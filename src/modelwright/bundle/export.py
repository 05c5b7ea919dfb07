"""One ONNX graph a model: the preprocessor's nodes, then the estimator's. Training side only."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx

from modelwright.bundle.converted import add_converted
from modelwright.bundle.encode import Encoder
from modelwright.bundle.estimator_graphs import adder_for
from modelwright.bundle.graph import DOUBLE, FLOAT, INT64, ML, STRING, Graph, NotExportable
from modelwright.bundle.graph_outputs import Classes, Clusters, Outputs, Value
from modelwright.bundle.preprocess import Preprocessor
from modelwright.bundle.preprocess_graph import NUMBERS, STRINGS, add_preprocessor, declare_inputs
from modelwright.schema.metrics import Task

__all__ = ["NotExportable", "column_graph", "export_model"]

_OWN_PREFIX = "/modelwright/"


def export_model(preprocessor: Preprocessor, estimator: Any, task: Task, *, n_labels: int) -> bytes:
    """The graph of a fitted model, as ``bundle.format`` describes it. The same fit gives the same bytes.

    Args:
        preprocessor: Fitted; it made the matrix that ``estimator`` was fitted on.
        estimator: Fitted on that matrix; a classifier on labels 0 to ``n_labels`` - 1.
        task: What the model does.
        n_labels: Number of labels (classification) or clusters; ignored for a regression.

    Raises:
        NotExportable: There is no graph that answers as the estimator does; says why.
    """
    graph = Graph()
    numbers, strings = declare_inputs(graph, preprocessor)
    if numbers is None and strings is None:
        raise NotExportable("The model has no inputs: every column was left out.")
    features = add_preprocessor(graph, preprocessor, numbers, strings)
    if preprocessor.sparse and type(estimator).__module__.startswith("xgboost."):
        features = _absent_as_missing(graph, features)
    adder = adder_for(estimator)
    if adder is None:
        outputs = add_converted(graph, features, estimator, task, len(preprocessor.feature_names))
    else:
        outputs = adder(graph, features, estimator)
    _give_out(graph, outputs, estimator, task, n_labels)
    return graph.build()


def column_graph(onnx_bytes: bytes, encoder: Encoder) -> bytes:
    """The same model with one rank-1 input a raw column and rank-1 outputs, for MLflow's onnx flavour.

    Outputs are ``label`` and ``p0`` ... ``pC-1`` (for a clustering ``label`` and ``d0`` ...), or
    ``value``, each [rows].

    Raises:
        NotExportable: A column is text or a date-time, which Python encodes (see ``Encoder.columnar``).
    """
    if not encoder.columnar:
        raise NotExportable("A text or date-time column is encoded outside the graph.")
    model = onnx.load_model_from_string(onnx_bytes)
    prefix = _OWN_PREFIX
    while any(name.startswith(prefix) for name in encoder.names):
        prefix = f"/{prefix}"
    graph = Graph(prefix)
    graph.ml_opset = next(entry.version for entry in model.opset_import if entry.domain == ML)
    renamed = {}
    if encoder.number_names:
        renamed[NUMBERS] = _packed_columns(graph, encoder.number_names, FLOAT)
    if encoder.string_names:
        renamed[STRINGS] = _packed_columns(graph, encoder.string_names, STRING)
    produced = {name for node in model.graph.node for name in node.output}
    produced |= {tensor.name for tensor in model.graph.initializer}
    renamed |= {name: f"{prefix}inner/{name}" for name in produced}
    for node in model.graph.node:
        node.input[:] = [renamed[name] for name in node.input]
        node.output[:] = [renamed[name] for name in node.output]
        node.name = f"{prefix}inner/{node.name}"
    for tensor in model.graph.initializer:
        tensor.name = renamed[tensor.name]
    graph.take(model.graph)
    for output in model.graph.output:
        _flat_output(graph, output, renamed[output.name])
    return graph.build()


def _packed_columns(graph: Graph, names: tuple[str, ...], kind: int) -> str:
    axis = graph.const([1], np.int64)
    return graph.concat([graph.add("Unsqueeze", graph.input(name, kind, ["rows"]), axis) for name in names])


def _flat_output(graph: Graph, output: onnx.ValueInfoProto, tensor: str) -> None:
    """Give out a vector as it is, and a matrix column by column (``p0``, ``d0``, ...).

    Where a column of the table has that name already, an underscore is put behind it.
    """
    dimensions = output.type.tensor_type.shape.dim
    if len(dimensions) == 1:
        name = _untaken(graph, output.name)
        graph.output(tensor, name, output.type.tensor_type.elem_type, ["rows"])
        return
    for column in range(dimensions[1].dim_value):
        picked = graph.add("Gather", tensor, graph.const(column, np.int64), axis=1)
        graph.output(picked, _untaken(graph, f"{output.name[0]}{column}"), FLOAT, ["rows"])


def _untaken(graph: Graph, name: str) -> str:
    taken = {entry.name for entry in graph.inputs}
    while name in taken:
        name = f"{name}_"
    return name


def _absent_as_missing(graph: Graph, features: str) -> str:
    """XGBoost reads what a sparse matrix leaves out as missing, and so must its graph."""
    absent = graph.add("Equal", features, graph.const(0.0, np.float32))
    return graph.add("Where", absent, graph.const(np.nan, np.float32), features)


def _give_out(graph: Graph, outputs: Outputs, estimator: Any, task: Task, n_labels: int) -> None:
    """Declare the outputs of the bundle format, whatever the estimator's own shapes and types."""
    match (task, outputs):
        case (Task.CLASSIFICATION, Classes(label, probabilities)):
            label, probabilities = _all_labels(graph, label, probabilities, estimator, n_labels)
            graph.output(_vector(graph, label, INT64), "label", INT64, ["rows"])
            graph.output(graph.cast(probabilities, FLOAT), "probabilities", FLOAT, ["rows", n_labels])
        case (Task.REGRESSION, Value(value)):
            graph.output(_vector(graph, value, DOUBLE), "value", DOUBLE, ["rows"])
        case (Task.CLUSTERING, Clusters(label, distances)):
            graph.output(_vector(graph, label, INT64), "label", INT64, ["rows"])
            graph.output(graph.cast(distances, FLOAT), "distances", FLOAT, ["rows", n_labels])
        case _:
            raise NotExportable(f"{type(estimator).__name__} does not do {task.value}.")


def _vector(graph: Graph, tensor: str, kind: int) -> str:
    return graph.cast(graph.add("Reshape", tensor, graph.const([-1], np.int64)), kind)


def _all_labels(
    graph: Graph, label: str, probabilities: str, estimator: Any, n_labels: int
) -> tuple[str, str]:
    """Put classes in their place where the training rows did not hold every label."""
    classes = np.asarray(estimator.classes_).astype(np.int64)
    if np.array_equal(classes, np.arange(n_labels)):
        return label, probabilities
    if adder_for(estimator) is not None:
        # Graphs of ours give positions among the classes; a converter's gives the classes themselves.
        label = graph.add("Gather", graph.const(classes), label, axis=0)
    spread = np.zeros((len(classes), n_labels))
    spread[np.arange(len(classes)), classes] = 1.0
    return label, graph.add("MatMul", graph.cast(probabilities, DOUBLE), graph.const(spread))
