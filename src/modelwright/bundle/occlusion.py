"""Which parts of a picture an answer rests on: each is covered in turn, and the model asked again.

Zeiler, Fergus, "Visualizing and Understanding Convolutional Networks", ECCV 2014. A part is covered with
the picture's mean colour; what the score loses by that is its effect. Nothing but the bundle is asked, so it
works for any encoder and any model; the other columns stay as they are.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from modelwright.bundle.encode import ColumnArrays
from modelwright.bundle.explain import score_of
from modelwright.bundle.pictures import Picture
from modelwright.bundle.read import LoadedModel

if TYPE_CHECKING:
    from PIL import Image

SECONDS = 1.6
"""What the encoder may be at work for one map, about: a slow one gets a coarser grid."""

GRIDS = (8, 5, 3)
"""Parts along the longer side: few choices, so that a busy moment seldom changes the map."""


@dataclass(frozen=True, slots=True)
class PatchMap:
    """The effects of a picture's parts.

    Attributes:
        column: The image column.
        image: The picture as it was decoded.
        effects: float64 [rows, columns]; what the score loses when a part is covered.
        score: With nothing covered.
        what: What is scored, in words.
    """

    column: str
    image: Image.Image
    effects: np.ndarray
    score: float
    what: str


def patch_maps(model: LoadedModel, columns: ColumnArrays) -> list[PatchMap]:
    """The maps of the pictures in the first row of ``columns``, one an image column the model sees.

    A column whose picture is missing, or of which only the name is there, has none.
    """
    row = {name: columns[name][:1] for name in model.encoder.names}
    found = []
    for name, cells in row.items():
        cell = cells[0]
        if isinstance(cell, Picture) and cell.size:
            found.append(_map(model, row, name, cell))
    return found


def _map(model: LoadedModel, row: ColumnArrays, name: str, cell: Picture) -> PatchMap:
    image = cell.image
    began = time.perf_counter()
    model.encoder.transform_dense({**row, name: _cells([cell.altered(image)])})
    rows, across = _grid(image, time.perf_counter() - began)
    numbers, strings = model.encoder.transform_dense(row)
    score, what = score_of(model, numbers, strings)
    covered = [cell.altered(each) for each in _covered(image, rows, across)]
    asked = {other: np.repeat(values, len(covered)) for other, values in row.items()}
    without = score(*model.encoder.transform_dense({**asked, name: _cells(covered)}))
    whole = float(score(numbers, strings)[0])
    return PatchMap(name, image, (whole - without).reshape(rows, across), whole, what)


def _cells(pictures: list[Picture]) -> np.ndarray:
    cells = np.empty(len(pictures), dtype=object)
    cells[:] = pictures
    return cells


def _grid(image: Image.Image, seconds: float) -> tuple[int, int]:
    """Rows and columns of parts that are about square, as many as time allows."""
    width, height = image.size
    longer = next((grid for grid in GRIDS if grid * grid * seconds <= SECONDS), GRIDS[-1])
    shorter = max(1, min(longer, round(longer * min(width, height) / max(width, height))))
    rows, across = (longer, shorter) if height > width else (shorter, longer)
    return min(rows, height), min(across, width)


def _covered(image: Image.Image, rows: int, across: int) -> list[Image.Image]:
    """The picture with one part covered, row by row."""
    from PIL import Image as pillow  # noqa: N813 - the module has its class's name

    width, height = image.size
    mean = tuple(int(value) for value in np.asarray(image).reshape(-1, 3).mean(axis=0).round())
    found = []
    for row in range(rows):
        for column in range(across):
            left, right = column * width // across, (column + 1) * width // across
            top, bottom = row * height // rows, (row + 1) * height // rows
            other = image.copy()
            other.paste(pillow.new("RGB", (right - left, bottom - top), mean), (left, top))
            found.append(other)
    return found
