"""The built-in image encoder, written as an ONNX graph: no download, no training but a projection.

What it sees of a picture of 96 by 96 pixels:

* **Shape**: histograms of oriented gradients in cells of 8 by 8 pixels, as in Dalal and Triggs,
  "Histograms of Oriented Gradients for Human Detection", CVPR 2005, with signed and unsigned
  directions side by side (Felzenszwalb et al., PAMI 2010). Directions are soft: a gradient counts for
  a direction by the fourth power of its cosine, which needs no arc tangent.
* **Colour**: histograms of hue (dark and light apart) and of grey levels, weighted by how colourful a
  pixel is, over the whole picture, its quarters and its sixteenths (a spatial pyramid, Lazebnik et
  al., CVPR 2006).

Both are square-rooted (Hellinger's distance) and brought to unit length; the learned projection keeps
the directions in which the training pictures differ most (principal components). Training side only.
"""

from __future__ import annotations

import numpy as np

from modelwright.bundle.graph import FLOAT, Graph
from modelwright.bundle.images import PIXELS

SIDE = 96
_UINT8 = 2  # TensorProto.UINT8
_CELL = 8
_DIRECTIONS = 12
_HUES = 12
_GREYS = 6
_COLOUR_WEIGHT = 0.7
_SOFT = 1e-6
_GRIDS = (1, 2, 4)


def descriptor_width() -> int:
    """How many numbers describe a picture before the projection."""
    cells = (SIDE // _CELL) ** 2
    colours = (2 * _HUES + _GREYS) * sum(grid * grid for grid in _GRIDS)
    return cells * (_DIRECTIONS + _DIRECTIONS // 2) + colours


def encoder_graph(mean: np.ndarray | None = None, projection: np.ndarray | None = None) -> bytes:
    """The encoder.

    Args:
        mean: float32 [descriptor width]; what is subtracted before the projection.
        projection: float32 [descriptor width, features]; ``None`` gives the descriptors themselves.
    """
    graph = Graph()
    pixels = graph.input(PIXELS, _UINT8, ["pictures", SIDE, SIDE, 3])
    scaled = graph.add("Div", graph.cast(pixels, FLOAT), graph.const(255.0, np.float32))
    colours = graph.add("Transpose", scaled, perm=[0, 3, 1, 2])
    features = built_in_features(graph, colours, mean, projection)
    width = descriptor_width() if projection is None else projection.shape[1]
    graph.output(features, "features", FLOAT, ["pictures", width])
    return graph.build()


def built_in_features(
    graph: Graph, colours: str, mean: np.ndarray | None = None, projection: np.ndarray | None = None
) -> str:
    """The features within a graph.

    Args:
        graph: Which is added to.
        colours: Tensor [pictures, 3, SIDE, SIDE], 0 to 1.
        mean, projection: See ``encoder_graph``.
    """
    shape = _unit(graph, _shape(graph, colours))
    colour = _unit(graph, _colour(graph, colours))
    colour = graph.add("Mul", colour, graph.const(_COLOUR_WEIGHT, np.float32))
    features = graph.concat([shape, colour])
    if mean is None or projection is None:
        return features
    centred = graph.add("Sub", features, graph.const(mean.reshape(1, -1), np.float32))
    return graph.add("MatMul", centred, graph.const(projection, np.float32))


def _shape(graph: Graph, colours: str) -> str:
    """Oriented gradients, [pictures, numbers]."""
    rooted = graph.add("Sqrt", colours)
    slopes = np.zeros((6, 1, 3, 3), dtype=np.float32)  # across and down, for each colour
    for colour in range(3):
        slopes[2 * colour, 0, 1, (0, 2)] = (-1.0, 1.0)
        slopes[2 * colour + 1, 0, (0, 2), 1] = (-1.0, 1.0)
    gradients = graph.add("Conv", rooted, graph.const(slopes), group=3)
    gradients = graph.add("Pad", gradients, graph.const([0, 0, 1, 1, 0, 0, 1, 1], np.int64))
    angles = np.arange(_DIRECTIONS) * 2 * np.pi / _DIRECTIONS
    towards = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    turned = graph.add("Conv", gradients, graph.const(np.tile(towards, (3, 1)).reshape(-1, 2, 1, 1)), group=3)
    by_colour = graph.add(
        "Reshape",
        graph.add("Relu", turned),
        graph.const([0, 3, _DIRECTIONS, SIDE, SIDE], np.int64),
    )
    strongest = graph.add("ReduceMax", by_colour, axes=[1], keepdims=0)
    shares, length = _shares(graph, strongest)
    votes = graph.add("Mul", shares, length)
    cells = graph.add("AveragePool", votes, kernel_shape=[_CELL, _CELL], strides=[_CELL, _CELL])
    half = _DIRECTIONS // 2
    unsigned = graph.add("Add", _channels(graph, cells, 0, half), _channels(graph, cells, half, 2 * half))
    energy = _total(graph, graph.add("Mul", unsigned, unsigned))
    bordered = graph.add("Pad", energy, graph.const([0, 0, 1, 1, 0, 0, 1, 1], np.int64), mode="edge")
    around = graph.add("AveragePool", bordered, kernel_shape=[3, 3], strides=[1, 1])
    norm = graph.add("Add", graph.add("Sqrt", around), graph.const(0.02, np.float32))
    both = graph.add("Div", graph.concat([cells, unsigned]), norm)
    capped = graph.add("Min", both, graph.const(1.0, np.float32))
    return graph.add("Flatten", graph.add("Sqrt", capped), axis=1)


def _colour(graph: Graph, colours: str) -> str:
    """Colour histograms, [pictures, numbers]."""
    small = graph.add("AveragePool", colours, kernel_shape=[2, 2], strides=[2, 2])
    turn = np.array([[1.0, -0.5, -0.5], [0.0, np.sqrt(0.75), -np.sqrt(0.75)]])
    angles = np.arange(_HUES) * 2 * np.pi / _HUES
    hues = (np.stack([np.cos(angles), np.sin(angles)], axis=1) @ turn).astype(np.float32)
    towards = graph.add("Relu", graph.add("Conv", small, graph.const(hues.reshape(-1, 3, 1, 1))))
    shares, _ = _shares(graph, towards)
    shares = graph.add("Div", shares, graph.add("Add", _total(graph, shares), graph.const(_SOFT, np.float32)))
    spread = graph.add(
        "Sub",
        graph.add("ReduceMax", small, axes=[1], keepdims=1),
        graph.add("ReduceMin", small, axes=[1], keepdims=1),
    )
    tripled = graph.add("Mul", spread, graph.const(3.0, np.float32))
    colourful = graph.add("Min", tripled, graph.const(1.0, np.float32))
    one = graph.const(1.0, np.float32)
    light = graph.add("ReduceMean", small, axes=[1], keepdims=1)
    dark = graph.cast(graph.add("Less", light, graph.const(0.45, np.float32)), FLOAT)
    hued = graph.add("Mul", shares, colourful)
    levels = np.linspace(0.0, 1.0, _GREYS, dtype=np.float32).reshape(1, -1, 1, 1)
    away = graph.add("Abs", graph.add("Sub", light, graph.const(levels)))
    near = graph.add("Sub", one, graph.add("Mul", away, graph.const(float(_GREYS - 1), np.float32)))
    greys = graph.add("Mul", graph.add("Relu", near), graph.add("Sub", one, colourful))
    bins = graph.concat(
        [graph.add("Mul", hued, dark), graph.add("Mul", hued, graph.add("Sub", one, dark)), greys]
    )
    pyramid = []
    for grid in _GRIDS:
        side = SIDE // 2 // grid
        pooled = graph.add("AveragePool", bins, kernel_shape=[side, side], strides=[side, side])
        rooted = graph.add("Flatten", graph.add("Sqrt", pooled), axis=1)
        pyramid.append(graph.add("Div", rooted, graph.const(float(grid), np.float32)))
    return graph.concat(pyramid)


def _shares(graph: Graph, towards: str) -> tuple[str, str]:
    """Fourth powers of each direction's share of a vector's length, and that length."""
    length = graph.add("Sqrt", _total(graph, graph.add("Mul", towards, towards)))
    length = graph.add("Add", length, graph.const(_SOFT, np.float32))
    cosine = graph.add("Div", towards, length)
    square = graph.add("Mul", cosine, cosine)
    return graph.add("Mul", square, square), length


def _total(graph: Graph, channels: str) -> str:
    return graph.add("ReduceSum", channels, graph.const([1], np.int64), keepdims=1)


def _channels(graph: Graph, tensor: str, start: int, stop: int) -> str:
    return graph.columns(tensor, start, stop)


def _unit(graph: Graph, rows: str) -> str:
    """Rows of unit length; one of zeros stays so."""
    length = graph.add("ReduceL2", rows, axes=[1], keepdims=1)
    return graph.add("Div", rows, graph.add("Max", length, graph.const(_SOFT, np.float32)))
