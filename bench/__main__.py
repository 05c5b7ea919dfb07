"""``python -m bench [NAME ...]``: run benchmarks, print their ratios, and keep them in the documentation."""

from __future__ import annotations

import argparse
import importlib
import sys
import tempfile
from pathlib import Path

from bench import report
from bench.rows import Benchmark

NAMES = (
    "start",
    "up",
    "training",
    "serve",
    "while_training",
    "fuzz",
    "drift",
    "alarms",
    "noticed",
    "monitors",
    "history",
    "products",
    "watching",
    "delivery",
    "pictures",
    "cardholders",
)


def load(name: str) -> Benchmark:
    """The benchmark that ``bench/<name>.py`` defines."""
    benchmark = importlib.import_module(f"bench.{name}").BENCHMARK
    assert isinstance(benchmark, Benchmark)
    return benchmark


def main() -> int:
    """Run what was asked for; the exit status says whether every goal was met."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}; all by default")
    parser.add_argument(
        "--quick", action="store_true", help="small sizes, to see that it works: nothing is written down"
    )
    asked = parser.parse_args()
    if unknown := set(asked.names) - set(NAMES):
        parser.error(f"no benchmark called {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")

    met = True
    for name in asked.names or NAMES:
        benchmark = load(name)
        print(f"\n== {benchmark.title}", flush=True)
        with tempfile.TemporaryDirectory(prefix=f"modelwright-bench-{name}-") as folder:
            rows = benchmark.run(Path(folder), asked.quick)
        for row in rows:
            print(row.sentence(), flush=True)
        met = met and all(row.holds for row in rows)
        if not asked.quick:
            report.write(name, benchmark, rows)
    print("\nEvery goal was met." if met else "\nNot every goal was met.")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
