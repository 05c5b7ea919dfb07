"""A trained network's numbers as arrays, and the ONNX graph they make. Needs no PyTorch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from modelwright.bundle.graph import FLOAT, Graph
from modelwright.bundle.image_graph import SIDE as GIVEN_SIDE
from modelwright.bundle.image_graph import built_in_features
from modelwright.bundle.images import PIXELS

SIDE = 64
"""Height and width of the pixels the network sees."""

WIDTHS = (24, 48, 96, 128)
"""Channels behind the first convolution and behind each block."""

Layers = dict[str, np.ndarray]
"""By name, float32: ``stem``, ``0.first`` … ``2.around``, ``head``, each with ``.weight`` and ``.bias``."""

_UINT8 = 2  # TensorProto.UINT8


def network_graph(
    networks: Sequence[Mapping[str, np.ndarray]],
    *,
    classes: bool,
    weight: float,
    mean: np.ndarray,
    projection: np.ndarray,
) -> bytes:
    """The encoder: the built-in features, and beside them what the networks say on average.

    Args:
        networks: The layers of each.
        classes: Whether they score classes, of whose mean probabilities the square roots are features; else
            they give a value, whose mean is the feature.
        weight: What those features are multiplied by.
        mean, projection: Of the built-in encoder.
    """
    graph = Graph()
    pixels = graph.input(PIXELS, _UINT8, ["pictures", GIVEN_SIDE, GIVEN_SIDE, 3])
    scaled = graph.add("Div", graph.cast(pixels, FLOAT), graph.const(255.0, np.float32))
    colours = graph.add("Transpose", scaled, perm=[0, 3, 1, 2])
    known = built_in_features(graph, colours, mean, projection)
    said = graph.add("Mul", _said(graph, colours, networks, classes=classes), graph.const(weight, np.float32))
    width = projection.shape[1] + len(networks[0]["head.bias"])
    graph.output(graph.concat([known, said]), "features", FLOAT, ["pictures", width])
    return graph.build()


def answering_graph(layers: Mapping[str, np.ndarray]) -> bytes:
    """One network alone, from the same pixels to its scores; what it is checked with."""
    graph = Graph()
    pixels = graph.input(PIXELS, _UINT8, ["pictures", GIVEN_SIDE, GIVEN_SIDE, 3])
    scaled = graph.add("Div", graph.cast(pixels, FLOAT), graph.const(255.0, np.float32))
    colours = graph.add("Transpose", scaled, perm=[0, 3, 1, 2])
    scores = _scores(graph, _seen(graph, colours), layers)
    graph.output(scores, "scores", FLOAT, ["pictures", len(layers["head.bias"])])
    return graph.build()


def _said(graph: Graph, colours: str, networks: Sequence[Mapping[str, np.ndarray]], *, classes: bool) -> str:
    """What the networks say on average, [pictures, outputs]."""
    seen = _seen(graph, colours)
    answers = [_scores(graph, seen, layers) for layers in networks]
    if classes:
        answers = [graph.add("Softmax", scores, axis=1) for scores in answers]
    total = answers[0]
    for answer in answers[1:]:
        total = graph.add("Add", total, answer)
    mean = graph.add("Div", total, graph.const(float(len(answers)), np.float32))
    return graph.add("Sqrt", mean) if classes else mean


def _seen(graph: Graph, colours: str) -> str:
    """Colours 0 to 1, [pictures, 3, GIVEN_SIDE, GIVEN_SIDE], as the network takes them."""
    smaller = graph.add(
        "Resize",
        colours,
        "",
        graph.const([1.0, 1.0, SIDE / GIVEN_SIDE, SIDE / GIVEN_SIDE], np.float32),
        mode="linear",
        coordinate_transformation_mode="half_pixel",
    )
    doubled = graph.add("Mul", smaller, graph.const(2.0, np.float32))
    return graph.add("Sub", doubled, graph.const(1.0, np.float32))


def _scores(graph: Graph, pictures: str, layers: Mapping[str, np.ndarray]) -> str:
    found = graph.add("Relu", _convolved(graph, pictures, layers, "stem", stride=2))
    for place in range(len(WIDTHS) - 1):
        inner = graph.add("Relu", _convolved(graph, found, layers, f"{place}.first", stride=2))
        inner = _convolved(graph, inner, layers, f"{place}.second")
        halved = graph.add("AveragePool", found, kernel_shape=[2, 2], strides=[2, 2])
        around = _convolved(graph, halved, layers, f"{place}.around")
        found = graph.add("Relu", graph.add("Add", inner, around))
    pooled = graph.add("ReduceMean", found, axes=[2, 3], keepdims=0)
    return graph.add(
        "Gemm", pooled, graph.const(layers["head.weight"]), graph.const(layers["head.bias"]), transB=1
    )


def _convolved(
    graph: Graph, pictures: str, layers: Mapping[str, np.ndarray], name: str, *, stride: int = 1
) -> str:
    weight = layers[f"{name}.weight"]
    border = weight.shape[2] // 2
    return graph.add(
        "Conv",
        pictures,
        graph.const(weight),
        graph.const(layers[f"{name}.bias"]),
        strides=[stride, stride],
        pads=[border] * 4,
    )
