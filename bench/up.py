"""From nothing to the first answer, and again with nothing changed."""

from __future__ import annotations

import shutil
import statistics
from pathlib import Path

from bench.processes import free_port, modelwright, on_cores, until_answer
from bench.rows import Benchmark, Row

IRIS = Path(__file__).resolve().parent.parent / "examples" / "iris"
ROW: dict[str, object] = {"features": [5.1, 3.5, 1.4, 0.2]}
FIRST_GOAL, AGAIN_GOAL = 15.0, 2.0
LIMIT = 300.0


def run(folder: Path, quick: bool) -> list[Row]:
    """Measure both, in fresh copies of the example, on two cores."""
    first: list[float] = []
    again: list[float] = []
    with on_cores(2):
        for turn in range(1 if quick else 3):
            project = folder / f"iris-{turn}"
            # Only what is in git: data and results of earlier runs stay behind.
            shutil.copytree(IRIS, project, ignore=shutil.ignore_patterns(".*", "data", "__pycache__"))
            for results in (first, again):
                port = free_port()
                command = modelwright("up", project, "--port", str(port))
                results.append(until_answer(command, port, ROW, folder, LIMIT))
    return [
        Row(
            "from nothing to the first answer",
            statistics.median(first),
            FIRST_GOAL,
            "s",
            "the budget",
            goal=1,
        ),
        Row("again, nothing changed", statistics.median(again), AGAIN_GOAL, "s", "the budget", goal=1),
    ]


BENCHMARK = Benchmark(
    title="`modelwright up examples/iris`",
    how=(
        "Median of three, each in a fresh copy of the example, the command and all it starts on two cores. "
        "The clock runs from the start of the command to the answer of a `POST /predict`."
    ),
    run=run,
    packages=("modelwright", "scikit-learn", "mlflow", "dvc", "onnxruntime"),
)
