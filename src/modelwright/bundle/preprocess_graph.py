"""The preprocessor as ONNX nodes, step for step as ``bundle.preprocess`` computes it."""

from __future__ import annotations

import numpy as np

from modelwright.bundle.graph import FLOAT, ML, STRING, Graph
from modelwright.bundle.preprocess import LARGEST, ORDINAL_MISSING, Preprocessor

NUMBERS = "numbers"
STRINGS = "strings"


def declare_inputs(graph: Graph, preprocessor: Preprocessor) -> tuple[str | None, str | None]:
    """Declare the packed inputs a model needs; an empty block has no input."""
    numbers = strings = None
    if preprocessor.number_names:
        numbers = graph.input(NUMBERS, FLOAT, ["rows", len(preprocessor.number_names)])
    if preprocessor.string_names:
        strings = graph.input(STRINGS, STRING, ["rows", len(preprocessor.string_names)])
    return numbers, strings


def add_preprocessor(
    graph: Graph, preprocessor: Preprocessor, numbers: str | None, strings: str | None
) -> str:
    """Add the preprocessor's nodes; returns the float32 matrix's name."""
    blocks: list[str] = []
    passed = None
    if numbers is not None:
        plain: str | None = numbers
        if preprocessor.passed_width:
            width = preprocessor.plain_width
            passed = graph.columns(numbers, width, width + preprocessor.passed_width)
            plain = graph.columns(numbers, 0, width) if width else None
        if plain is not None:
            blocks += _number_blocks(graph, preprocessor, plain)
    if strings is not None:
        codes = _codes(graph, preprocessor, strings)
        ordinal = preprocessor.recipe.categories == "ordinal"
        blocks.append(graph.cast(codes, FLOAT) if ordinal else _one_hot(graph, preprocessor, codes))
    if passed is not None:
        blocks.append(passed)
    return graph.concat(blocks)


def _number_blocks(graph: Graph, preprocessor: Preprocessor, plain: str) -> list[str]:
    """Imputed and scaled numbers, then the indicators of missing ones."""
    blocks: list[str] = []
    values = plain
    if preprocessor.recipe.impute:
        missing = graph.add("IsNaN", plain)
        values = graph.add("Where", missing, _row(graph, preprocessor.fills), plain)
        if preprocessor.flagged:
            flags = graph.cast(missing, FLOAT)
            if len(preprocessor.flagged) < len(preprocessor.fills):
                flags = graph.add("Gather", flags, graph.const(preprocessor.flagged, np.int64), axis=1)
            blocks.append(flags)
    if preprocessor.means:
        # Not the Scaler operator: it multiplies by a reciprocal, which moves rows across splits.
        centred = graph.add("Sub", values, _row(graph, preprocessor.means))
        values = graph.add("Div", centred, _row(graph, preprocessor.scales))
        values = graph.add("Min", values, graph.const(LARGEST, np.float32))
        values = graph.add("Max", values, graph.const(-LARGEST, np.float32))
    return [values, *blocks]


def _codes(graph: Graph, preprocessor: Preprocessor, strings: str) -> str:
    """Slot of every string within its column, int64 [rows, m]."""
    codes = []
    ordinal = preprocessor.recipe.categories == "ordinal"
    for slot, kept in enumerate(preprocessor.categories):
        column = strings
        if len(preprocessor.categories) > 1:
            column = graph.add("Gather", strings, graph.const([slot], np.int64), axis=1)
        missing = ORDINAL_MISSING if ordinal else len(kept) + 1
        codes.append(
            graph.add(
                "LabelEncoder",
                column,
                domain=ML,
                keys_strings=[value.encode() for value in (*kept, "")],
                values_int64s=np.array([*range(len(kept)), missing]),
                default_int64=len(kept),
            )
        )
    return graph.concat(codes)


def _one_hot(graph: Graph, preprocessor: Preprocessor, codes: str) -> str:
    """Zeros with a one at every code's slot: one scatter for all columns."""
    starts = np.cumsum([0, *preprocessor.widths])
    places = graph.add("Add", codes, graph.const(starts[:-1].reshape(1, -1), np.int64))
    shape = graph.add("Shape", codes)
    rows = graph.add("Gather", shape, graph.const([0], np.int64), axis=0)
    target_shape = graph.add("Concat", rows, graph.const([int(starts[-1])], np.int64), axis=0)
    zeros = graph.add("ConstantOfShape", target_shape)
    ones = graph.add("Expand", graph.const([[1.0]], np.float32), shape)
    return graph.add("ScatterElements", zeros, places, ones, axis=1)


def _row(graph: Graph, values: tuple[float, ...]) -> str:
    return graph.const(np.array(values, dtype=np.float32).reshape(1, -1))
