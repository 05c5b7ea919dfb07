"""Image columns: pictures to numbers, by an encoder that is an ONNX graph, alike in training and serving.

The graph has one input, a picture's pixels, and one output, its features. It lies in the bundle as a
file of its own, is checked with the other files, and is loaded after that. Pictures go through one by
one: the same picture gives the same bits, whatever batch it came in.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec
import numpy as np

from modelwright.bundle.pictures import Fit, Picture, needs_pillow

PIXELS = "pixels"
"""Name of the input of graphs of our own."""


class ImageColumn(msgspec.Struct, frozen=True, tag="image"):
    """A column of pictures, and how its encoder takes and gives them.

    Attributes:
        name: The column.
        file: The encoder's file in the bundle.
        input: Name of the graph's input.
        width: How many features there are.
        size: Height and width of the pixels it takes.
        fit: How a picture comes to that size.
        layout: Where the colours stand in the tensor: last (``nhwc``) or first (``nchw``).
        element: ``uint8`` for 0 to 255, ``float`` for 0 to 1.
        mean, std: Of a ``float`` encoder: subtracted and divided by, for red, green and blue.
        source: What it is, in words.
    """

    name: str
    file: str
    input: str
    width: int
    size: tuple[int, int]
    fit: Fit = "pad"
    layout: Literal["nhwc", "nchw"] = "nhwc"
    element: Literal["uint8", "float"] = "uint8"
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    source: str = ""

    def tensor(self, picture: Picture) -> np.ndarray:
        """One picture as the graph's input, a batch of one.

        Raises:
            PictureInvalid: A file of the training data that is no picture after all.
        """
        pixels = picture.pixels(*self.size, self.fit)
        if self.element == "float":
            scaled = pixels.astype(np.float32) / np.float32(255)
            pixels = (scaled - np.array(self.mean, np.float32)) / np.array(self.std, np.float32)
        if self.layout == "nchw":
            pixels = pixels.transpose(2, 0, 1)
        return np.ascontiguousarray(pixels[np.newaxis])


class ImageRunner:
    """An image column's encoder, ready to run.

    Raises:
        MissingExtra: Pillow is not installed.
        Exception: ONNX Runtime cannot load the graph; it has classes of its own for that.
    """

    def __init__(self, column: ImageColumn, graph: bytes, *, threads: int = 1) -> None:
        # Imported here: encoding alone needs no ONNX Runtime, and most encoders have no image column.
        from modelwright.bundle.session import encoder_session

        needs_pillow()
        self.column = column
        self.graph = graph
        self._session = encoder_session(graph, threads=threads)

    def release(self) -> None:
        """Forget the graph's bytes, which only writing a bundle needs."""
        self.graph = b""

    def fill(self, cells: np.ndarray, target: np.ndarray) -> None:
        """Write the features of pictures to ``target``, a zeroed float32 array [cells, width].

        A missing picture stays all zeros, which no picture's features are.
        """
        for row, cell in enumerate(cells.tolist()):
            if cell:
                target[row] = self.features(cell)

    def features(self, picture: Any) -> np.ndarray:
        """The features of one picture, float32 [width]; zeros for a mere name of one (see ``Picture``)."""
        if not isinstance(picture, Picture):
            return np.zeros(self.column.width, dtype=np.float32)
        known = picture.features.get(self.column.file)
        if known is None:
            known = picture.features[self.column.file] = self.encode(picture)
        return known

    def encode(self, picture: Picture) -> np.ndarray:
        """What the graph makes of one picture, float32 [features]."""
        output = self._session.run(None, {self.column.input: self.column.tensor(picture)})[0]
        return np.asarray(output, dtype=np.float32).reshape(-1)
