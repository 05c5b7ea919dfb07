"""Images of rows that clients sent, as files beside the data of a retraining.

A sample given for training has its image with it. A prediction that was labelled later has its image's
name only, as the log keeps no images. Where the project keeps them beside it (``serve.keep_images``), the
image is found by its name; else the row teaches what its other columns say, and where there is nothing else
it is left out.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from modelwright.bundle.pictures import extension, image_bytes, is_reference, sha256_of
from modelwright.data.pictures import located
from modelwright.files import write_whole
from modelwright.schema.columns import Kind, TableSchema

FOLDER = "sent-images"
NOTHING_LEFT = "its image is not kept (serve.keep_images), and it has nothing else"


def image_names(schema: TableSchema) -> tuple[str, ...]:
    """The image columns."""
    return tuple(column.name for column in schema if column.kind is Kind.IMAGE)


def without_names(row: Mapping[str, Any], images: Sequence[str]) -> dict[str, Any]:
    """A logged row, an image whose name alone is left being missing."""
    return {name: None if name in images and is_reference(value) else value for name, value in row.items()}


def has_nothing(row: Mapping[str, Any], schema: TableSchema) -> bool:
    """Whether no feature of ``row`` has a value."""
    return all(row.get(column.name) in (None, "") for column in schema)


def stored(values: Sequence[Any], folder: Path) -> list[str | None]:
    """Write sent images to files named by their content; their paths relative to ``folder``.

    Args:
        values: Base64 or data URLs that were read before, or nothing.
        folder: Where the data file is to lie.

    Raises:
        StorageFailure: The disk refused.
    """
    return [_stored(value, folder) if isinstance(value, str) and value.strip() else None for value in values]


def _stored(text: str, folder: Path) -> str:
    data = image_bytes(text)
    relative = Path(FOLDER, sha256_of(data) + extension(data))
    if not (folder / relative).is_file():
        write_whole(folder / relative, data, "keeping an image that was sent")
    return relative.as_posix()


def moved(base: pa.Table, images: Sequence[str], folders: Sequence[Path], folder: Path) -> pa.Table:
    """``base`` with the paths of its images as they are from ``folder``, where they would not be found."""
    for name in images:
        column = base.column(name)
        known = {path: _from(path, folders, folder) for path in column.unique().to_pylist() if path}
        cells = [known.get(path) for path in column.to_pylist()]
        base = base.set_column(base.column_names.index(name), name, pa.array(cells, type=column.type))
    return base


def _from(path: str, folders: Sequence[Path], folder: Path) -> str:
    if (folder / path).is_file():
        return path
    found = located(path, folders)
    return os.path.relpath(found, folder) if found.is_file() else path
