"""How soon the alarms of a served version notice a change, and what is said of quality without labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from bench.alarm_peers import EVIDENTLY_WINDOW, error_detectors, evidently, river_errors
from bench.alarm_streams import Many, World, below_floor, estimate_holds, many_streams, noticed
from bench.alarms import GOAL, ROWS, STREAMS
from bench.drift_streams import BEFORE
from bench.rows import Benchmark, Row

LATEST = 6_000
SHIFTS = (0.5, 1.0, 2.0)
ERRORS = (0.05, 0.1, 0.2)
MARGINS = (0.0, 0.02, 0.05)
_MISSED = LATEST - BEFORE
_LATER = 10_000  # seeds of streams with a change


def run(folder: Path, quick: bool) -> list[Row]:
    """Simulate, in two processes of one thread each."""
    streams = 8 if quick else STREAMS
    with many_streams() as many:
        rows = []
        for part in (_shifts, _errors, _estimates, _floors):
            found = part(many, streams)
            print("\n".join(row.sentence() for row in found), flush=True)
            rows += found
    return [*rows, *_evidently(folder, streams)]


def _shifts(many: Many, streams: int) -> list[Row]:
    rows = []
    for shift in SHIFTS:
        world = World(shift=shift)
        found = many(partial(noticed, rows=LATEST, world=world), range(_LATER, _LATER + streams))
        what = f"rows until a shift of {shift:g} sigma in one of 30 features is noticed"
        rows += _delays(what, found, streams)
    return rows


def _errors(many: Many, streams: int) -> list[Row]:
    rows = []
    for rise in ERRORS:
        world = World(errors=rise)
        seeds = range(_LATER, _LATER + streams)
        found = many(partial(noticed, rows=LATEST, world=world), seeds)
        what = f"labelled rows until {100 * rise:g} points more errors are noticed"
        rows += _delays(what, found, streams)
        for name in error_detectors():
            told = many(partial(river_errors, name=name, rows=LATEST, world=world), seeds)
            late = [_MISSED if each is None else each for each in told]
            rows.append(
                Row(f"the same by River's {name}, defaults, {_share(told, streams)}", float(np.median(late)),
                    _median(found), "rows", "ours")
            )  # fmt: skip
    return rows


def _delays(what: str, found: Sequence[dict[str, int]], streams: int) -> list[Row]:
    first = [each.get("any") for each in found]
    by = Counter(topic for each in found for topic in each if topic != "any")
    known = [each for each in first if each is not None]
    slow = float(np.quantile(known, 0.95)) if known else float(_MISSED)
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
    found = evidently(folder, streams=max(2, streams // 100), shifts=SHIFTS)
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
    """Median, those never noticed counted with all rows they had."""
    return float(np.median([each.get("any", _MISSED) for each in found]))


def _share(found: Sequence[int | None], streams: int) -> str:
    return f"noticed in {sum(each is not None for each in found) / streams:.1%}"


def _listed(by: Counter[str]) -> str:
    return ", ".join(f"{topic} {count}" for topic, count in by.most_common()) or "nobody"


BENCHMARK = Benchmark(
    title="What the alarms notice",
    how=f"{STREAMS} simulated streams as above for each figure, looked at in batches of 100 rows. A change "
    "comes after 1,000 stable rows and stays for 5,000; where it was not noticed, those count. Errors rise "
    "as the law that gives the truths turns. Told is the median of the rows until it was noticed.",
    run=run,
    packages=("numpy", "river"),
)
