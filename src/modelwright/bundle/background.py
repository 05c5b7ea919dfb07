"""A few training rows kept with a bundle: what an answer is compared with when it is explained.

They are the rows' feature columns only, at most ``MOST`` of them, drawn by the split's seed; of a picture
its name and what the encoder made of it, not the picture. Whoever has the bundle can read them; a bundle
without them is whole, and its answers merely cannot be explained.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from modelwright.bundle.encode import ColumnArrays
from modelwright.bundle.pictures import Picture

MOST = 64
"""Rows kept: the mean over them is what a Shapley value starts from."""

_PICTURE = "picture"


class Stored(msgspec.Struct, frozen=True):
    """One column as JSON: "number" (null = missing), "time" (microseconds since 1970), "text" or "picture"
    (null, or the name and the features by encoder, float32 as base64)."""

    kind: str
    values: list[Any]


class Backgrounds(msgspec.Struct, frozen=True):
    """The file: each model's rows, by column.

    Attributes:
        models: Those without pictures.
        pictured: Those with; readers that know nothing of pictures pass them by.
    """

    models: dict[str, dict[str, Stored]]
    pictured: dict[str, dict[str, Stored]] = {}

    @classmethod
    def of(cls, models: Mapping[str, dict[str, Stored]]) -> Backgrounds:
        """Those of some models."""
        with_pictures = {
            name for name, rows in models.items() if any(each.kind == _PICTURE for each in rows.values())
        }
        return cls(
            models={name: rows for name, rows in models.items() if name not in with_pictures},
            pictured={name: rows for name, rows in models.items() if name in with_pictures},
        )


def drawn(rows: np.ndarray, seed: int) -> np.ndarray:
    """Which of ``rows`` are kept: at most ``MOST``, the same for the same seed."""
    chosen: np.ndarray = np.random.default_rng(seed).permutation(rows)[:MOST]
    return np.sort(chosen)


def stored(columns: ColumnArrays, names: Sequence[str]) -> dict[str, Stored]:
    """The columns ``names`` as they are written."""
    return {name: _stored(columns[name]) for name in names if name in columns}


def arrays(told: Mapping[str, Stored]) -> dict[str, np.ndarray]:
    """Column arrays of what was written."""
    return {name: _array(column) for name, column in told.items()}


def _stored(values: np.ndarray) -> Stored:
    if values.dtype.kind == "M":
        whole = values.astype("datetime64[us]")
        numbers = whole.astype(np.int64).tolist()
        return Stored("time", [None if gone else n for n, gone in zip(numbers, np.isnat(whole), strict=True)])
    if values.dtype == object and any(isinstance(value, Picture) for value in values):
        return Stored(_PICTURE, [_told(value) for value in values])
    if values.dtype == object:
        return Stored("text", [str(value) for value in values])
    numbers = values.astype(np.float64)
    return Stored("number", [float(value) if np.isfinite(value) else None for value in numbers])


def _told(cell: str) -> dict[str, Any] | None:
    if not isinstance(cell, Picture):
        return None
    features = {
        file: base64.b64encode(np.asarray(found, dtype="<f4").tobytes()).decode()
        for file, found in cell.features.items()
    }
    return {"name": str(cell), "features": features}


def _picture(told: dict[str, Any] | None) -> str:
    if told is None:
        return ""
    features = {
        file: np.frombuffer(base64.b64decode(text), dtype="<f4").astype(np.float32)
        for file, text in told["features"].items()
    }
    return Picture.known(told["name"], features)


def _array(column: Stored) -> np.ndarray:
    if column.kind in {"text", _PICTURE}:
        values = np.empty(len(column.values), dtype=object)
        values[:] = column.values if column.kind == "text" else [_picture(told) for told in column.values]
        return values
    if column.kind == "time":
        gone = np.iinfo(np.int64).min  # NaT
        whole = [gone if value is None else value for value in column.values]
        return np.array(whole, dtype=np.int64).view("datetime64[us]")
    return np.array([np.nan if value is None else value for value in column.values], dtype=np.float64)
