"""How long one request with words and a picture takes."""

from __future__ import annotations

import base64
import csv
import http.client
import json
import os
import shutil
import statistics
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from bench.processes import environment, free_port, modelwright, on_cores
from bench.products import DATA
from bench.rows import Benchmark, Row

EXAMPLE = Path(__file__).parents[1] / "examples" / "products" / "project.yaml"
REQUESTS = 300
BUDGET_MS = 15.0


def run(folder: Path, quick: bool) -> list[Row]:
    """Train on a real catalogue, serve, and ask."""
    p50, busy = request_milliseconds(folder, 20 if quick else REQUESTS)
    return [
        Row("one request with a picture of 128 pixels, p50", p50, BUDGET_MS, "ms", "the budget", goal=1),
        Row("its processor time", busy, BUDGET_MS, "ms", "the budget"),
    ]


def request_milliseconds(folder: Path, requests: int) -> tuple[float, float]:
    """Single requests, each with words and another picture, to one worker on one core.

    Returns:
        The median of their times, and the processor time of each in all of the server's processes.
    """
    source = DATA / "flipkart" / "products.csv"
    project = folder / "products"
    project.mkdir()
    shutil.copy(EXAMPLE, project)
    train = modelwright("train", project, "--data", source, "--quiet")
    subprocess.run(train, check=True, env=environment())
    with source.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))[:requests]
    bodies = [json.dumps(_row(row, source.parent)).encode() for row in rows]
    port = free_port()
    with on_cores(1):
        server = subprocess.Popen(
            modelwright("serve", project, "--port", str(port), "--workers", "1", "--no-retrain"),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment(),
        )  # fmt: skip
    try:
        times = list(_times(port, bodies))
        busy = _processor_seconds(server.pid)
        times += _times(port, bodies)
        busy = _processor_seconds(server.pid) - busy
        return statistics.median(times), busy / len(bodies) * 1000
    finally:
        server.terminate()
        server.wait(timeout=30)


def _row(row: dict[str, str], folder: Path) -> dict[str, str]:
    image = base64.b64encode((folder / row["image"]).read_bytes()).decode()
    return {"product_name": row["product_name"], "description": row["description"], "image": image}


def _times(port: int, bodies: list[bytes]) -> Iterator[float]:
    """Milliseconds of each request, over one connection, once the server is ready."""
    deadline = time.monotonic() + 60
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        try:
            _ask(connection, bodies[0])
            break
        except (OSError, http.client.HTTPException):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
    for body in bodies[1:]:
        begun = time.perf_counter()
        _ask(connection, body)
        yield (time.perf_counter() - begun) * 1000


def _ask(connection: http.client.HTTPConnection, body: bytes) -> None:
    connection.request("POST", "/predict", body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    content = answer.read()
    if answer.status != 200:
        raise SystemExit(f"{answer.status}: {content[:500]!r}")


def _processor_seconds(pid: int) -> float:
    """Processor time of a process and its living descendants."""
    parents: dict[int, list[int]] = {}
    used: dict[int, float] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:  # it ended meanwhile
            continue
        own = int(stat.parent.name)
        parents.setdefault(int(fields[1]), []).append(own)
        used[own] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    total, waiting = 0.0, [pid]
    while waiting:
        one = waiting.pop()
        total += used.get(one, 0.0)
        waiting += parents.get(one, [])
    return total


HOW = """\
Name, description and a picture of 128 pixels (base64 in JSON), 300 different products of a real catalogue,
one after the other over one connection, to the products example trained on it: one worker, its server on
one core, with validation, log and metrics on. Processor time is that of all of the server's processes, for
each request."""
BENCHMARK = Benchmark(
    title="A request with a picture", how=HOW, run=run, packages=("onnxruntime", "pillow", "uvicorn")
)
