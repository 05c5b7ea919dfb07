"""Estimators without a graph of ours, through skl2onnx."""

from __future__ import annotations

from typing import Any

import onnx
from onnx import compose

from modelwright.bundle.graph import ML_OPSET, OPSET, Graph, NotExportable
from modelwright.bundle.graph_outputs import Classes, Clusters, Outputs, Value
from modelwright.schema.metrics import Task

_PREFIX = "converted_"


def add_converted(graph: Graph, features: str, estimator: Any, task: Task, width: int) -> Outputs:
    """Add what skl2onnx makes of ``estimator``, reading the float32 matrix ``features``.

    Raises:
        NotExportable: skl2onnx does not know it, or its graph gives no probabilities.
    """
    name = type(estimator).__name__
    if task is Task.CLASSIFICATION and not hasattr(estimator, "predict_proba"):
        raise NotExportable(
            f"{name} gives no probabilities; wrap it in sklearn.calibration.CalibratedClassifierCV."
        )
    model = compose.add_prefix(_convert(estimator, task, width), _PREFIX)
    source = model.graph.input[0].name
    for node in model.graph.node:
        node.input[:] = [features if tensor == source else tensor for tensor in node.input]
    graph.take(model.graph)
    outputs = [output.name for output in model.graph.output]
    if task is Task.REGRESSION:
        return Value(outputs[0])
    if len(outputs) < 2:
        raise NotExportable(f"The ONNX form of {name} gives labels only.")
    kind = Classes if task is Task.CLASSIFICATION else Clusters
    return kind(outputs[0], outputs[1])


def _convert(estimator: Any, task: Task, width: int) -> onnx.ModelProto:
    from skl2onnx import to_onnx
    from skl2onnx.common.data_types import FloatTensorType

    name = f"{type(estimator).__module__}.{type(estimator).__name__}"
    options = {id(estimator): {"zipmap": False}} if task is Task.CLASSIFICATION else None
    try:
        model = to_onnx(
            estimator,
            initial_types=[("features", FloatTensorType([None, width]))],
            options=options,
            target_opset={"": OPSET, "ai.onnx.ml": ML_OPSET},
        )
    # The converter meets estimators nobody foresaw, and raises whatever its parts raise.
    except Exception as error:
        said = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise NotExportable(f"{name} has no ONNX form that we can write: {said[:300]}") from error
    unknown = {entry.domain for entry in model.opset_import} - {"", "ai.onnx.ml"}
    if unknown:
        raise NotExportable(
            f"The ONNX form of {name} needs operators outside the standard: {sorted(unknown)}."
        )
    return model
