"""Write synthetic card transactions with the columns of the real set, for when that is not at hand.

The rows are made up: 28 components drawn from normal distributions whose means and spreads differ
a little between legitimate and fraudulent payments, and an amount that tells nothing. Models reach
about the same scores on them as on the real, nearly separable set; they say nothing about real cards.

    python examples/fraud/make_data.py                 # 5,000 rows to examples/fraud/data/synthetic.csv
    python examples/fraud/make_data.py --rows 20000 --seed 7
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np

COMPONENTS = 28


def make(rows: int, seed: int, fraud_share: float = 0.5) -> tuple[list[str], list[list[object]]]:
    """Header and rows of a table like the real one."""
    rng = np.random.default_rng(seed)
    fraud = rng.random(rows) < fraud_share
    # Like the real components: a few tell the classes apart well, most hardly.
    shift = np.round(np.linspace(1.9, 0.0, COMPONENTS) ** 2 * np.tile([1, -1], COMPONENTS // 2) * 0.3, 3)
    spread = np.where(fraud[:, None], 1.15, 0.65)
    values = rng.normal(size=(rows, COMPONENTS)) * spread + np.where(fraud[:, None], shift, -shift)
    amounts = np.round(rng.uniform(50, 24_000, size=rows), 2)
    header = ["id", *(f"V{i + 1}" for i in range(COMPONENTS)), "Amount", "Class"]
    table = [[i, *(f"{v:.9f}" for v in values[i]), f"{amounts[i]:.2f}", int(fraud[i])] for i in range(rows)]
    return header, table


def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(description="Write synthetic card transactions.")
    parser.add_argument("--rows", type=int, default=5_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "data" / "synthetic.csv")
    options = parser.parse_args()
    header, table = make(options.rows, options.seed)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    with options.out.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(table)
    print(f"{options.rows} synthetic transactions written to {options.out}")


if __name__ == "__main__":
    main()
