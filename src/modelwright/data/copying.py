"""Files that appear whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path

from modelwright.errors import StorageFailure


def write_whole(path: Path, write: Callable[[Path], None], doing: str) -> None:
    """Let ``write`` fill a new file, then put it in the place of ``path``.

    Args:
        path: What shall be there afterwards; its folder is made.
        write: Writes the file it is given.
        doing: What is being done, for the error ("copying the data").

    Raises:
        StorageFailure: The disk refused. What was at ``path`` before is untouched.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            write(draft)
            with draft.open("rb") as written:
                os.fsync(written.fileno())
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        raise StorageFailure.from_os_error(error, doing) from error


def write_stream(blocks: Iterable[bytes], path: Path, doing: str) -> None:
    """Write ``blocks`` one after the other to ``path``, atomically.

    Raises:
        StorageFailure: The disk refused. What was at ``path`` before is untouched.
    """

    def write(draft: Path) -> None:
        with draft.open("wb") as file:
            for block in blocks:
                file.write(block)

    write_whole(path, write, doing)
