"""Rows that a project's own generator makes, under ``synthetic:SCRIPT``; nobody shall take them for real.

The script is a Python program in the project's folder. Called with ``--out FILE`` it writes a table
there (and what belongs to it beside it). It is run once: what it made stays until it is removed.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from modelwright.data.faults import DataUnreadable
from modelwright.files import replacing
from modelwright.project.sources import MADE, SYNTHETIC

_LONGEST = 600  # seconds


def told(source: str) -> str:
    """What to call these rows, for people."""
    return f"{MADE.as_posix()} (synthetic, made by {source.removeprefix(SYNTHETIC)})"


def made(source: str, project_dir: Path) -> Path:
    """The file with the rows, made if it is not there.

    Args:
        source: As the project file has it.
        project_dir: The project's folder.

    Raises:
        DataUnreadable: There is no such script, or it failed.
        StorageFailure: The disk refused.
    """
    path = project_dir / MADE
    if path.exists():
        return path
    script = project_dir / source.removeprefix(SYNTHETIC)
    if not script.is_file():
        raise DataUnreadable(
            f"There is no file {script} to make synthetic data.",
            "Name your own data in data.source, or the script that makes some.",
        )
    with replacing(path, "writing synthetic data") as draft:
        _run(script, draft, project_dir)
    return path


def _run(script: Path, out: Path, project_dir: Path) -> None:
    call = [sys.executable, "-B", str(script), "--out", str(out)]
    try:
        done = subprocess.run(
            call, cwd=project_dir, capture_output=True, text=True, timeout=_LONGEST, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise DataUnreadable(
            f"{script} did not end within {_LONGEST // 60} minutes.", "Let it make fewer rows."
        ) from error
    if done.returncode or not out.is_file():
        said = done.stderr.strip().splitlines() or ["It wrote no file."]
        raise DataUnreadable(
            f"{script} made no data: {said[-1]}", f"Try it by hand: python '{script}' --out rows.csv"
        )
