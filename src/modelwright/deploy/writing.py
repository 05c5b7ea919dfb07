"""Rendered files on disk: written whole, and never over what a person changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from modelwright.errors import ExitCode, ModelwrightError, StorageFailure
from modelwright.files import write_whole

NOTE = ".modelwright-made.json"
"""Beside the files: what was written last, by path, as SHA-256."""


class Changed(ModelwrightError):
    """Files that a person changed would be overwritten."""

    code = ExitCode.USAGE


@dataclass(frozen=True)
class Written:
    """What was done.

    Attributes:
        folder: Where.
        written: Paths that are new or other than before.
        same: Paths that were so already.
    """

    folder: Path
    written: tuple[str, ...]
    same: tuple[str, ...]


def write_files(files: Mapping[str, str], folder: Path, *, force: bool = False) -> Written:
    """Bring a folder up to ``files``.

    Args:
        files: Text by path in the folder.
        folder: Made where it is not.
        force: Also overwrite what a person changed.

    Raises:
        Changed: Some files are not as they were written, and ``force`` is false; nothing is written.
        StorageFailure: The disk refuses.
    """
    doing = "writing the files"
    content = {path: text.encode() for path, text in files.items()}
    if not force:
        try:
            _refuse_changed(content, folder, _known(folder))
        except OSError as error:
            raise StorageFailure.from_os_error(error, doing) from error
    written = bring(content, folder, doing)
    note = json.dumps({path: _digest(data) for path, data in content.items()}, indent=1) + "\n"
    bring({NOTE: note.encode()}, folder, doing)
    return Written(folder, written, tuple(path for path in files if path not in written))


def bring(files: Mapping[str, bytes], folder: Path, doing: str) -> tuple[str, ...]:
    """Write each of ``files`` that is not so already, each whole; the paths of those written.

    Args:
        files: Content by path in the folder.
        folder: Made where it is not.
        doing: What is being done, for the error.

    Raises:
        StorageFailure: The disk refuses.
    """
    written = []
    for path, content in files.items():
        place = folder / path
        try:
            same = place.is_file() and place.read_bytes() == content
        except OSError as error:
            raise StorageFailure.from_os_error(error, doing) from error
        if not same:
            write_whole(place, content, doing, durable=False)
            written.append(path)
    return tuple(written)


def _known(folder: Path) -> dict[str, str]:
    try:
        found = json.loads((folder / NOTE).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _refuse_changed(files: Mapping[str, bytes], folder: Path, known: Mapping[str, str]) -> None:
    changed = []
    for path, content in files.items():
        place = folder / path
        if place.exists():
            present = place.read_bytes()
            if present != content and _digest(present) != known.get(path):
                changed.append(path)
    if changed:
        raise Changed(
            f"{len(changed)} files in {folder} were changed since they were made.",
            "Write to another folder with --output and compare, or overwrite them with --force.",
            details=changed,
        )


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
