"""Clusters in words: what their centres say, for people."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from modelwright.bundle.encode import Encoder, NumberColumn
from modelwright.train.fit import Trained

_TOLD = 3
_WORDS = ((-1.0, "very low"), (-0.35, "low"), (0.35, "middling"), (1.0, "high"))
"""How far a centre is below or above the mean of all rows, in standard deviations."""


def segment_names(winner: Trained, encoder: Encoder) -> tuple[str, ...]:
    """A name for each cluster: its most telling columns in words, with the centre's value.

    For example "high usage_freq (83), high amount_spend (6,190)". Empty for anything but a clustering
    with centres over plain numbers.
    """
    centres = winner.centres
    preprocessor = winner.preprocessor
    if centres is None or not preprocessor.means:
        return ()
    numbers = [column for column in encoder.columns if isinstance(column, NumberColumn)]
    if not numbers or len(numbers) != preprocessor.plain_width:
        return ()
    scaled = np.asarray(centres, dtype=np.float64)[:, : len(numbers)]
    plain = scaled * np.array(preprocessor.scales) + np.array(preprocessor.means)
    for place, column in enumerate(numbers):
        if column.log:
            plain[:, place] = np.sign(plain[:, place]) * np.expm1(np.abs(plain[:, place]))
    names = [column.name for column in numbers]
    return _distinct([_name(names, *centre) for centre in zip(scaled, plain, strict=True)])


def _name(names: Sequence[str], scaled: np.ndarray, plain: np.ndarray) -> str:
    telling = np.sort(np.argsort(-np.abs(scaled), kind="stable")[:_TOLD])
    return ", ".join(f"{_word(scaled[place])} {names[place]} ({_number(plain[place])})" for place in telling)


def _word(deviations: float) -> str:
    return next((word for limit, word in _WORDS if deviations < limit), "very high")


def _number(value: float) -> str:
    """Two or three figures are enough to tell centres apart."""
    digits = max(0, 2 - int(np.floor(np.log10(abs(value))))) if value else 0
    rounded = round(value, digits) if abs(value) < 1000 else float(f"{value:.3g}")
    return f"{rounded:,.{min(digits, 2)}f}".rstrip("0").rstrip(".") if digits else f"{rounded:,.0f}"


def _distinct(names: Sequence[str]) -> tuple[str, ...]:
    if len(set(names)) == len(names):
        return tuple(names)
    return tuple(f"{name} [{number}]" for number, name in enumerate(names))
