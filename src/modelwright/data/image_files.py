"""The image files that a table's rows point to, as one content hash beside the table's own.

DVC versions the table, which holds paths; a file that was drawn anew under the same path would go
unseen. Which files belong to a table is known once its rows were read for training; it is kept in
the project's working folder with each file's hash, by size, time of change and inode, so that a
command can tell in milliseconds whether one of them changed.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from modelwright.errors import StorageFailure
from modelwright.files import write_whole

_FILE = "images.json"
_TABLES = 20  # remembered, the newest ones


def images_md5(
    table_md5: str, *, project_dir: Path, working: Path, files: Iterable[Path] | None = None
) -> str:
    """The content hash of a table's image files; empty where it has none that are known.

    Args:
        table_md5: Of the table.
        project_dir: Where relative paths start, so that a project can be moved.
        working: Where the files are remembered.
        files: Those of the table, where they were read; by default those that are remembered.
    """
    known = _remembered(working)
    before = known.pop(table_md5, {})
    names = sorted(before if files is None else {_name(path, project_dir) for path in files})
    if not names:
        return ""
    now = {name: _stamped(_path(name, project_dir), before.get(name)) for name in names}
    if now != before:
        _keep(working, dict([*list(known.items())[1 - _TABLES :], (table_md5, now)]))
    listing = json.dumps([{"md5": now[name][-1], "relpath": name} for name in names], sort_keys=True)
    return hashlib.md5(listing.encode(), usedforsecurity=False).hexdigest() + ".dir"


def _name(path: Path, project_dir: Path) -> str:
    return Path(os.path.relpath(path.absolute(), project_dir.absolute())).as_posix()


def _path(name: str, project_dir: Path) -> Path:
    """What ``_name`` was made of, also where ``project_dir`` is gone: ".." is taken by the letters."""
    return Path(os.path.normpath(project_dir / name))


def _stamped(path: Path, before: list[Any] | None) -> list[Any]:
    """Size, time of change, inode and md5 of a file; nothing of one that is gone or cannot be read."""
    try:
        state = path.stat()
        stamp = [state.st_size, state.st_mtime_ns, state.st_ino]
        if before is not None and before[:-1] == stamp:
            return before
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    except OSError:
        return [0, 0, 0, ""]
    return [*stamp, digest]


def _remembered(working: Path) -> dict[str, dict[str, list[Any]]]:
    try:
        read = json.loads((working / _FILE).read_bytes())
    except (OSError, ValueError):
        return {}
    return read if isinstance(read, dict) and all(isinstance(each, dict) for each in read.values()) else {}


def _keep(working: Path, known: dict[str, dict[str, list[Any]]]) -> None:
    with suppress(StorageFailure):  # no reason to stop: the files are read again by the next command
        write_whole(working / _FILE, json.dumps(known), "remembering a table's images", durable=False)
