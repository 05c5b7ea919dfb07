"""Write synthetic passengers with the columns of the Titanic list, for when that is not at hand.

The rows are made up: class, sex, age and fare are drawn with roughly the real shares, survival from
a logistic formula over them, and gaps are spelled "?" where the real list has them. Models reach
about the same scores as on the real list; the people never lived.

    python examples/titanic/make_data.py               # 1,309 rows to examples/titanic/data/synthetic.csv
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np

HEADER = [
    "pclass", "survived", "name", "sex", "age", "sibsp", "parch",
    "ticket", "fare", "cabin", "embarked", "boat", "body", "home.dest",
]  # fmt: skip
SURNAMES = [
    "Ashdown",
    "Birch",
    "Corvo",
    "Dahl",
    "Ekwall",
    "Farrow",
    "Girard",
    "Holm",
    "Ito",
    "Jansen",
    "Keane",
    "Lund",
]
GIVEN = {
    "male": ["Albert", "Carl", "George", "Henrik", "Louis"],
    "female": ["Ada", "Clara", "Elin", "Marie", "Rose"],
}
TOWNS = ["Bristol", "Cork", "Göteborg", "New York, NY", "Paris", "St Louis, MO"]


def passenger(rng: np.random.Generator, number: int) -> list[object]:
    """One made-up passenger."""
    pclass = int(rng.choice([1, 2, 3], p=[0.25, 0.21, 0.54]))
    sex = "male" if rng.random() < 0.64 else "female"
    age = round(float(np.clip(rng.normal([0, 39, 30, 25][pclass], 13), 0.3, 80)), 1)
    sibsp, parch = int(rng.poisson(0.5)), int(rng.poisson(0.38))
    fare = round(float(np.exp(rng.normal([0, 4.1, 2.9, 2.3][pclass], 0.6))), 4)
    score = 2.6 * (sex == "female") - 0.95 * (pclass - 2) - 0.035 * (age - 30) - 0.3 * sibsp - 1.25
    survived = int(rng.random() < 1 / (1 + np.exp(-score * 1.2)))
    title = ("Master" if age < 14 else "Mr") if sex == "male" else ("Miss" if age < 22 else "Mrs")
    name = f"{rng.choice(SURNAMES)}, {title}. {rng.choice(GIVEN[sex])}"
    deck = rng.choice(list("ABCDE"))
    cabin = f"{deck}{rng.integers(1, 120)}" if rng.random() < [0, 0.8, 0.1, 0.03][pclass] else "?"
    boat = (str(rng.integers(1, 17)) if number % 5 else "ABCD"[number % 4]) if survived else "?"
    body = str(number) if not survived and rng.random() < 0.15 else "?"
    home = str(rng.choice(TOWNS)) if rng.random() < 0.57 else "?"
    shown_age = age if rng.random() < 0.8 else "?"
    ticket = f"{'PC ' if number % 4 == 0 else ''}{100_000 + number * 7}"
    port = str(rng.choice(["S", "C", "Q"], p=[0.7, 0.21, 0.09]))
    return [
        pclass, survived, name, sex, shown_age, sibsp, parch,
        ticket, fare, cabin, port, boat, body, home,
    ]  # fmt: skip


def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(description="Write synthetic passengers.")
    parser.add_argument("--rows", type=int, default=1_309)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "data" / "synthetic.csv")
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    with options.out.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        writer.writerows(passenger(rng, number) for number in range(options.rows))
    print(f"{options.rows} synthetic passengers written to {options.out}")


if __name__ == "__main__":
    main()
