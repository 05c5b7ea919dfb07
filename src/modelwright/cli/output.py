"""The file that a person names for a result."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from modelwright.errors import StorageFailure
from modelwright.files import replacing


@contextmanager
def output_file(place: Path) -> Iterator[Path]:
    """A file to write that appears at ``place`` whole, when the block ends well, or not at all.

    Raises:
        StorageFailure: There is no such folder, which may be a slip of the keyboard: none is made. Or the
            disk is full, or the place cannot be written.
    """
    if not place.parent.exists():
        raise StorageFailure(
            f"{place} cannot be written: there is no folder {place.parent}.",
            "Make that folder, or name another.",
        )
    with replacing(place, f"writing {place}") as draft:
        yield draft
