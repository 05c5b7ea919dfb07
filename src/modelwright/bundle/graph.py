"""A small writer of ONNX graphs: the same calls give the same bytes.

Names are numbered in the order of the calls, nothing about the time or the machine is recorded.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from modelwright.errors import ExitCode, ModelwrightError

OPSET = 17
ML_OPSET = 3
IR_VERSION = 8
ML = "ai.onnx.ml"
PRODUCER = "modelwright"

FLOAT = TensorProto.FLOAT
DOUBLE = TensorProto.DOUBLE
INT64 = TensorProto.INT64
STRING = TensorProto.STRING
BOOL = TensorProto.BOOL


class NotExportable(ModelwrightError):
    """An estimator has no ONNX form that answers as it does."""

    code = ExitCode.TRAINING

    def __init__(self, reason: str) -> None:
        super().__init__(reason, "Choose another candidate, or other settings of this one.")


class Graph:
    """A graph under construction. Every tensor is known by its name."""

    def __init__(self, prefix: str = "") -> None:
        self.prefix = prefix
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self.inputs: list[onnx.ValueInfoProto] = []
        self.outputs: list[onnx.ValueInfoProto] = []
        self._constants: dict[tuple[str, tuple[int, ...], bytes], str] = {}
        self._count = 0

    def fresh(self, hint: str) -> str:
        """A name not used before."""
        self._count += 1
        return f"{self.prefix}{hint.lower()}_{self._count}"

    def input(self, name: str, kind: int, shape: Sequence[int | str]) -> str:
        """Declare an input."""
        self.inputs.append(helper.make_tensor_value_info(name, kind, list(shape)))
        return name

    def output(self, tensor: str, name: str, kind: int, shape: Sequence[int | str]) -> None:
        """Give ``tensor`` out under ``name``."""
        self.nodes.append(helper.make_node("Identity", [tensor], [name], name=self.fresh("output")))
        self.outputs.append(helper.make_tensor_value_info(name, kind, list(shape)))

    def const(self, value: Any, dtype: type[np.generic] | None = None) -> str:
        """A constant tensor; equal constants are stored once."""
        array = np.ascontiguousarray(np.asarray(value, dtype=dtype)).reshape(np.shape(value))
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self._constants:
            name = self.fresh("const")
            self.initializers.append(numpy_helper.from_array(array, name))
            self._constants[key] = name
        return self._constants[key]

    def add(self, op: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """Add a node of one output and return that output's name."""
        return self.add_many(op, inputs, 1, domain=domain, **attributes)[0]

    def add_many(
        self, op: str, inputs: Iterable[str], outputs: int, *, domain: str = "", **attributes: Any
    ) -> list[str]:
        """Add a node and return the names of its outputs."""
        names = [self.fresh(op) for _ in range(outputs)]
        node = helper.make_node(op, list(inputs), names, name=self.fresh("node"), domain=domain)
        for key, value in sorted(attributes.items()):
            node.attribute.append(_attribute(key, value))
        self.nodes.append(node)
        return names

    def cast(self, tensor: str, kind: int) -> str:
        """``tensor`` as another element type."""
        return self.add("Cast", tensor, to=kind)

    def columns(self, tensor: str, start: int, end: int) -> str:
        """Columns ``start`` to ``end`` (exclusive) of a matrix."""
        return self.add(
            "Slice",
            tensor,
            self.const([start], np.int64),
            self.const([end], np.int64),
            self.const([1], np.int64),
        )

    def concat(self, tensors: Sequence[str]) -> str:
        """Matrices side by side."""
        return tensors[0] if len(tensors) == 1 else self.add("Concat", *tensors, axis=1)

    def build(self) -> bytes:
        """The checked model's bytes."""
        graph = helper.make_graph(self.nodes, "modelwright", self.inputs, self.outputs, self.initializers)
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET), helper.make_opsetid(ML, ML_OPSET)],
            producer_name=PRODUCER,
            ir_version=IR_VERSION,
        )
        onnx.checker.check_model(model)
        return bytes(model.SerializeToString(deterministic=True))


def _attribute(key: str, value: Any) -> onnx.AttributeProto:
    """An attribute; long lists are written without ``helper``'s check of every element."""
    if isinstance(value, np.ndarray):
        attribute = onnx.AttributeProto(name=key)
        if value.dtype.kind in "iub":
            attribute.type = onnx.AttributeProto.INTS
            attribute.ints.extend(value.astype(np.int64).tolist())
        else:
            attribute.type = onnx.AttributeProto.FLOATS
            attribute.floats.extend(value.astype(np.float32).tolist())
        return attribute
    if isinstance(value, list) and value and isinstance(value[0], bytes):
        attribute = onnx.AttributeProto(name=key, type=onnx.AttributeProto.STRINGS)
        attribute.strings.extend(value)
        return attribute
    return helper.make_attribute(key, value)


def tensor_attribute(array: np.ndarray, name: str) -> onnx.TensorProto:
    """``array`` as a tensor to be used as an attribute's value."""
    return numpy_helper.from_array(np.ascontiguousarray(array), name)
