"""What the prediction log keeps of a row: all of it, but of an image its name only.

An image is named by the SHA-256 of its bytes, with their number and kind (``bundle.pictures``), so the
log stays small, and whoever has the image can find the predictions made for it.
"""

from __future__ import annotations

from typing import Any

from modelwright.bundle.pictures import PictureInvalid, image_bytes, reference
from modelwright.schema.columns import Kind, TableSchema

_LONGEST = 200  # characters kept of what was sent for an image and is none


class RowLog:
    """Puts names in place of a row's images. Call it with a row as a client sent it."""

    def __init__(self, schema: TableSchema) -> None:
        self._images = frozenset(column.name for column in schema if column.kind is Kind.IMAGE)
        self._places = frozenset(place for place, column in enumerate(schema) if column.kind is Kind.IMAGE)

    @classmethod
    def fitting(cls, schema: TableSchema) -> RowLog | None:
        """One for ``schema``; ``None`` where rows are kept as they are."""
        return cls(schema) if any(column.kind is Kind.IMAGE for column in schema) else None

    def __call__(self, row: Any) -> Any:
        """The row as the log keeps it; ``row`` itself is not changed."""
        if isinstance(row, dict):
            return self._object(row, "")
        if isinstance(row, list | tuple):
            return [_named(value) if place in self._places else value for place, value in enumerate(row)]
        return row

    def _object(self, row: dict[Any, Any], before: str) -> dict[Any, Any]:
        """Also of objects within objects, which are columns with a dot in their name."""
        kept = {}
        for key, value in row.items():
            name = f"{before}{key}"
            if name in self._images:
                kept[key] = _named(value)
            elif isinstance(value, dict):
                kept[key] = self._object(value, f"{name}.")
            else:
                kept[key] = value
        return kept


def _named(value: Any) -> Any:
    if not isinstance(value, str) or not value.strip():
        return value
    try:
        return reference(image_bytes(value))
    except PictureInvalid:
        short = value[:_LONGEST]
        return short if short == value else f"{short}… ({len(value):,} characters, no image)"
