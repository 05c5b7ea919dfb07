"""Which projects this user has worked in: a list of project files, for the dashboard of all of them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from modelwright.project.load import FILE

_DEPTH = 3
_MOST_FOLDERS = 20_000
_PASSED = frozenset({"node_modules", "__pycache__", "site-packages"})


def remember(file: Path) -> None:
    """Add a project file to the list, if it is not there. A list that cannot be written stops nothing."""
    place = _list()
    line = f"{file}\n"
    with contextlib.suppress(OSError, UnicodeError):
        if place.exists() and line in place.read_text(encoding="utf-8").splitlines(keepends=True):
            return
        place.parent.mkdir(parents=True, exist_ok=True)
        with place.open("a", encoding="utf-8") as listed:  # one short line: whole, whoever else writes
            listed.write(line)


def remembered() -> list[Path]:
    """The project files on the list that are still there, the first one first."""
    try:
        lines = _list().read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeError):
        return []
    return [Path(line) for line in dict.fromkeys(lines) if line and Path(line).is_file()]


def below(folders: Iterable[Path]) -> list[Path]:
    """Project files in ``folders`` and up to three levels below; hidden folders are passed by."""
    return [file for folder in folders for file in _walk(folder.expanduser().absolute())]


def _walk(root: Path) -> Iterator[Path]:
    level = [root]
    seen = 0
    for depth in range(_DEPTH + 1):
        deeper: list[Path] = []
        for folder in level:
            seen += 1
            if seen > _MOST_FOLDERS:
                return
            if (folder / FILE).is_file():
                yield (folder / FILE).resolve()
            if depth < _DEPTH:
                deeper += _within(folder)
        level = deeper


def _within(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            found = [
                Path(entry.path)
                for entry in entries
                if not entry.name.startswith(".")
                and entry.name not in _PASSED
                and entry.is_dir(follow_symlinks=False)
            ]
    except OSError:  # a folder of somebody else
        return []
    return sorted(found)


def _list() -> Path:
    state = os.environ.get("XDG_STATE_HOME", "").strip()
    home = Path(state) if state else Path.home() / ".local" / "state"
    return home / "modelwright" / "projects"
