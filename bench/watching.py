"""What watching costs a server: five dashboards open, a scrape each second, and an answer explained."""

from __future__ import annotations

import contextlib
import http.client
import shutil
import statistics
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from bench.rows import Benchmark, Row
from bench.serve import Load, load, make_iris, served
from bench.serve import _helpers as helpers

DASHBOARDS = 5
GOAL = 0.95
CONNECTIONS = 32


def run(folder: Path, quick: bool) -> list[Row]:
    """Turn about, so that what else the machine does meets both."""
    if shutil.which("wrk") is None:
        raise SystemExit("This benchmark needs wrk (apt-get install wrk).")
    seconds, turns = (2, 1) if quick else (6, 7)
    case = make_iris(folder / "iris")
    alone: list[Load] = []
    watched: list[Load] = []
    parts = 0
    with served(case) as (port, pids):
        with watchers(port, case.project):  # the first page loads the templates and the store
            time.sleep(3)
        load(port, pids, case.script, CONNECTIONS, 1)
        for _ in range(turns):
            alone.append(load(port, pids, case.script, CONNECTIONS, seconds))
            with watchers(port, case.project) as seen:
                watched.append(load(port, pids, case.script, CONNECTIONS, seconds))
            parts += sum(seen)
    if not parts:
        raise SystemExit("No dashboard was sent anything, so nothing was measured.")
    return [
        _row("Requests answered, watched", watched, alone, "per_second", "requests/s", goal=GOAL, more=True),
        _row("Processor time of the worker, watched", watched, alone, "cpu", "µs/request"),
        _row("p99, watched", watched, alone, "p99", "ms"),
        Row("Parts of pages sent meanwhile", parts / (turns * seconds * DASHBOARDS), 0.5, "1/s", "a beat"),
        Row("An answer explained, 30 features", 1e3 * _explained(folder), 50.0, "ms", "the budget", goal=1),
    ]


def _explained(folder: Path) -> float:
    """Median seconds of one explanation."""
    import numpy as np
    import xgboost

    from modelwright.bundle.explain import explain
    from modelwright.bundle.read import open_bundle

    names = [f"V{place}" for place in range(30)]
    random = np.random.default_rng(0)
    matrix = random.normal(size=(4_000, 30))
    target = (matrix[:, 0] + matrix[:, 1] * matrix[:, 2] > 0).astype(int)
    model = xgboost.XGBClassifier(n_estimators=100, max_depth=6, n_jobs=1)
    helpers().write_numeric_bundle(folder / "explained", model, names, matrix, target, labels=(0, 1))
    bundle = open_bundle(folder / "explained")
    background = bundle.background("model")
    assert background is not None
    row = bundle.rows.read([dict(zip(names, matrix[7].tolist(), strict=True))]).columns
    took = []
    for _ in range(15):
        begun = time.perf_counter()
        explain(bundle.models[0], row, background)
        took.append(time.perf_counter() - begun)
    return statistics.median(took)


@contextlib.contextmanager
def watchers(port: int, project: str) -> Iterator[list[int]]:
    """Five open pages, and a scraper; how many parts each page was sent."""
    ended = threading.Event()
    seen = [0] * DASHBOARDS
    threads = [
        threading.Thread(target=_follow, args=(port, project, ended, seen, place), daemon=True)
        for place in range(DASHBOARDS)
    ]
    threads.append(threading.Thread(target=_scrape, args=(port, ended), daemon=True))
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        ended.set()
        for thread in threads:
            thread.join(5)


def _follow(port: int, project: str, ended: threading.Event, seen: list[int], place: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("GET", f"/dashboard/{project}/live", headers={"accept": "text/event-stream"})
    response = connection.getresponse()
    while not ended.is_set():
        with contextlib.suppress(TimeoutError):
            seen[place] += response.readline().startswith(b"event: parts")
    connection.close()


def _scrape(port: int, ended: threading.Event) -> None:
    while not ended.wait(1.0):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        connection.request("GET", "/prometheus_metrics")
        connection.getresponse().read()
        connection.close()


def _row(
    what: str,
    watched: list[Load],
    alone: list[Load],
    figure: str,
    unit: str,
    *,
    goal: float | None = None,
    more: bool = False,
) -> Row:
    value, reference = (
        statistics.median(getattr(each, figure) for each in side) for side in (watched, alone)
    )
    return Row(what, value, reference, unit, "nobody watching", goal=goal, more_is_better=more)


BENCHMARK = Benchmark(
    title="Watching",
    how=f"One worker on a core of its own, iris forest of 100 trees, {CONNECTIONS} connections, with and "
    f"without {DASHBOARDS} open overviews and a scrape of the metrics each second, turn about; medians of "
    "seven. Explained is one answer of XGBoost (100 trees of depth 6, 30 features, 64 reference rows).",
    run=run,
    packages=("jinja2", "uvicorn", "onnxruntime"),
)
