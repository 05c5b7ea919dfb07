"""The commit a project is at."""

from __future__ import annotations

import subprocess
from pathlib import Path


def commit_of(directory: Path) -> str:
    """The full hash of the commit ``directory`` is at, with ``-dirty`` where tracked files differ.

    Empty outside git, before the first commit, and where git is not installed.
    """
    commit = _git(directory, "rev-parse", "HEAD")
    if not commit:
        return ""
    return (
        f"{commit}-dirty"
        if _git(directory, "status", "--porcelain", "--untracked-files=no", "--", ".")
        else commit
    )


def content_at(directory: Path, commit: str, name: str) -> bytes | None:
    """The file ``name`` of ``directory`` as it was in ``commit``; ``None`` if git does not have it."""
    try:
        done = subprocess.run(
            ["git", "show", f"{commit}:./{name}"], cwd=directory, capture_output=True, timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def _git(directory: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=directory, capture_output=True, text=True, timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
