"""What River's and Evidently's detectors make of the same streams, with their default settings."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench.alarm_streams import Stream, World, stream
from bench.drift_streams import BEFORE, REFERENCE_ROWS, SHIFTED, table

EVIDENTLY_WINDOW = 500
_AFTER = 1_000  # rows after a change that Evidently gets: it is slow


def error_detectors() -> dict[str, Callable[[], Any]]:
    """River's detectors of a stream of right and wrong answers."""
    from river import drift
    from river.drift import binary

    return {"DDM": binary.DDM, "EDDM": binary.EDDM, "HDDM-A": binary.HDDMA, "ADWIN": drift.ADWIN}


def river_alone(seed: int, *, name: str, rows: int) -> int:
    """False alarms of one River detector a number, its error stream among them."""
    from river import drift

    make = getattr(drift, name)
    given = _after_training(seed, rows)
    series = [values for values in given.columns.values() if values.dtype != object]
    series += [np.maximum(given.probability, 1 - given.probability), _wrong(given)]
    return sum(len(_alarms(make(), each)) for each in series)


def river_errors(seed: int, *, name: str, rows: int, world: World) -> int | None:
    """Rows from the rise of the errors to the first alarm after it."""
    values = _wrong(_after_training(seed, rows, world))
    late = [row for row in _alarms(error_detectors()[name](), values) if row >= BEFORE]
    return late[0] + 1 - BEFORE if late else None


def _after_training(seed: int, rows: int, world: World | None = None) -> Stream:
    """The stream that our own watch gets with this seed."""
    random = np.random.default_rng(seed)
    stream(REFERENCE_ROWS, random)
    return stream(rows, random, world)


def _wrong(given: Stream) -> np.ndarray:
    wrong: np.ndarray = given.truth != given.answers
    return wrong.astype(np.float64)


def _alarms(detector: Any, values: np.ndarray) -> list[int]:
    found = []
    for row, value in enumerate(values.tolist()):
        detector.update(value)
        if detector.drift_detected:
            found.append(row)
    return found


def evidently(folder: Path, *, streams: int, shifts: Sequence[float]) -> dict[str, float] | None:
    """Columns named in 10,000 stable rows ("false"), and the median rows until each shift is noticed.

    ``None`` unless the environment variable EVIDENTLY_PYTHON names an interpreter that has Evidently.
    """
    python = os.environ.get("EVIDENTLY_PYTHON")
    if not python:
        return None
    stable = _asked(python, folder, [_case(seed, 0.0) for seed in range(streams)])
    windows = sum(len(each["drifted"]) for each in stable)
    named = sum(len(window) for each in stable for window in each["drifted"])
    found = {"false": 10_000 / EVIDENTLY_WINDOW * named / windows}
    for shift in shifts:
        told = _asked(python, folder, [_case(seed, shift) for seed in range(streams)])
        found[f"{shift:g}"] = float(np.median([EVIDENTLY_WINDOW * len(each["drifted"]) for each in told]))
    return found


def _case(seed: int, shift: float) -> dict[str, Any]:
    random = np.random.default_rng(seed)
    reference, rows = table(REFERENCE_ROWS, random), table(BEFORE + _AFTER, random)
    rows[SHIFTED][BEFORE:] += shift
    return {
        "reference": {name: values.tolist() for name, values in reference.items()},
        "rows": {name: values.tolist() for name, values in rows.items()},
        "from": BEFORE if shift else 0,
        "stop": SHIFTED if shift else "",
    }


def _asked(python: str, folder: Path, cases: list[dict[str, Any]]) -> list[dict[str, Any]]:
    file = folder / "streams.json"
    file.write_text(json.dumps(cases))
    script = Path(__file__).with_name("drift_evidently.py")
    done = subprocess.run([python, str(script), str(file)], check=True, capture_output=True, text=True)
    found: list[dict[str, Any]] = json.loads(done.stdout.strip().splitlines()[-1])
    return found
