"""One window of 100,000 rows and 30 features against a profile, in a process of its own.

Prints the seconds of the comparison (median of five) and the peak memory of the process in bytes.
Run as a script with the folder of its files.
"""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path

import numpy as np

from modelwright.monitor.drift import read_profile, window_drift


def main(folder: Path) -> None:
    """Compare ``window.npy`` [features, rows] with ``profile.json``."""
    profile = read_profile((folder / "profile.json").read_bytes())
    matrix = np.load(folder / "window.npy")
    columns = {column.name: matrix[place] for place, column in enumerate(profile.columns)}
    took = []
    for _ in range(5):
        begun = time.perf_counter()
        assert not window_drift(profile, columns).drifted
        took.append(time.perf_counter() - begun)
    print(statistics.median(took), _peak())


def _peak() -> int:
    """Peak memory of this process; ``getrusage`` would count the parent's before ``exec``."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
