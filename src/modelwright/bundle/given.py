"""Encoders given as ONNX files: read, checked, and named by their content. Training side only."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import onnx

from modelwright.errors import ExitCode, ModelwrightError

MOST_FEATURES = 8_192
_DOMAINS = {"", "ai.onnx", "ai.onnx.ml"}


class EncoderInvalid(ModelwrightError):
    """An ONNX file that cannot encode a column."""

    code = ExitCode.PROJECT


def given_graph(name: str, path: Path) -> tuple[bytes, onnx.ModelProto]:
    """The file's bytes, and what they say.

    Raises:
        EncoderInvalid: It is absent or damaged, needs operators beyond the standard, or is not whole.
    """
    try:
        graph = path.read_bytes()
        model = onnx.load_model_from_string(graph)
        onnx.checker.check_model(model)
    except OSError as error:
        raise EncoderInvalid(
            f"The encoder of '{name}', {path}, cannot be read: {error.strerror or error}.",
            "Check the path; a relative one starts at the project's folder.",
        ) from error
    # The parser and the checker raise classes of their own, which differ by release.
    except Exception as error:
        first = str(error).partition("\n")[0][:200]
        raise EncoderInvalid(
            f"The encoder of '{name}', {path.name}, is no valid ONNX model: {first}", "Export it again."
        ) from error
    domains = {entry.domain for entry in model.opset_import} | {node.domain for node in model.graph.node}
    if domains - _DOMAINS:
        raise EncoderInvalid(
            f"The encoder of '{name}', {path.name}, needs operators of {sorted(domains - _DOMAINS)}.",
            "Export it with standard ONNX operators: a server has no others.",
        )
    if any(tensor.data_location == onnx.TensorProto.EXTERNAL for tensor in model.graph.initializer):
        raise EncoderInvalid(
            f"The encoder of '{name}', {path.name}, keeps its weights in another file.",
            "Save it as one file (below 2 GB): a bundle carries and checks it as one.",
        )
    return graph, model


def plain_inputs(model: onnx.ModelProto) -> list[onnx.ValueInfoProto]:
    """What has to be fed: the graph's inputs that are no weights."""
    weights = {tensor.name for tensor in model.graph.initializer}
    return [entry for entry in model.graph.input if entry.name not in weights]


def shapes(inputs: list[onnx.ValueInfoProto]) -> list[tuple[str, list[Any]]]:
    """Names and shapes of inputs, for a message."""
    return [
        (entry.name, [axis.dim_value or axis.dim_param for axis in entry.type.tensor_type.shape.dim])
        for entry in inputs
    ]


def file_name(graph: bytes) -> str:
    """Named by its content: columns and models with the same encoder share one file."""
    return f"encoder-{hashlib.sha256(graph).hexdigest()[:16]}.onnx"


def check_features(name: str, path: Path, features: Any) -> None:
    """Refuse what is no use to a model.

    Raises:
        EncoderInvalid: No numbers, too many, or not finite.
    """
    import numpy as np

    finite = bool(np.isfinite(features).all())
    if not 1 <= len(features) <= MOST_FEATURES or not finite:
        raise EncoderInvalid(
            f"The encoder of '{name}', {path.name}, gives {len(features):,} numbers for one cell"
            + ("." if finite else ", not all of them finite."),
            f"It should give 1 to {MOST_FEATURES:,} finite ones: take the output of its last pooling layer.",
        )
