"""How long the command line takes to say hello."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from bench.processes import environment, modelwright
from bench.rows import Benchmark, Row

GOAL_MS = 300.0


def run(folder: Path, quick: bool) -> list[Row]:
    """Measure ``--help`` and, turn about, an interpreter that does nothing."""
    helping, nothing = modelwright("--help"), [sys.executable, "-c", "pass"]
    milliseconds(helping, folder)  # the first start writes bytecode
    turns = [
        (milliseconds(helping, folder), milliseconds(nothing, folder)) for _ in range(3 if quick else 21)
    ]
    took, bare = (statistics.median(side) for side in zip(*turns, strict=True))
    return [
        Row("`modelwright --help`", took, GOAL_MS, "ms", "the budget", goal=1),
        Row("`modelwright --help`", took, bare, "ms", "`python -c pass`"),
    ]


def milliseconds(command: Sequence[str], folder: Path) -> float:
    """How long a command takes, which must succeed."""
    begun = time.perf_counter()
    subprocess.run(command, cwd=folder, env=environment(), check=True, stdout=subprocess.DEVNULL)
    return (time.perf_counter() - begun) * 1000


BENCHMARK = Benchmark(
    title="Start of the command line",
    how="Median of 21 starts each, turn about, in an empty folder.",
    run=run,
    packages=("modelwright", "click"),
)
