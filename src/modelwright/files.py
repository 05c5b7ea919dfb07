"""Files that appear whole or not at all, whatever comes between: a full disk, a kill, a power cut."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from modelwright.errors import StorageFailure

# Of a long name only so much goes into the draft's: file systems take 255 bytes.
_NAMED = 40


@contextmanager
def replacing(path: Path, doing: str, *, durable: bool = True) -> Iterator[Path]:
    """A file to write, which takes the place of ``path`` when the block ends well.

    A file that was at ``path`` hands on its permissions; a link is replaced, and what it points to
    stays. What is no regular file (a pipe, ``/dev/stdout``) has no place to take: it is written itself.

    Args:
        path: What shall be there afterwards; its folder is made.
        doing: What is being done, for the error ("copying the data").
        durable: Whether it also survives a power cut; not needed for what can be had again.

    Raises:
        StorageFailure: The disk refused. What was at ``path`` before is untouched.
    """
    draft = path.with_name(f".{path.name[:_NAMED]}.{secrets.token_hex(4)}.part")
    try:
        if _is_device(path):
            yield path
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield draft
            if durable:
                _sync(draft)
            _hand_on_permissions(path, draft)  # last: they may forbid to open it
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
        if durable:
            sync_folder(path.parent)
    except OSError as error:
        raise StorageFailure.from_os_error(error, doing) from error


def write_whole(path: Path, content: bytes | str, doing: str, *, durable: bool = True) -> None:
    """Write ``content`` (text as UTF-8) to ``path``; see ``replacing``.

    Raises:
        StorageFailure: The disk refused. What was at ``path`` before is untouched.
    """
    with replacing(path, doing, durable=durable) as draft:
        draft.write_bytes(content.encode() if isinstance(content, str) else content)


def write_stream(path: Path, blocks: Iterable[bytes], doing: str) -> None:
    """Write ``blocks`` one after the other to ``path``; see ``replacing``.

    Raises:
        StorageFailure: The disk refused. What was at ``path`` before is untouched.
    """
    with replacing(path, doing) as draft, draft.open("wb") as file:
        file.writelines(blocks)


def sync_folder(folder: Path) -> None:
    """Make the folder's own entries durable (a rename is one).

    Raises:
        OSError: The disk refused.
    """
    _sync(folder)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _is_device(path: Path) -> bool:
    """Whether ``path`` is no place for a file: a device, a pipe, or a name for what is open already."""
    return path.exists() and (not path.is_file() or (path.is_symlink() and path.is_relative_to("/dev")))


def _hand_on_permissions(path: Path, draft: Path) -> None:
    if path.is_file() and not path.is_symlink():
        draft.chmod(stat.S_IMODE(path.stat().st_mode))
