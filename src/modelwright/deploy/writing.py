"""Rendered files on disk: written whole, and never over what a person changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from modelwright.errors import ExitCode, ModelwrightError, StorageFailure

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
    try:
        known = _known(folder)
        if not force:
            _refuse_changed(files, folder, known)
        written = [path for path, text in files.items() if _bring(folder / path, text)]
        note = json.dumps({path: _digest(text.encode()) for path, text in files.items()}, indent=1) + "\n"
        _bring(folder / NOTE, note)
    except OSError as error:
        raise StorageFailure.from_os_error(error, "writing the files") from error
    return Written(folder, tuple(written), tuple(path for path in files if path not in written))


def _known(folder: Path) -> dict[str, str]:
    try:
        found = json.loads((folder / NOTE).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _refuse_changed(files: Mapping[str, str], folder: Path, known: Mapping[str, str]) -> None:
    changed = []
    for path, text in files.items():
        place = folder / path
        if place.exists():
            present = place.read_bytes()
            if present != text.encode() and _digest(present) != known.get(path):
                changed.append(path)
    if changed:
        raise Changed(
            f"{len(changed)} files in {folder} were changed since they were made.",
            "Write to another folder with --output and compare, or overwrite them with --force.",
            details=changed,
        )


def _bring(place: Path, text: str) -> bool:
    """Write ``text`` unless it is there; whether it was written."""
    content = text.encode()
    if place.is_file() and place.read_bytes() == content:
        return False
    place.parent.mkdir(parents=True, exist_ok=True)
    draft = place.with_name(f".{place.name}.draft")
    draft.write_bytes(content)
    draft.replace(place)
    return True


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
