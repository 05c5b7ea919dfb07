"""How soon an answer is in the store, and what the monitors cost those who are answered meanwhile."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from bench.processes import environment, free_port, modelwright
from bench.rows import Benchmark, Row
from bench.serve import _cores, _on, _process, _wait
from bench.while_training import COLUMNS, _made, _off_wrk, _write

CONNECTIONS = 16
RATES = (1_000, 5_000)
BUDGET = 200.0
_LOOK = 0.001
_AWAY = 20.0


def run(folder: Path, quick: bool) -> list[Row]:
    """Ask two servers of the same model at steady rates, one with monitors and one without."""
    seconds, turns = (2, 1) if quick else (6, 7)
    watched, alone = folder / "watched", folder / "alone"
    bodies = _prepare(folder, watched, alone)
    rows: list[Row] = []
    found: dict[Path, list[list[float]]] = {watched: [], alone: []}
    with _served(watched) as with_monitors, _served(alone, "--no-monitor") as without:
        ports = {watched: with_monitors, alone: without}
        for port in ports.values():
            _ask(port, 200, 2, bodies)
        for rate in RATES:
            behind = [_delivered(watched, ports[watched], rate, seconds, bodies) for _ in range(turns)]
            rows += _rows(rate, [each for turn in behind for each in turn])
        for _ in range(turns):
            for project, port in ports.items():
                found[project].append(_ask(port, RATES[-1], seconds, bodies))
    for what, quantile in (("p99", 0.99), ("p50", 0.5)):
        on, off = (
            statistics.median(_quantile(turn, quantile) for turn in found[each]) for each in (watched, alone)
        )
        rows.append(Row(f"{what} of a request at {RATES[-1]:,} a second, monitors on", on, off, "ms", "off"))
    return rows


def _rows(rate: int, behind: list[float]) -> list[Row]:
    what = f"Answered and stored, {rate:,} requests/s"
    budget = "the budget"
    return [
        Row(f"{what}: p50", _quantile(behind, 0.5), BUDGET, "ms", budget),
        Row(f"{what}: p99", _quantile(behind, 0.99), BUDGET, "ms", budget, goal=1),
        Row(f"{what}: the last of all", max(behind), BUDGET, "ms", budget, goal=1),
    ]


def _delivered(project: Path, port: int, rate: int, seconds: int, bodies: Path) -> list[float]:
    """Milliseconds from each answer's time to its row's appearance, in one turn."""
    ended = threading.Event()
    seen: list[float] = []
    watcher = threading.Thread(target=_watch, args=(project, ended, seen, rate * seconds))
    watcher.start()
    try:
        _ask(port, rate, seconds, bodies)
    finally:
        ended.set()
        watcher.join()
    return seen


def _watch(project: Path, ended: threading.Event, seen: list[float], wanted: int) -> None:
    """Look for new rows, as another program would that has the file open."""
    where = project / ".modelwright" / "store.db"
    with contextlib.closing(sqlite3.connect(f"file:{where}?mode=ro", uri=True)) as store:
        (last,) = store.execute("SELECT coalesce(max(rowid), 0) FROM mw_predictions").fetchone()
        patience = None
        while len(seen) < wanted:
            new = store.execute(
                "SELECT rowid, time FROM mw_predictions WHERE rowid > ? ORDER BY rowid", (last,)
            ).fetchall()
            now = time.time_ns() / 1e3
            seen += [(now - moment) / 1e3 for _, moment in new]
            last = new[-1][0] if new else last
            if ended.is_set():
                patience = patience or time.monotonic() + _AWAY
                if time.monotonic() > patience:
                    raise SystemExit(f"{wanted - len(seen)} answers did not come to the store.")
            time.sleep(_LOOK)


def _ask(port: int, rate: int, seconds: int, bodies: Path) -> list[float]:
    """Latencies in milliseconds, asked from a core that the server does not use."""
    command = [sys.executable, "-m", "bench.rate", str(port), str(rate), str(CONNECTIONS), str(seconds)]
    ended = subprocess.run(
        [*_on(_cores()[1]), *command, str(bodies)],
        cwd=Path(__file__).resolve().parent.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    if ended.returncode:
        raise SystemExit(ended.stderr)
    found: list[float] = json.loads(ended.stdout)
    return found


def _quantile(values: list[float], share: float) -> float:
    return float(np.quantile(values, share))


@contextlib.contextmanager
def _served(project: Path, *flags: str) -> Iterator[int]:
    """A server of one worker, with all that belongs to it on other cores than the client."""
    port = free_port()
    command = modelwright("serve", project, "--port", str(port), "--workers", "1", *flags)
    with _process([*_off_wrk(), *command], project.parent):
        _wait(port)
        yield port


def _prepare(folder: Path, *projects: Path) -> Path:
    """Train the same project in each folder; a file of bodies that are rows of its data."""
    table, target = _made(5_000)
    for project in projects:
        _write(project, table, target)
        (project / "project.yaml").write_text(
            "name: fraud\ndata: {source: data.csv, target: Class}\ntrain: {candidates: [xgboost]}\n"
        )
        subprocess.run([*modelwright("up", project, "--no-serve", "--quiet")], env=environment(), check=True)
    names = [f"V{place}" for place in range(COLUMNS)]
    bodies = folder / "bodies.json"
    rows = [json.dumps({"features": dict(zip(names, row.tolist(), strict=True))}) for row in table[:1_000]]
    bodies.write_text(json.dumps(rows))
    return bodies


BENCHMARK = Benchmark(
    title="Into the store",
    how=(
        f"One worker with its keeper and monitors, XGBoost on {COLUMNS} named features, a SQLite store, "
        f"asked at a steady rate over {CONNECTIONS} connections by a client on a core of its own; the server "
        "uses the others. From the time that an answer bears to the moment when another process finds its "
        "row, looking every millisecond; all rows of seven turns of 6 s. Then a server with monitors and one "
        "without, turn about; latency counts from when a request was due; medians of seven turns."
    ),
    run=run,
    packages=("modelwright", "uvicorn", "onnxruntime", "sqlalchemy"),
)
