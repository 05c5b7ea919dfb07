"""All alarms of a served version together: how often they are false, and how soon they are right."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from bench.alarm_peers import EVIDENTLY_WINDOW, error_detectors, evidently, river_alone, river_errors
from bench.alarm_streams import World, below_floor, estimate_holds, false_alarms, noticed
from bench.rows import Benchmark, Row

STREAMS, ROWS, LATEST = 500, 10_000, 6_000
PROCESSES = 2
GOAL = 0.05
SHIFTS = (0.5, 1.0, 2.0)
ERRORS = (0.05, 0.1, 0.2)
MARGINS = (0.0, 0.02, 0.05)
_LATER = 10_000  # seeds of streams with a change
_ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


def run(folder: Path, quick: bool) -> list[Row]:
    """Simulate, in two processes of one thread each."""
    streams, peers = (8, 4) if quick else (STREAMS, STREAMS // 5)
    os.environ.update(_ONE_THREAD)  # of the processes that are spawned
    with ProcessPoolExecutor(PROCESSES, mp_context=get_context("spawn")) as pool:

        def many(work: Callable[[int], Any], seeds: Iterable[int]) -> list[Any]:
            return list(pool.map(work, seeds, chunksize=4))

        return [
            *_false(many, streams, peers),
            *_shifts(many, streams),
            *_errors(many, streams),
            *_floors(many, streams),
            *_estimates(many, streams),
            *_evidently(folder, streams),
        ]


Many = Callable[[Callable[[int], Any], Iterable[int]], list[Any]]


def _false(many: Many, streams: int, peers: int) -> list[Row]:
    topics: Counter[str] = Counter()
    for found in many(partial(false_alarms, rows=ROWS), range(streams)):
        topics.update(found)
    ours = topics.total() / streams
    print(f"false alarms of ours in {streams * ROWS:,} rows, by topic: {dict(topics)}", flush=True)
    rows = [
        Row(f"false alarms in 10,000 stable rows, 30 features, all alarms ({streams} streams)", ours, GOAL,
            "alarms", "the budget", goal=1),
        Row("the most that is likely (95 %) with so many streams", _most(topics.total()) / streams, GOAL,
            "alarms", "the budget", goal=1),
    ]  # fmt: skip
    for name in ("ADWIN", "PageHinkley"):
        counts = many(partial(river_alone, name=name, rows=ROWS), range(peers))
        rows.append(
            Row(f"the same by River's {name}, defaults, each number and the errors ({peers} streams)",
                float(np.mean(counts)), GOAL, "alarms", "the budget")
        )  # fmt: skip
    return rows


def _shifts(many: Many, streams: int) -> list[Row]:
    rows = []
    for shift in SHIFTS:
        world = World(shift=shift, batch=50)
        found = many(partial(noticed, rows=LATEST, world=world), range(_LATER, _LATER + streams))
        what = f"rows until a shift of {shift:g} sigma in one of 30 features is noticed"
        rows += _delays(what, found, streams)
    return rows


def _errors(many: Many, streams: int) -> list[Row]:
    rows = []
    for rise in ERRORS:
        world = World(errors=rise, batch=50)
        seeds = range(_LATER, _LATER + streams)
        found = many(partial(noticed, rows=LATEST, world=world), seeds)
        what = f"labelled rows until {100 * rise:g} points more errors are noticed"
        rows += _delays(what, found, streams)
        for name in error_detectors():
            told = many(partial(river_errors, name=name, rows=LATEST, world=world), seeds)
            late = [LATEST if each is None else each for each in told]
            rows.append(
                Row(f"the same by River's {name}, defaults, {_share(told, streams)}", float(np.median(late)),
                    _median(found), "rows", "ours")
            )  # fmt: skip
    return rows


def _delays(what: str, found: Sequence[dict[str, int]], streams: int) -> list[Row]:
    first = [each.get("any") for each in found]
    by = Counter(topic for each in found for topic in each if topic != "any")
    known = [each for each in first if each is not None]
    slow = float(np.quantile(known, 0.95)) if known else float(LATEST)
    return [
        Row(f"{what}: median of {streams} streams, {_share(first, streams)} (by {_listed(by)})",
            _median(found), slow, "rows", "95 % within")
    ]  # fmt: skip


def _floors(many: Many, streams: int) -> list[Row]:
    rows = []
    for margin in MARGINS:
        counts = many(partial(below_floor, rows=ROWS, margin=margin), range(streams))
        rows.append(
            Row(f"false alarms of a floor {100 * margin:g} points below the true accuracy, 10,000 labels",
                float(np.mean(counts)), GOAL, "alarms", "the budget of the others")
        )  # fmt: skip
    return rows


def _estimates(many: Many, streams: int) -> list[Row]:
    rows = []
    for shift in (0.0, 1.0):
        told = many(partial(estimate_holds, shift=shift), range(streams))
        held, errors = np.array([each[0] for each in told]), np.array([each[1] for each in told])
        rows += [
            Row(f"estimates without labels whose bounds hold the real accuracy, {shift:g} sigma off "
                f"({streams} windows of 500 rows)", float(held.mean()), 0.95, "share", "what is said",
                goal=0.97, more_is_better=True),
            Row(f"mean error of that estimate, {shift:g} sigma", float(errors.mean()), 0.02, "accuracy",
                "two points"),
        ]  # fmt: skip
    return rows


def _evidently(folder: Path, streams: int) -> list[Row]:
    found = evidently(folder, streams=max(2, streams // 50), shifts=SHIFTS)
    if found is None:
        print("Evidently is left out: EVIDENTLY_PYTHON names no interpreter that has it", flush=True)
        return []
    rows = [
        Row("false alarms of Evidently's DataDriftPreset, defaults, in 10,000 stable rows",
            found.pop("false"), GOAL, "columns", "the budget")
    ]  # fmt: skip
    return rows + [
        Row(
            f"rows until Evidently notices {name} sigma, of 1,000",
            value,
            EVIDENTLY_WINDOW,
            "rows",
            "its window",
        )
        for name, value in found.items()
    ]


def _median(found: Sequence[dict[str, int]]) -> float:
    """Median with those never noticed counted as the last row."""
    return float(np.median([each.get("any", LATEST) for each in found]))


def _share(found: Sequence[int | None], streams: int) -> str:
    return f"noticed in {sum(each is not None for each in found) / streams:.1%}"


def _listed(by: Counter[str]) -> str:
    return ", ".join(f"{topic} {count}" for topic, count in by.most_common()) or "nobody"


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
    "and all features together. Each stream has a version of its own, profiled on 5,000 rows. A change "
    "comes after 1,000 stable rows. Where it was not noticed in 5,000 rows, the last counts.",
    run=run,
    packages=("numpy", "river"),
)
