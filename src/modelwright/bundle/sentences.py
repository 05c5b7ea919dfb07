"""Text columns by a sentence encoder given as an ONNX graph, alike in training and serving.

A graph takes either the text itself (a string tensor [n]) or the numbers of its pieces (``input_ids``
[n, tokens] with ``attention_mask`` and ``token_type_ids`` where it has them), cut by ``bundle.wordpiece``
with the vocabulary that came with the encoder. One output a token is averaged over the tokens; features
are brought to unit length. Texts go through one by one: a text gives the same bits in any batch.
"""

from __future__ import annotations

from typing import Literal

import msgspec
import numpy as np

from modelwright.bundle.wordpiece import WordPiece

_MOST_KEPT = 50_000  # texts whose features are remembered: training asks for each several times


class SentenceColumn(msgspec.Struct, frozen=True, tag="sentence"):
    """A column of texts, and how its encoder takes and gives them.

    Attributes:
        name: The column.
        file: The encoder's file in the bundle.
        inputs: Names of the graph's inputs.
        width: How many features there are.
        tokeniser: What cuts texts into pieces; ``None`` for a graph that takes the text itself.
        source: What it is, in words.
        element: Of the numbers the graph takes.
    """

    name: str
    file: str
    inputs: tuple[str, ...]
    width: int
    tokeniser: WordPiece | None = None
    source: str = ""
    element: Literal["int64", "int32"] = "int64"

    def feed(self, text: str) -> dict[str, np.ndarray]:
        """One text as the graph's inputs, a batch of one."""
        if self.tokeniser is None:
            return {self.inputs[0]: np.array([text], dtype=object)}
        numbers = np.array([self.tokeniser.encode(text)], dtype=self.element)
        given = {
            "input_ids": numbers,
            "attention_mask": np.ones_like(numbers),
            "token_type_ids": np.zeros_like(numbers),
        }
        return {name: given[name] for name in self.inputs}


class SentenceRunner:
    """A text column's encoder, ready to run.

    Raises:
        Exception: ONNX Runtime cannot load the graph; it has classes of its own for that.
    """

    def __init__(self, column: SentenceColumn, graph: bytes, *, threads: int = 1) -> None:
        # Imported here: encoding alone needs no ONNX Runtime, and most encoders have no such column.
        from modelwright.bundle.session import encoder_session

        self.column = column
        self.graph = graph
        self._session = encoder_session(graph, threads=threads)
        self._known: dict[str, np.ndarray] = {}

    def remember(self) -> None:
        """Keep what texts gave, for training, which asks for each several times."""
        self._remembers = True

    _remembers = False

    def release(self) -> None:
        """Forget the graph's bytes, which only writing a bundle needs."""
        self.graph = b""

    def fill(self, cells: np.ndarray, target: np.ndarray) -> None:
        """Write the features of texts to ``target``, a zeroed float32 array [cells, width]."""
        for row, cell in enumerate(cells.tolist()):
            if cell:
                target[row] = self.features(cell)

    def features(self, text: str) -> np.ndarray:
        """The features of one text, float32 [width]."""
        known = self._known.get(text)
        if known is None:
            known = self.encode(text)
            if self._remembers and len(self._known) < _MOST_KEPT:
                self._known[text] = known
        return known

    def encode(self, text: str) -> np.ndarray:
        """What the graph makes of one text, of unit length, float32 [features]."""
        output = np.asarray(self._session.run(None, self.column.feed(text))[0], dtype=np.float32)
        if output.ndim == 3:
            output = output.mean(axis=1)
        features = output.reshape(-1)
        length = float(np.linalg.norm(features))
        return np.asarray(features / np.float32(length) if length > 0 else features, dtype=np.float32)
