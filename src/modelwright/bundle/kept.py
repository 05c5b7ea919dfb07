"""Pictures that clients sent, kept as files named by their content, where a project asks for that.

The prediction log has a picture's name only. With the file beside it a labelled prediction can be learned
from whole, and an answer explained later. Files are for convenience: an answer never waits for one, and
one that a power cut took is as if it had not been kept.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from modelwright.bundle.pictures import data_url, extension, is_reference, sha256_of
from modelwright.errors import StorageFailure
from modelwright.files import write_whole
from modelwright.schema.columns import Kind, TableSchema

FOLDER = "images"
"""Their folder in a project's working folder."""

_FRESH = 3600.0  # seconds in which a picture that comes again need not be noted again


class KeptPictures:
    """The pictures in a folder, which need not be there.

    Args:
        folder: Where they lie.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, data: bytes) -> None:
        """Keep a picture, or note that it came again. What is no picture by its first bytes is not kept.

        Raises:
            StorageFailure: The disk refused.
        """
        suffix = extension(data)
        if not suffix:
            return
        path = self._folder / f"{sha256_of(data)}{suffix}"
        try:
            if time.time() - path.stat().st_mtime > _FRESH:
                os.utime(path)
            return
        except FileNotFoundError:
            pass
        except OSError as error:
            raise StorageFailure.from_os_error(error, "keeping a picture that was sent") from error
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageFailure.from_os_error(error, "keeping a picture that was sent") from error
        write_whole(path, data, "keeping a picture that was sent", durable=False)

    def find(self, name: str) -> bytes | None:
        """The picture of a name in the log, if it is here and still what it was."""
        digest = name.partition("sha256=")[2].partition(";")[0]
        for path in self._folder.glob(f"{digest}.*") if is_reference(name) else ():
            try:
                data = path.read_bytes()
            except OSError:
                continue
            if sha256_of(data) == digest:
                return data
        return None

    def restored(self, row: Any, schema: TableSchema) -> Any:
        """A row of the log, by column or in their order, with the pictures that are here as data URLs."""
        images = {column.name: place for place, column in enumerate(schema) if column.kind is Kind.IMAGE}
        if isinstance(row, dict):
            return {name: self._restored(value) if name in images else value for name, value in row.items()}
        if isinstance(row, list | tuple):
            places = set(images.values())
            return [self._restored(value) if place in places else value for place, value in enumerate(row)]
        return row

    def _restored(self, value: Any) -> Any:
        data = self.find(value) if is_reference(value) else None
        return value if data is None else data_url(data)

    def expire(self, seconds: float) -> int:
        """Remove what did not come for so long; how many."""
        oldest, gone = time.time() - seconds, 0
        for path in self._folder.glob("*"):
            try:
                if path.stat().st_mtime < oldest:
                    path.unlink()
                    gone += 1
            except OSError:  # somebody else removed it, or may not be removed: the next look tells
                continue
        return gone
