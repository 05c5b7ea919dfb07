"""How often the duel errs, by simulation; ``python -m bench.duel`` writes it into the page on statistics.

A champion answers two-class rows rightly with probability 0.9; the challenger puts right a share of
all rows that the champion has wrong, and gets wrong a share that it has right. Every simulated duel
draws new rows.
"""

from __future__ import annotations

import argparse
import os
import re
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from bench.report import machine
from modelwright.retrain.duel import Sides, judge
from modelwright.schema.metrics import Task
from modelwright.train.answers import Answers

PAGE = Path(__file__).resolve().parent.parent / "docs" / "reference" / "statistics.md"
HEAD = "# Statistics\n\nWhat the service decides by itself, how, and how often it errs.\n"
RIGHT = 0.9
MARGIN = 0.005
ROWS = 1_000


@dataclass(frozen=True)
class Case:
    """Duels of one kind; ``goal`` is the largest share of wrong decisions."""

    what: str
    fixed: float
    broken: float
    promoting_is_wrong: bool
    goal: float | None = None
    looks: int = 1
    rows: int = ROWS


CASES = (
    Case("worse by 1 point (breaks 2 %, fixes 1 %)", 0.01, 0.02, True, 0.01),
    Case("worse by 0.5 points (breaks 2 %, fixes 1.5 %)", 0.015, 0.02, True, 0.01),
    Case("equal (differs on 2 %)", 0.01, 0.01, True, 0.05),
    Case("equal (differs on 4 %)", 0.02, 0.02, True, 0.05),
    Case("equal (differs on 10 %)", 0.05, 0.05, True, 0.05),
    Case("equal, a new challenger every hour for two days", 0.02, 0.02, True, 0.05, looks=48),
    Case("better by 2 points (differs on 3 %)", 0.025, 0.005, False, 0.2),
    Case("better by 2 points (differs on 4 %)", 0.03, 0.01, False, 0.2),
    Case("better by 2 points (differs on 5 %)", 0.035, 0.015, False, 0.2),
    Case("better by 2 points (differs on 6 %)", 0.04, 0.02, False),
    Case("better by 2 points (differs on 8 %)", 0.05, 0.03, False),
    Case("better by 2 points (differs on 4 %), 3,000 labels", 0.03, 0.01, False, rows=3_000),
)


def sides(case: Case, metric: str, generator: np.random.Generator) -> Sides:
    """One duel's rows."""
    truth = generator.integers(0, 2, case.rows)
    champion = generator.random(case.rows) < RIGHT
    share = np.where(champion, case.broken / RIGHT, case.fixed / (1 - RIGHT))
    challenger = champion ^ (generator.random(case.rows) < share)
    said = [np.where(right, truth, 1 - truth) for right in (challenger, champion)]
    one, other = (Answers(labels=labels, probabilities=np.eye(2)[labels]) for labels in said)
    classes = {"class": truth.astype(str).astype(object)}
    return Sides(Task.CLASSIFICATION, metric, truth, one, other, groups=classes)


def promoted(case: Case, metric: str, times: int, seed: int) -> int:
    """In how many of so many tries (of all looks each) the challenger was promoted."""
    generator = np.random.default_rng(seed)
    return sum(
        any(
            judge(sides(case, metric, generator), margin=MARGIN, look=look).promote
            for look in range(1, case.looks + 1)
        )
        for _ in range(times)
    )


def table(times: int) -> list[str]:
    """A row a case, with a 95 % interval of the share (Wilson)."""
    lines = [
        "| challenger | metric | tries | wrong | share (95 %) | goal | |",
        "| --- | --- | ---: | ---: | ---: | --- | --- |",
    ]
    for place, case in enumerate(CASES):
        for metric in ("accuracy", "f1"):
            tries = times if case.looks == 1 else max(20, times // 2)
            count = promoted(case, metric, tries, seed=1000 + place)
            wrong = count if case.promoting_is_wrong else tries - count
            low, high = wilson(wrong, tries)
            goal = "" if case.goal is None else f"{case.goal:.0%} at most"
            verdict = "" if case.goal is None else ("met" if wrong / tries <= case.goal else "**missed**")
            lines.append(
                f"| {case.what} | {metric} | {tries:,} | {wrong:,} | {wrong / tries:.1%} "
                f"({low:.1%} to {high:.1%}) | {goal} | {verdict} |"
            )
    return lines


def wilson(count: int, tries: int, z: float = 1.96) -> tuple[float, float]:
    """Interval of a share. Source: Wilson, J. Am. Stat. Assoc. 22 (1927)."""
    share = count / tries
    middle, spread = (
        share + z * z / (2 * tries),
        z * (share * (1 - share) / tries + (z / 2 / tries) ** 2) ** 0.5,
    )
    return max(0.0, (middle - spread) / (1 + z * z / tries)), min(
        1.0, (middle + spread) / (1 + z * z / tries)
    )


def main() -> None:
    """Simulate, print, and put the table between its marks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=1_000, help="tries of a case")
    times = parser.parse_args().times
    os.nice(10)
    begun = time.perf_counter()
    lines = table(times)
    took = time.perf_counter() - begun
    lines += ["", f"Measured {datetime.now(UTC):%Y-%m-%d} on {machine()} (one used), in {took:.0f} s."]
    print("\n".join(lines))
    begin, end = "<!-- duel -->", "<!-- end of duel -->"
    text = PAGE.read_text(encoding="utf-8") if PAGE.exists() else f"{HEAD}\n## The duel\n\n{begin}\n{end}\n"
    section = f"{begin}\n" + "\n".join(lines) + f"\n{end}"
    PAGE.write_text(re.sub(f"{begin}.*?{end}", lambda _: section, text, flags=re.DOTALL), encoding="utf-8")


if __name__ == "__main__":
    main()
