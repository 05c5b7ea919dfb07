"""What the prediction log keeps of a row: all of it, but of an image its name only.

An image is named by the SHA-256 of its bytes, with their number and kind (``bundle.pictures``), so the
log stays small, and whoever has the image can find the predictions made for it. Where the project asks for
it, the image itself is kept in a file (``bundle.kept``).
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from modelwright.bundle.kept import KeptPictures
from modelwright.bundle.pictures import PictureInvalid, image_bytes, reference
from modelwright.errors import StorageFailure
from modelwright.schema.columns import Kind, TableSchema

logger = logging.getLogger(__name__)

_LONGEST = 200  # characters kept of what was sent for an image and is none


class RowLog:
    """Puts names in place of a row's images. Call it with a row as a client sent it."""

    def __init__(self, schema: TableSchema, kept: KeptPictures | None = None) -> None:
        self._kept = kept
        self._images = frozenset(column.name for column in schema if column.kind is Kind.IMAGE)
        self._places = frozenset(place for place, column in enumerate(schema) if column.kind is Kind.IMAGE)

    @classmethod
    def fitting(cls, schema: TableSchema, folder: str = "") -> RowLog | None:
        """One for ``schema``; ``None`` where rows are kept as they are.

        Args:
            schema: The columns that clients send.
            folder: Where images are kept; empty for nowhere.
        """
        kept = KeptPictures(Path(folder)) if folder else None
        return cls(schema, kept) if any(column.kind is Kind.IMAGE for column in schema) else None

    def __call__(self, row: Any) -> Any:
        """The row as the log keeps it; ``row`` itself is not changed."""
        if isinstance(row, dict):
            return self._object(row, "")
        if isinstance(row, list | tuple):
            return [self._named(value) if place in self._places else value for place, value in enumerate(row)]
        return row

    def _object(self, row: dict[Any, Any], before: str) -> dict[Any, Any]:
        """Also of objects within objects, which are columns with a dot in their name."""
        kept = {}
        for key, value in row.items():
            name = f"{before}{key}"
            if name in self._images:
                kept[key] = self._named(value)
            elif isinstance(value, dict):
                kept[key] = self._object(value, f"{name}.")
            else:
                kept[key] = value
        return kept

    def _named(self, value: Any) -> Any:
        if not isinstance(value, str) or not value.strip():
            return value
        try:
            data = image_bytes(value)
        except PictureInvalid:
            short = value[:_LONGEST]
            return short if short == value else f"{short}… ({len(value):,} characters, no image)"
        if self._kept is not None:
            try:
                self._kept.keep(data)
            except StorageFailure as failure:  # the answer is worth more than the picture
                logger.warning("An image that was sent is not kept: %s", failure)
        return reference(data)
