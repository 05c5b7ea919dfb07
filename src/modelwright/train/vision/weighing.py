"""How much the networks' answers should weigh beside the built-in features, told by training pictures."""

from __future__ import annotations

import numpy as np

WEIGHTS = (0.0, 0.15, 0.25, 0.4, 0.6, 0.9)
"""Tried: the spread of the networks' features as a part of that of the built-in ones."""

_MOST = 2_000  # pictures it is told by
_RIDGE = 0.1
_REACH = 3.0
_WORTH = 0.995  # a heavier weight has to leave so much less error


def best_weight(
    features: np.ndarray, answers: np.ndarray, target: np.ndarray, *, classes: int, seed: int
) -> float:
    """What to multiply the networks' features by; 0.0 where they are no help.

    The least squared error of a kernel ridge regression, each row left out in turn (Allen's PRESS, as in
    ``bundle.kernels``), on class indicators or on values. Where there are classes, a weight that leaves fewer
    pictures right than none does is not taken: a smaller error may be mere caution.

    Args:
        features: Built-in features, [pictures, width].
        answers: The networks', for pictures they have not seen, [pictures, outputs].
        target: Label indices or values.
        classes: How many labels there are; 0 for values.
        seed: Of the pictures that are drawn of very many.
    """
    rows = np.sort(np.random.default_rng(seed).permutation(len(features))[:_MOST])
    known, said = features[rows].astype(np.float64), answers[rows].astype(np.float64)
    wanted = (target[rows, None] == np.arange(classes)) * 2.0 - 1.0 if classes else target[rows, None]
    spread, own = float(known.var(axis=0).sum()), float(said.var(axis=0).sum())
    if own <= 0 or spread <= 0:
        return 0.0
    scale = float(np.sqrt(spread / own))
    best, least = 0.0, np.inf
    fewest = 0.0
    for weight in WEIGHTS:
        guessed = _left_out(np.concatenate([known, said * scale * weight], axis=1), wanted)
        error = float(((guessed - wanted) ** 2).mean())
        right = float((guessed.argmax(axis=1) == wanted.argmax(axis=1)).mean())
        fewest = right if weight == 0 else fewest
        if right >= fewest and error < least * (_WORTH if weight else 1.0):
            best, least = weight, error
    return float(np.float32(best * scale))


def _left_out(rows: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """What the regression says of each row without having seen it, [rows, outputs]."""
    squares = (rows**2).sum(axis=1)
    distances = np.maximum(squares[:, None] + squares[None] - 2.0 * rows @ rows.T, 0.0)
    gram = np.exp(-distances * _REACH / (2.0 * float(rows.var(axis=0).sum())))
    gram.flat[:: len(gram) + 1] += _RIDGE
    inverse = np.linalg.inv(gram)
    return np.asarray(wanted - (inverse @ wanted) / np.diag(inverse)[:, None])
