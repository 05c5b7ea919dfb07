"""Simulated streams of 30 features, and what each detector makes of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from modelwright.data.profile import profile
from modelwright.monitor.page_hinkley import PageHinkley, PageHinkleySettings
from modelwright.monitor.watch import Watch, WatchSettings
from modelwright.schema.columns import Column, Kind, TableSchema

FEATURES, REFERENCE_ROWS, BEFORE = 30, 5_000, 1_000
BATCH = 100
SHIFTED = "n0"
_COLOURS = np.array(["red", "blue", "green", "black"], dtype=object)

SCHEMA = TableSchema(
    columns=(
        *(Column(name=f"n{place}", kind=Kind.NUMERIC) for place in range(24)),
        *(Column(name=f"amount{place}", kind=Kind.NUMERIC) for place in range(3)),
        *(Column(name=f"count{place}", kind=Kind.INTEGER) for place in range(2)),
        Column(name="colour", kind=Kind.CATEGORICAL, categories=("black", "blue", "green", "red")),
    )
)
RIVER_PAGE_HINKLEY = PageHinkleySettings(tolerance=0.005, threshold=50.0, least=30, forgetting=1 - 1e-4)
"""River's defaults; the tests hold that our test with these settings alarms at the very same rows."""


def table(rows: int, random: np.random.Generator) -> dict[str, np.ndarray]:
    """24 normal features, three log-normal ones, two counts, one category."""
    made: dict[str, np.ndarray] = {}
    for column in SCHEMA:
        if column.name.startswith("n"):
            made[column.name] = random.normal(size=rows)
        elif column.name.startswith("amount"):
            made[column.name] = np.exp(random.normal(size=rows) + 3)
        elif column.name.startswith("count"):
            made[column.name] = random.poisson(4, size=rows).astype(np.float64)
        else:
            made[column.name] = _COLOURS[random.choice(4, size=rows, p=[0.5, 0.3, 0.15, 0.05])]
    return made


@dataclass
class Tally:
    """False alarms, and rows until a shift was noticed (``None`` where it was not in time)."""

    alarms: int
    noticed: int | None = None


def watched(
    seed: int, rows: int, shift: float = 0.0, settings: WatchSettings | None = None
) -> tuple[Tally, dict[str, int]]:
    """Run our watch, which gets rows in batches of 100.

    Without a shift over ``rows`` rows; with one from row 1,000 on, until it is noticed. The second
    value counts false alarms by who raised them.
    """
    random = np.random.default_rng(seed)
    watch = Watch(profile(table(REFERENCE_ROWS, random), SCHEMA), SCHEMA, settings)
    stream = table(rows, random)
    if shift:
        stream[SHIFTED][BEFORE:] += shift
    false: dict[str, int] = {}
    for start in range(0, rows, BATCH):
        for alarm in watch.observe({name: each[start : start + BATCH] for name, each in stream.items()}):
            if alarm.cleared:
                continue
            if shift and alarm.name == SHIFTED and alarm.row >= BEFORE:
                return Tally(sum(false.values()), alarm.row + 1 - BEFORE), false
            false[alarm.detectors[0]] = false.get(alarm.detectors[0], 0) + 1
    return Tally(sum(false.values())), false


def river_adwin(seed: int, rows: int, shift: float = 0.0) -> Tally:
    """River's ADWIN with its defaults, one a numeric feature."""
    from river.drift import ADWIN

    return _alone(seed, rows, shift, lambda values: _river_rows(ADWIN(), values))


def river_page_hinkley(seed: int, rows: int, shift: float = 0.0) -> Tally:
    """Page-Hinkley with River's defaults, one a numeric feature."""

    def alarms(values: np.ndarray) -> list[int]:
        return [change.row for change in PageHinkley([RIVER_PAGE_HINKLEY]).update(values[:, None])]

    return _alone(seed, rows, shift, alarms)


def _river_rows(detector: Any, values: np.ndarray) -> list[int]:
    rows = []
    for row, value in enumerate(values.tolist()):
        detector.update(value)
        if detector.drift_detected:
            rows.append(row)
    return rows


def _alone(seed: int, rows: int, shift: float, alarms: Callable[[np.ndarray], list[int]]) -> Tally:
    random = np.random.default_rng(seed)
    table(REFERENCE_ROWS, random)
    stream = table(rows, random)
    if shift:
        stream[SHIFTED][BEFORE:] += shift
        late = [row for row in alarms(stream[SHIFTED]) if row >= BEFORE]
        return Tally(0, late[0] + 1 - BEFORE if late else None)
    return Tally(sum(len(alarms(each)) for each in stream.values() if each.dtype != object))
