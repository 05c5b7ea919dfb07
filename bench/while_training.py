"""What answering costs while the service retrains beside it, and how fast a promotion is taken back."""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from bench.processes import environment, free_port, modelwright
from bench.rows import Benchmark, Row
from bench.serve import Load, _children, _cores, _listens, _on, _process, _wait, load, script

COLUMNS = 29
NEW = 200
CONNECTIONS = 8


def run(folder: Path, quick: bool) -> list[Row]:
    """Ask a server with and without a training beside it, then take the new version back."""
    if shutil.which("wrk") is None:
        raise SystemExit("This benchmark needs wrk (apt-get install wrk).")
    rows, seconds, turns = (4_000, 1, 1) if quick else (60_000, 3, 4)
    project = folder / "fraud"
    table, target = _made(rows + NEW)
    _write(project, table[:rows], target[:rows])
    begun = time.perf_counter()
    subprocess.run([*modelwright("up", project, "--no-serve", "--quiet")], env=environment(), check=True)
    alone = time.perf_counter() - begun
    port = free_port()
    lua = script(folder / "bodies.lua", [{"features": row.tolist()} for row in table[:1_000]], "/predict")
    command = [*_off_wrk(), *modelwright("serve", project, "--port", str(port), "--workers", "1")]
    with _process(command, folder) as process:
        _wait(port)
        time.sleep(2.0)
        workers = [pid for pid in _children(process.pid) if _listens(pid)]

        def measured() -> Load:
            return load(port, workers, lua, CONNECTIONS, seconds)

        quiet = [measured() for _ in range(turns)]
        begun = time.perf_counter()
        beside = _while_training(project, port, table[rows:], target[rows:], measured)
        took = time.perf_counter() - begun
        quiet += [measured() for _ in range(turns)]
        back = _rollback(project, port)
    return [
        Row("p99 while training", _p99(beside), _p99(quiet), "ms", "without a training", goal=1.5),
        Row("p50 while training", _p50(beside), _p50(quiet), "ms", "without a training"),
        Row(
            "Requests while training",
            statistics.median(each.per_second for each in beside),
            statistics.median(each.per_second for each in quiet),
            "requests/s",
            "without a training",
            more_is_better=True,
        ),
        Row("The training, with its duel", took, alone, "s", "`modelwright up` of the rows, nobody asking"),
        *back,
    ]


def _off_wrk() -> list[str]:
    """Keeps a command and what it starts from wrk's core: clients do not compute where a server trains."""
    theirs = _cores()[1]
    others = sorted(os.sched_getaffinity(0) - {theirs})
    return _on(*(others or [theirs]))


def _while_training(
    project: Path, port: int, rows: np.ndarray, target: np.ndarray, measured: Callable[[], Load]
) -> list[Load]:
    """What wrk saw from the training's beginning to its end."""
    samples = [
        {"features": row.tolist(), "target": int(truth)} for row, truth in zip(rows, target, strict=True)
    ]
    _post(port, "add_training_data", {"samples": samples})
    _post(port, "trigger_retrain", {"reason": "the benchmark"})
    while _state(project) == "queued":
        time.sleep(0.1)
    found = []
    while _state(project) == "training":
        found.append(measured())
    if _state(project) not in {"judged", "promoted", "rejected"}:
        raise SystemExit(f"The training ended as {_state(project)}.")
    return found


def _rollback(project: Path, port: int) -> list[Row]:
    """Seconds of the command, and until the server's answers come from the former version."""
    while _state(project) == "judged":
        time.sleep(0.2)
    if _version(port) != 2:
        subprocess.run([*modelwright("promote", "2", "-p", project)], env=environment(), check=True)
        while _version(port) != 2:
            time.sleep(0.02)
    begun = time.perf_counter()
    subprocess.run([*modelwright("rollback", "-p", project)], env=environment(), check=True)
    command = time.perf_counter() - begun
    while _version(port) != 1:
        time.sleep(0.005)
    took = time.perf_counter() - begun
    return [
        Row("`modelwright rollback`", command, 2.0, "s", "the budget", goal=1),
        Row("`modelwright rollback` until it answers", took, 2.0, "s", "the budget", goal=1),
    ]


def _p99(loads: list[Load]) -> float:
    return statistics.median(each.p99 for each in loads)


def _p50(loads: list[Load]) -> float:
    return statistics.median(each.p50 for each in loads)


def _state(project: Path) -> str:
    said = subprocess.run(
        [*modelwright("jobs", project, "--json")], env=environment(), check=True, capture_output=True
    ).stdout
    return str(json.loads(said)[0]["state"])


def _version(port: int) -> int:
    return int(_post(port, "predict", {"features": [0.1] * COLUMNS})["model_version"])


def _post(port: int, path: str, body: dict[str, Any]) -> dict[str, Any]:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/{path}", json.dumps(body).encode(), {"content-type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        found: dict[str, Any] = json.loads(answer.read())
    return found


def _made(rows: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    target = random.integers(0, 2, rows)
    shift = np.linspace(0.8, 0.0, COLUMNS)
    return (random.normal(size=(rows, COLUMNS)) + target[:, None] * shift).round(6), target


def _write(project: Path, table: np.ndarray, target: np.ndarray) -> None:
    project.mkdir()
    head = ",".join([*(f"V{place}" for place in range(COLUMNS)), "Class"])
    np.savetxt(
        project / "data.csv",
        np.column_stack([table, target]),
        delimiter=",",
        header=head,
        comments="",
        fmt="%.6g",
    )
    (project / "project.yaml").write_text(
        "name: fraud\ndata: {source: data.csv, target: Class}\n"
        "train:\n  candidates: [logistic_regression, {random_forest: {n_estimators: 100}}, xgboost]\n"
        "retrain: {proof: not_worse, cooldown: 1s}\n"
    )


BENCHMARK = Benchmark(
    title="Serving while training",
    how=(
        "60,000 rows of 29 numbers; logistic regression, a random forest and XGBoost are retrained by the "
        "server's own keeper while wrk asks the server over 8 connections with 1,000 different bodies. wrk "
        "has a core of its own; the server and all that it starts, its training too, share the others. "
        "Medians of turns of 3 s: all that fell into the training, against four before and four after it. "
        "Then the new version is taken back."
    ),
    run=run,
    packages=("modelwright", "onnxruntime", "scikit-learn", "xgboost-cpu"),
)
