"""A hundred thousand generated bodies for each protocol, then an hour's worth of ordinary requests.

No failure, no hang, no growth of memory.
"""

from __future__ import annotations

import asyncio
import importlib
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bench.bodies import PROTOCOLS, Bodies, Body
from bench.rows import Benchmark, Row
from bench.serve import load, script

TESTS = Path(__file__).resolve().parent.parent / "tests"
COUNT = 100_000
HOUR = 3600 * 500  # an hour at 500 requests a second, as fast as they are answered
PART = 10  # seconds of load between looks
KEPT = 100_000
CONNECTIONS = 8
PATIENCE = 10.0


@dataclass
class Seen:
    """What came back.

    Attributes:
        statuses: How often each.
        failures: Bodies that were answered 5xx, or not at all.
        slowest: Seconds.
    """

    statuses: Counter[int] = field(default_factory=Counter)
    failures: list[tuple[Body, int, bytes]] = field(default_factory=list)
    slowest: float = 0.0


async def post_all(url: str, bodies: Iterator[Body], connections: int = CONNECTIONS) -> Seen:
    """Post bodies over a few connections, each one after the other."""
    seen = Seen()
    host, port = urlsplit(url).hostname, urlsplit(url).port

    async def client() -> None:
        reader, writer = await asyncio.open_connection(host, port)
        for body in bodies:
            start = time.monotonic()
            writer.write(body.request())
            try:
                status, content, stays = await asyncio.wait_for(_response(reader), PATIENCE)
            except (OSError, EOFError, TimeoutError) as error:
                status, content, stays = 0, repr(error).encode(), False
            seen.statuses[status] += 1
            if status == 0 or status >= 500:
                seen.failures.append((body, status, content))
            seen.slowest = max(seen.slowest, time.monotonic() - start)
            if not stays:
                writer.close()
                reader, writer = await asyncio.open_connection(host, port)
        writer.close()

    async with asyncio.TaskGroup() as group:
        for _ in range(connections):
            group.create_task(client())
    return seen


async def _response(reader: asyncio.StreamReader) -> tuple[int, bytes, bool]:
    head = await reader.readuntil(b"\r\n\r\n")
    lower = head.lower()
    _, _, rest = lower.partition(b"content-length: ")
    content = await reader.readexactly(int(rest.split(b"\r\n", 1)[0]))
    return int(head.split(b" ", 2)[1]), content, b"connection: close" not in lower


def columns_of(table: Any) -> dict[str, list[Any]]:
    """Values of each column of a table of column arrays, as JSON has them."""
    found: dict[str, list[Any]] = {}
    for name, values in table.columns.items():
        shown = [None if value != value or value == "" else value for value in values[:40].tolist()]
        found[name] = shown
    return found


def run(folder: Path, quick: bool) -> list[Row]:
    """Serve a model of numbers, categories and text, and ask it."""
    bundles, serving = _helpers()
    table = bundles.make_table(300, text=True)
    work_dir = folder / ".modelwright"
    manifest = bundles.write_bundle(
        work_dir / "bundles" / "v1", bundles.contents_of(bundles.fit_tree(table), project="mixed")
    )
    (folder / "project.yaml").write_text("name: mixed\ndata: {source: data.csv, target: kind}\n")
    serving.release(work_dir, 1, manifest)
    rows = []
    with serving.Server("--workers", "1", "--keep-rows", str(KEPT), cwd=folder) as server:
        (worker,) = server.children("worker")
        for seed, protocol in enumerate(PROTOCOLS):
            rows += _fuzz(server.url, worker, Bodies(columns_of(table), "mixed", seed=seed), protocol, quick)
        rows += _hour(server, folder, columns_of(table), quick)
        assert server.stop() == 0
        assert "Traceback" not in server.log.read_text()
    return rows


def _fuzz(url: str, worker: int, source: Bodies, protocol: str, quick: bool) -> list[Row]:
    count = COUNT // 100 if quick else COUNT
    first = count // 5
    warming = asyncio.run(post_all(url, source.of(protocol, first)))
    before = _resident(worker)
    start = time.monotonic()
    seen = asyncio.run(post_all(url, source.of(protocol, count - first)))
    seconds = time.monotonic() - start
    after = _resident(worker)
    print(f"  {protocol}: {dict(sorted(seen.statuses.items()))}, {count / seconds:,.0f} a second")
    failures = warming.failures + seen.failures
    for body, status, content in failures[:5]:
        print(f"  FAILED {status} {content[:300]!r}\n    {body.path} {body.headers} {body.content[:500]!r}")
    what = f"{count:,} generated bodies for {protocol}"
    return [
        Row(
            f"{what}: answered 5xx or not at all",
            len(failures),
            count,
            "requests",
            "all",
            0.0,
        ),
        Row(f"{what}: slowest answer", seen.slowest, 1.0, "s", "a second", 1.0),
        Row(f"{what}: memory at the end", after, before, "MiB", "after the first fifth", 1.15),
    ]


def _hour(server: Any, folder: Path, columns: dict[str, list[Any]], quick: bool) -> list[Row]:
    """Ordinary rows by wrk, every one answered; worker and keeper, which also prunes, stay as they are."""
    count = HOUR // 100 if quick else HOUR
    bodies = [
        {
            "features": {
                name: values[(turn + shift) % len(values)]
                for shift, (name, values) in enumerate(columns.items())
            }
        }
        for turn in range(1000)
    ]
    asked = script(folder / "hour.lua", bodies, "/predict")
    pids = {"worker": server.children("worker")[0], "keeper": server.children("keeper")[0]}
    port = urlsplit(server.url).port or 0
    before: dict[str, float] = {}
    answered = 0.0
    slowest = 0.0
    while answered < count:
        part = load(port, [pids["worker"]], asked, 32, 1 if quick else PART)
        answered += part.per_second * (1 if quick else PART)
        slowest = max(slowest, part.p99)
        if not before and answered >= count / 5:
            before = {role: _resident(pid) for role, pid in pids.items()}
    print(f"  an hour's worth: {answered:,.0f} requests, p99 at most {slowest:,.1f} ms")
    what = f"{count:,} ordinary requests"
    return [
        Row(
            f"{what}: memory of the {role} at the end",
            _resident(pid),
            before[role],
            "MiB",
            "after the first fifth",
            1.15,
        )
        for role, pid in pids.items()
    ]


def _resident(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def _helpers() -> Any:
    """The tests' helpers that make bundles and servers."""
    sys.path.insert(0, str(TESTS))
    try:
        return importlib.import_module("bundles"), importlib.import_module("serving")
    finally:
        sys.path.remove(str(TESTS))


BENCHMARK = Benchmark(
    title="Generated bodies",
    how=(
        "Bodies of each protocol from a seed, right, nearly right and spoilt, one worker, eight connections, "
        "a model of numbers, categories and text; then an hour's worth of ordinary rows (at 500 a second, as "
        "fast as they are answered) by wrk, while the keeper keeps 100,000 predictions and prunes others. "
        "Memory is the resident set, after the first fifth and at the end."
    ),
    run=run,
    packages=("modelwright", "uvicorn", "httptools", "msgspec", "onnxruntime"),
)
