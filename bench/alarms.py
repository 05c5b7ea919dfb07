"""How often the alarms of a served version are false, all of them together."""

from __future__ import annotations

from collections import Counter
from functools import partial
from pathlib import Path

import numpy as np

from bench.alarm_peers import river_alone
from bench.alarm_streams import false_alarms, many_streams
from bench.rows import Benchmark, Row

STREAMS, ROWS = 500, 10_000
GOAL = 0.05


def run(folder: Path, quick: bool) -> list[Row]:
    """Simulate, in two processes of one thread each."""
    del folder
    streams, peers = (8, 4) if quick else (STREAMS, STREAMS // 5)
    with many_streams() as many:
        topics: Counter[str] = Counter()
        for found in many(partial(false_alarms, rows=ROWS), range(streams)):
            topics.update(found)
        print(f"false alarms in {streams * ROWS:,} rows, by topic: {dict(topics)}", flush=True)
        rows = ours(topics.total(), streams)
        for name in ("ADWIN", "PageHinkley"):
            counts = many(partial(river_alone, name=name, rows=ROWS), range(peers))
            rows.append(
                Row(f"the same by River's {name}, defaults, each number and the errors ({peers} streams)",
                    float(np.mean(counts)), GOAL, "alarms", "the budget")
            )  # fmt: skip
    return rows


def ours(alarms: int, streams: int) -> list[Row]:
    """What so many alarms in so many streams say."""
    return [
        Row(f"false alarms in 10,000 stable rows, 30 features, all alarms ({streams} streams)",
            alarms / streams, GOAL, "alarms", "the budget", goal=1),
        Row("the most that is likely (95 %) with so many streams", _most(alarms) / streams, GOAL,
            "alarms", "the budget", goal=1),
    ]  # fmt: skip


def _most(count: int) -> float:
    """Upper bound (95 %, one-sided) of a Poisson mean of which ``count`` were seen.

    Source: Garwood, Biometrika 28 (1936); the quantile by bisection.
    """
    from math import exp, factorial, sqrt

    low, high = float(count), count + 10 + 4 * sqrt(count)
    for _ in range(60):
        middle = (low + high) / 2
        below = sum(exp(-middle) * middle**each / factorial(each) for each in range(count + 1))
        low, high = (middle, high) if below > 0.05 else (low, middle)
    return high


BENCHMARK = Benchmark(
    title="All alarms of a served version",
    how=f"{STREAMS} simulated streams of 30 features (24 normal, three log-normal, two counts, one category) "
    "with answers, confidences and truths of a calibrated model that is wrong on 12 %, through all that "
    "watches a served version with its default settings: windows, ADWIN, Page-Hinkley, confidence, errors, "
    "and all features together. Each stream has a version of its own, profiled on 5,000 rows.",
    run=run,
    packages=("numpy", "river"),
)
