"""Fitting the encoders of image columns: the built-in one's projection, or a given ONNX file checked.

Training side only.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx

from modelwright.bundle.given import (
    EncoderInvalid,
    check_features,
    file_name,
    given_graph,
    plain_inputs,
    shapes,
)
from modelwright.bundle.image_graph import SIDE, descriptor_width, encoder_graph
from modelwright.bundle.images import PIXELS, ImageColumn, ImageRunner
from modelwright.bundle.pictures import Picture, blank
from modelwright.errors import ModelwrightError

FEATURES = 256
"""Most numbers the built-in encoder gives for a picture."""

_MOST_PICTURES = 3_000  # that the projection is learned from
BUILT_IN = "the built-in encoder (oriented gradients and colour histograms)"
_ELEMENTS = {onnx.TensorProto.UINT8: "uint8", onnx.TensorProto.FLOAT: "float"}
_USUAL_SIDE = 224
_METADATA = "modelwright"


def fit_built_in(name: str, pictures: Sequence[Picture | str], *, seed: int) -> ImageRunner | None:
    """The built-in encoder for a column, its projection learned from training pictures.

    The projection (principal components) sees no target. ``None`` where fewer than two pictures are
    there to learn from.

    Args:
        name: The column.
        pictures: Its cells; "" where one is missing.
        seed: Of the sample that is drawn of very many pictures.
    """
    there = [cell for cell in dict.fromkeys(pictures) if isinstance(cell, Picture)]
    if len(there) < 2:
        return None
    parts = built_in_parts(there, seed=seed)
    return encoder_of(name, encoder_graph(parts.mean, parts.projection), parts.projection.shape[1], BUILT_IN)


@dataclass(frozen=True)
class BuiltIn:
    """What the built-in encoder learns.

    Attributes:
        mean: float32 [descriptor width].
        projection: float32 [descriptor width, features].
    """

    mean: np.ndarray
    projection: np.ndarray

    def features(self, pictures: Sequence[Picture]) -> np.ndarray:
        """What it makes of some pictures, float32 [pictures, features]."""
        runner = encoder_of("", encoder_graph(self.mean, self.projection), self.projection.shape[1], BUILT_IN)
        return np.stack([runner.encode(picture) for picture in pictures])


def built_in_parts(pictures: Sequence[Picture], *, seed: int) -> BuiltIn:
    """The projection of the built-in encoder, from at least two pictures."""
    there = list(dict.fromkeys(pictures))
    if len(there) > _MOST_PICTURES:
        chosen = np.random.default_rng(seed).permutation(len(there))[:_MOST_PICTURES]
        there = [there[place] for place in np.sort(chosen)]
    describing = encoder_of("", encoder_graph(), descriptor_width(), BUILT_IN)
    return BuiltIn(*_components(np.stack([describing.encode(picture) for picture in there])))


def _components(described: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and principal components, float32, with signs that do not depend on the machine's whim."""
    from sklearn.utils.extmath import randomized_svd, svd_flip

    mean = described.mean(axis=0, dtype=np.float64).astype(np.float32)
    centred = described - mean
    most = min(FEATURES, len(described) - 1)
    left, _, right = randomized_svd(centred, most, random_state=0, n_iter=4, flip_sign=False)
    _, right = svd_flip(left, right)
    return mean, np.ascontiguousarray(right.T, dtype=np.float32)


def encoder_of(name: str, graph: bytes, width: int, source: str) -> ImageRunner:
    """The runner of a graph of ours for the column ``name``: it takes pixels as the built-in encoder does."""
    column = ImageColumn(
        name=name,
        file=file_name(graph),
        input=PIXELS,
        width=width,
        size=(SIDE, SIDE),
        fit="pad",
        source=source,
    )
    return ImageRunner(column, graph)


def given_encoder(name: str, path: Path) -> ImageRunner:
    """An encoder given as an ONNX file, for the image column ``name``.

    The graph takes pixels (uint8 0 to 255, or float 0 to 1) as [n, height, width, 3] or
    [n, 3, height, width], and its first output is the features. What ONNX has no place for stands in
    the file's metadata under "modelwright", as JSON: ``{"fit": "pad" | "stretch" | "crop", "mean":
    [r, g, b], "std": [r, g, b], "size": [height, width]}``.

    Raises:
        EncoderInvalid: The file is absent or damaged, needs operators beyond the standard, or takes or
            gives something else.
    """
    graph, model = given_graph(name, path)
    column = _described(name, path, model, _settings(name, path, model))
    return _tried(column, graph, path)


def _settings(name: str, path: Path, model: onnx.ModelProto) -> dict[str, Any]:
    text = next((entry.value for entry in model.metadata_props if entry.key == _METADATA), "{}")
    try:
        found = json.loads(text)
        fits = isinstance(found, dict) and found.get("fit", "stretch") in {"pad", "stretch", "crop"}
        fits = fits and all(_three_numbers(found[key]) for key in ("mean", "std") if key in found)
    except ValueError:
        fits = False
    if not fits:
        raise EncoderInvalid(
            f"The metadata '{_METADATA}' of the encoder {path.name} of '{name}' is not understood: "
            f"{text[:200]}",
            'It is JSON such as {"fit": "pad", "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}.',
        )
    settings: dict[str, Any] = found
    return settings


def _three_numbers(value: object) -> bool:
    return isinstance(value, list) and len(value) == 3 and all(isinstance(one, int | float) for one in value)


def _described(name: str, path: Path, model: onnx.ModelProto, settings: dict[str, Any]) -> ImageColumn:
    """How the graph takes pictures, told by its one input."""
    inputs = plain_inputs(model)
    shape = [axis.dim_value for axis in inputs[0].type.tensor_type.shape.dim] if len(inputs) == 1 else []
    element = _ELEMENTS.get(inputs[0].type.tensor_type.elem_type) if len(inputs) == 1 else None
    if element is None or len(shape) != 4 or 3 not in (shape[1], shape[3]) or shape[0] > 1:
        raise EncoderInvalid(
            f"The encoder of '{name}', {path.name}, does not take pictures: its inputs are {shapes(inputs)}.",
            "It must have one input, uint8 or float, of the shape [n, 3, height, width] or "
            "[n, height, width, 3].",
        )
    first = shape[1] == 3
    height, width = (shape[2], shape[3]) if first else (shape[1], shape[2])
    wished = settings.get("size") or [_USUAL_SIDE, _USUAL_SIDE]
    return ImageColumn(
        name=name,
        file="",
        input=inputs[0].name,
        width=0,
        size=(int(height or wished[0]), int(width or wished[1])),
        fit=settings.get("fit", "stretch"),
        layout="nchw" if first else "nhwc",
        element=element,  # type: ignore[arg-type]
        mean=tuple(settings.get("mean", (0.0, 0.0, 0.0))),
        std=tuple(settings.get("std", (1.0, 1.0, 1.0))),
        source=f"the encoder {path.name}",
    )


def _tried(column: ImageColumn, graph: bytes, path: Path) -> ImageRunner:
    """The encoder once it has encoded a white picture, which also tells how many features it gives."""
    try:
        features = ImageRunner(column, graph).encode(blank())
    except ModelwrightError:
        raise
    # ONNX Runtime raises classes of its own making, for loading as for running.
    except Exception as error:
        first = str(error).partition("\n")[0][:200]
        raise EncoderInvalid(
            f"The encoder of '{column.name}', {path.name}, fails on a white picture: {first}",
            "Try it with onnxruntime by itself.",
        ) from error
    check_features(column.name, path, features)
    known = msgspec.structs.replace(column, width=len(features), file=file_name(graph))
    return ImageRunner(known, graph)
