"""MLflow's empty database, made once for each test process: making it costs more than a small training."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import tempfile
from pathlib import Path

SOURCE = Path(__file__).resolve().parent.parent / "src"
_MAKE = """
import pathlib, sys
from modelwright.train.track_process import _make_database
_make_database(pathlib.Path(sys.argv[1]))
"""


def lay_tracking(working: Path) -> None:
    """Put the database where a first training in ``working`` would make it, if there is none."""
    place = working / "mlflow.db"
    if not place.exists():
        working.mkdir(parents=True, exist_ok=True)
        place.write_bytes(_empty_database())


@functools.cache
def _empty_database() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder, "mlflow.db")
        subprocess.run(
            [sys.executable, "-c", _MAKE, made],
            env={**os.environ, "PYTHONPATH": str(SOURCE)},
            cwd=folder,
            check=True,
            capture_output=True,
        )
        return made.read_bytes()
