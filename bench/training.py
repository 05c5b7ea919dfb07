"""What the product adds to the fits it runs: time and memory beside a script that only fits."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd

from bench import bare_training
from bench.processes import Cost, cost, modelwright
from bench.rows import Benchmark, Row

ROWS, COLUMNS = 568_630, 29
TIME_GOAL, MEMORY_GOAL = 1.10, 1.5
PROJECT = """\
name: bench
task: classification
data: {{source: data.csv, target: {target}, split: {{test: {test}, seed: {seed}}}}}
train:
  metric: average_precision
  candidates:
    - logistic_regression: {logistic_regression}
    - random_forest: {random_forest}
    - xgboost: {xgboost}
"""


def make_data(path: Path, rows: int) -> None:
    """Two overlapping classes, half the rows each, as the components of a card-fraud table are.

    Writes ``COLUMNS`` columns of real numbers with six decimals, and a target of 0 and 1.
    """
    random = np.random.default_rng(7)
    target = random.integers(0, 2, rows)
    values = random.normal(size=(rows, COLUMNS))
    values[:, :8] += 0.8 * target[:, None]
    values[:, 8] *= 1 + target
    values[:, -1] = np.exp(values[:, -1] + 3)  # an amount: skewed and positive
    columns = [*(f"V{number}" for number in range(1, COLUMNS)), "Amount"]
    table = pd.DataFrame(values, columns=columns)
    table[bare_training.TARGET] = target
    table.to_csv(path, index=False, float_format="%.6f")


def run(folder: Path, quick: bool) -> list[Row]:
    """Fit the same three candidates on the same file, bare and through ``modelwright train``."""
    for name in ("bare", "product"):
        (folder / name).mkdir()
    data = folder / "product" / "data.csv"
    make_data(data, 20_000 if quick else ROWS)
    (folder / "product" / "project.yaml").write_text(
        PROJECT.format(
            target=bare_training.TARGET,
            test=bare_training.TEST,
            seed=bare_training.SEED,
            **bare_training.SETTINGS,
        )
    )
    bare = told("bare script", cost([sys.executable, bare_training.__file__, str(data)], folder / "bare"))
    product = told("modelwright train", cost(modelwright("train", "."), folder / "product"))
    mebi = 2**20
    return [
        Row(
            "time of `modelwright train`",
            product.seconds,
            bare.seconds,
            "s",
            "the bare script",
            goal=TIME_GOAL,
        ),
        Row(
            "peak memory of `modelwright train`",
            product.peak / mebi,
            bare.peak / mebi,
            "MiB",
            "the bare script",
            goal=MEMORY_GOAL,
        ),
    ]


def told(name: str, measured: Cost) -> Cost:
    """Show a cost as soon as it is known: the whole takes minutes."""
    print(f"   {name}: {measured.seconds:.1f} s, {measured.peak / 2**20:,.0f} MiB", flush=True)
    return measured


BENCHMARK = Benchmark(
    title="Training beside a bare script",
    how=(
        f"{ROWS:,} rows of {COLUMNS} real numbers and a binary target in a CSV file made for it. Both read "
        "it, hold out a fifth, fit logistic regression (scaled), a random forest of 100 trees and XGBoost "
        "with 200 trees, with the same settings on all cores, and score them. The product also checks, "
        "versions and profiles the data, measures intervals, tracks, exports the winner and proves its "
        "parity. One run each. Memory is the peak of the proportional set size over the process and its "
        "children, looked at ten times a second."
    ),
    run=run,
    packages=("modelwright", "scikit-learn", "xgboost-cpu", "pandas", "pyarrow", "mlflow"),
)
