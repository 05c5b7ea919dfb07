"""How often drift is alarmed falsely, how soon a real shift is noticed, and what watching costs."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import msgspec
import numpy as np

from bench.drift_streams import (
    FEATURES,
    REFERENCE_ROWS,
    SCHEMA,
    river_adwin,
    river_page_hinkley,
    table,
    watched,
)
from bench.processes import on_cores
from bench.rows import Benchmark, Row
from modelwright.data.profile import profile
from modelwright.monitor.watch import Watch
from modelwright.schema.columns import Column, Kind, TableSchema

STREAMS, ROWS, LATEST = 500, 10_000, 6_000
SHIFTS = (0.5, 1.0, 2.0)
FALSE_GOAL, SECONDS_GOAL, BYTES_GOAL, SPEED_GOAL = 0.05, 0.3, 300e6, 10_000.0
WINDOW_ROWS = 100_000


def run(folder: Path, quick: bool) -> list[Row]:
    """Simulate, on one core."""
    streams = 4 if quick else STREAMS
    with on_cores(1):
        return [*_false_alarms(streams), *_delays(streams), *_window(folder), _speed()]


def _false_alarms(streams: int) -> list[Row]:
    by: Counter[str] = Counter()
    ours = 0
    for seed in range(streams):
        tally, false = watched(seed, ROWS)
        ours += tally.alarms
        by.update(false)
    print(f"false alarms of ours, by who raised them: {dict(by)}", flush=True)
    adwin = sum(river_adwin(seed, ROWS).alarms for seed in range(streams))
    page_hinkley = sum(river_page_hinkley(seed, ROWS).alarms for seed in range(streams))
    return [
        Row("false alarms in 10,000 stable rows, all 30 features", ours / streams, FALSE_GOAL, "alarms",
            "the budget", goal=1),
        Row("the same by River's ADWIN, defaults", adwin / streams, FALSE_GOAL, "alarms", "the budget"),
        Row("the same by Page-Hinkley with River's defaults", page_hinkley / streams, FALSE_GOAL, "alarms",
            "the budget"),
    ]  # fmt: skip


def _delays(streams: int) -> list[Row]:
    rows = []
    for shift in SHIFTS:
        seeds = range(10_000, 10_000 + streams)
        ours = [watched(seed, LATEST, shift)[0].noticed for seed in seeds]
        others = {
            "River's ADWIN": [river_adwin(seed, LATEST, shift).noticed for seed in seeds],
            "Page-Hinkley, River's defaults": [
                river_page_hinkley(seed, LATEST, shift).noticed for seed in seeds
            ],
        }
        for name, found in (("ours", ours), *others.items()):
            known = [each for each in found if each is not None]
            slow = np.quantile(known, 0.95) if known else float("nan")
            print(f"shift {shift}: {name}: noticed {len(known)} of {streams}, 95 % within {slow:,.0f} rows",
                  flush=True)  # fmt: skip
        for name, found in others.items():
            rows.append(
                Row(f"median rows until a shift of {shift:g} sigma in one feature is noticed", _median(ours),
                    _median(found), "rows", name)
            )  # fmt: skip
    return rows


def _median(found: list[int | None]) -> float:
    """Median with those never noticed counted as the last row."""
    return float(np.median([LATEST if each is None else each for each in found]))


def _window(folder: Path) -> list[Row]:
    random = np.random.default_rng(1)
    names = [f"f{place}" for place in range(FEATURES)]
    schema = TableSchema(columns=tuple(Column(name=name, kind=Kind.NUMERIC) for name in names))
    reference = profile({name: random.normal(size=REFERENCE_ROWS) for name in names}, schema)
    (folder / "profile.json").write_bytes(msgspec.json.encode(reference))
    np.save(folder / "window.npy", random.normal(size=(FEATURES, WINDOW_ROWS)))
    script = Path(__file__).with_name("drift_window.py")
    told = subprocess.run(
        [sys.executable, script, folder], check=True, capture_output=True, text=True
    ).stdout.split()
    seconds, peak = float(told[0]), float(told[1])
    return [
        Row("drift of 100,000 rows of 30 features", seconds, SECONDS_GOAL, "s", "the budget", goal=1),
        Row("peak memory of that process", peak / 1e6, BYTES_GOAL / 1e6, "MB", "the budget", goal=1),
    ]


def _speed() -> Row:
    random = np.random.default_rng(2)
    watch = Watch(profile(table(REFERENCE_ROWS, random), SCHEMA), SCHEMA)
    stream = table(100_000, random)
    begun = time.perf_counter()
    for start in range(0, 100_000, 2_000):
        watch.observe({name: each[start : start + 2_000] for name, each in stream.items()})
    rate = 100_000 / (time.perf_counter() - begun)
    return Row("rows watched in a second, 30 features, one core", rate, SPEED_GOAL, "rows/s", "the budget",
               goal=1, more_is_better=True)  # fmt: skip


BENCHMARK = Benchmark(
    title="Drift",
    how=f"{STREAMS} simulated streams for each figure: 24 normal, three log-normal, two count and one "
    f"categorical feature, each stream with a profile of its own from {REFERENCE_ROWS:,} rows, watched with "
    "the default settings in batches of 100 rows. A shift comes after 1,000 stable rows; counted are the "
    "rows up to the one at which it was noticed. River's detectors get each numeric feature alone; "
    "Page-Hinkley is ours with River's settings, which the tests hold to alarm at the same rows.",
    run=run,
    packages=("numpy", "river"),
)
