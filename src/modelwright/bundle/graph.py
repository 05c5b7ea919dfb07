"""A small writer of ONNX graphs: the same calls give the same bytes.

Names are numbered in the order of the calls, nothing about the time or the machine is recorded.
Nodes and constants are kept as the bytes they will be in the file, so that a large model lies in
memory once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from modelwright.bundle import wire
from modelwright.errors import ExitCode, ModelwrightError

OPSET = 17
ML_OPSET = 3
TREES_ML_OPSET = 5
"""Where ``TreeEnsemble`` came, and the operators for trees that converters write went."""
IR_VERSION = 8
ML = "ai.onnx.ml"
PRODUCER = "modelwright"

_GRAPH_OF_MODEL, _NODE, _INITIALIZER, _ATTRIBUTE_OF_NODE = 7, 1, 5, 5  # field numbers in onnx.proto

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
    """A graph under construction. Every tensor is known by its name.

    Attributes:
        prefix: Before every name.
        inputs, outputs: As declared.
        ml_opset: Of the operators in ``ML``.
    """

    def __init__(self, prefix: str = "") -> None:
        self.prefix = prefix
        self.inputs: list[onnx.ValueInfoProto] = []
        self.outputs: list[onnx.ValueInfoProto] = []
        self.ml_opset = ML_OPSET
        self._nodes: list[bytes] = []
        self._initializers: list[bytes] = []
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
        self._keep_node(helper.make_node("Identity", [tensor], [name], name=self.fresh("output")))
        self.outputs.append(helper.make_tensor_value_info(name, kind, list(shape)))

    def const(self, value: Any, dtype: type[np.generic] | None = None) -> str:
        """A constant tensor; equal constants are stored once."""
        array = np.ascontiguousarray(np.asarray(value, dtype=dtype)).reshape(np.shape(value))
        content = repr(array.tolist()).encode() if array.dtype.hasobject else array.data
        key = (array.dtype.str, array.shape, hashlib.sha256(content).digest())
        if key not in self._constants:
            name = self.fresh("const")
            self._keep_constant(numpy_helper.from_array(array, name))
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
        long: list[bytes] = []
        for key, value in sorted(attributes.items()):
            if isinstance(value, np.ndarray):
                long.append(wire.message(_ATTRIBUTE_OF_NODE, wire.numbers_attribute(key, value)))
            else:
                node.attribute.append(_attribute(key, value))
        self._keep_node(node, long)
        return names

    def take(self, graph: onnx.GraphProto) -> None:
        """Add another graph's nodes and constants, whose names are not used in this one."""
        for node in graph.node:
            self._keep_node(node)
        for tensor in graph.initializer:
            self._keep_constant(tensor)

    def _keep_node(self, node: onnx.NodeProto, attributes: Sequence[bytes] = ()) -> None:
        # The fields of a message may come in any order, and from several pieces.
        self._nodes.append(
            wire.message(_NODE, b"".join([node.SerializeToString(deterministic=True), *attributes]))
        )

    def _keep_constant(self, tensor: onnx.TensorProto) -> None:
        self._initializers.append(wire.message(_INITIALIZER, tensor.SerializeToString(deterministic=True)))

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
        """The checked model's bytes; nothing can be added afterwards, and it can be built once."""
        frame = helper.make_graph([], "modelwright", self.inputs, self.outputs)
        head = helper.make_model(
            onnx.GraphProto(),
            opset_imports=[helper.make_opsetid("", OPSET), helper.make_opsetid(ML, self.ml_opset)],
            producer_name=PRODUCER,
            ir_version=IR_VERSION,
        )
        head.ClearField("graph")
        graph = [*self._nodes, *self._initializers, frame.SerializeToString(deterministic=True)]
        length = sum(map(len, graph))
        model = b"".join(
            [
                head.SerializeToString(deterministic=True),
                wire.varint(_GRAPH_OF_MODEL << 3 | 2),
                wire.varint(length),
                *graph,
            ]
        )
        # The check reads the whole model once more: a large one's pieces need not lie beside it.
        del graph
        self._nodes.clear()
        self._initializers.clear()
        onnx.checker.check_model(model)
        return model


def _attribute(key: str, value: Any) -> onnx.AttributeProto:
    """An attribute that is no array."""
    if isinstance(value, list) and value and isinstance(value[0], bytes):
        attribute = onnx.AttributeProto(name=key, type=onnx.AttributeProto.STRINGS)
        attribute.strings.extend(value)
        return attribute
    return helper.make_attribute(key, value)


def tensor_attribute(array: np.ndarray, name: str) -> onnx.TensorProto:
    """``array`` as a tensor to be used as an attribute's value."""
    return numpy_helper.from_array(np.ascontiguousarray(array), name)
