"""The dashboard and the log's search over ten million predictions, on SQLite and PostgreSQL."""

from __future__ import annotations

import asyncio
import importlib
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from sqlalchemy import text
from starlette.applications import Starlette

from bench.rows import Benchmark, Row
from modelwright.serve.dashboard.house import Room
from modelwright.serve.dashboard.routes import dashboard_routes
from modelwright.serve.gate import Gate
from modelwright.store.database import Database
from modelwright.store.engine import SqlStore, open_store
from modelwright.store.records import Spread
from modelwright.store.repositories.summaries import put
from modelwright.store.summaries import HOUR, MINUTE, Counted
from modelwright.store.tables import predictions
from modelwright.testing.factories import version

ROWS = 10_000_000
DAYS = 30
VERSIONS = 10
OVERVIEW_BUDGET = 0.5
SEARCH_BUDGET = 0.2
_REPEATS = 7
_LATENCY_PLACE = 20  # 1 ms: the bound that the made-up latencies keep
_INPUTS = '{"V1":-0.26,"V2":1.13,"V3":-0.97,"V4":0.21,"V5":0.75,"V6":-0.11,"Amount":17982.1}'
_OUTPUTS = '{"prediction":%d,"prediction_name":"%s","confidence":0.97,"probabilities":{"no":0.03,"yes":0.97}}'


def run(folder: Path, quick: bool) -> list[Row]:
    """Fill a store of each kind, and ask."""
    rows = 200_000 if quick else ROWS
    found: list[Row] = []
    for name, url in _databases(folder):
        with closing(open_store(url)) as store:
            print(f"   filling {name} with {rows:,} predictions", flush=True)
            since = fill(store, rows)
            found += _asked(name, store, folder, since)
    return found


def fill(store: SqlStore, rows: int) -> datetime:
    """Put ``rows`` predictions of the last 30 days into the log, with their counts; when they began."""
    database: Database = store._database
    end = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=1)
    since = end - timedelta(days=DAYS)
    start, step = int(since.timestamp()) * 1_000_000, DAYS * 86_400_000_000 // rows
    for number in range(1, VERSIONS + 1):
        store.versions.reserve("bench")
        store.versions.add(version(number, project="bench"))
        store.releases.append("bench", number, reason="a bench", actor="bench")
    lite = database.engine.dialect.name == "sqlite"
    indices = [] if not lite else sorted(predictions.indexes, key=lambda index: str(index.name))
    with database.write() as connection:
        for index in indices:
            index.drop(connection)
        for first in range(0, rows, 1_000_000):
            connection.execute(text(_insert(lite)), {
                "first": first, "last": min(first + 1_000_000, rows) - 1, "start": start, "step": step,
                "each": max(1, rows // VERSIONS), "inputs": _INPUTS,
                "no": _OUTPUTS % (0, "no"), "yes": _OUTPUTS % (1, "yes"),
            })  # fmt: skip
        for index in indices:
            index.create(connection)
        put(database, connection, _counts(rows, start, step))
    with database.engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").execute(text("ANALYZE"))
    return since


def _insert(lite: bool) -> str:
    """Rows numbered ``i``: every 100th is a "yes", every 1,000th was refused, every 200th has a warning."""
    series = (
        "WITH RECURSIVE n(i) AS (SELECT :first UNION ALL SELECT i + 1 FROM n WHERE i < :last) "
        if lite
        else "WITH n AS (SELECT i FROM generate_series(CAST(:first AS bigint), CAST(:last AS bigint)) AS i) "
    )
    id = "printf('%016d', i)" if lite else "lpad(CAST(i AS text), 16, '0')"
    labelled = "i % 50 = 0"
    return (
        f"{series}INSERT INTO mw_predictions (project, id, version, time, status, labelled, inputs, outputs, "
        "warnings, latency, client, protocol, role, answer) "
        f"SELECT 'bench', {id}, 1 + i / :each, :start + i * :step, "
        "CASE WHEN i % 1000 = 0 THEN 400 ELSE 200 END, "
        f"{labelled}, :inputs, CASE WHEN i % 100 = 1 THEN :yes ELSE :no END, "
        "CASE WHEN i % 200 = 0 THEN '[{\"msg\":\"odd\"}]' ELSE '[]' END, "
        "0.00095, 'app', 'predict', 'champion', "
        "CASE WHEN i % 1000 = 0 THEN NULL WHEN i % 100 = 1 THEN 'yes' ELSE 'no' END FROM n"
    )


def _counts(rows: int, start: int, step: int) -> dict[Any, Counted]:
    """What counting these rows gives, had by arithmetic on whole arrays."""
    i = np.arange(rows)
    second = (start + i * step) // 1_000_000
    number = 1 + i // max(1, rows // VERSIONS)
    found: dict[Any, Counted] = {}
    for span in (MINUTE, HOUR):
        begin = second - second % span
        keys, places = np.unique(begin * 1_000 + number, return_inverse=True)
        refused = np.bincount(places, i % 1000 == 0)
        yes = np.bincount(places, (i % 100 == 1) & (i % 1000 != 0))
        warned, every = np.bincount(places, i % 200 == 0), np.bincount(places)
        for at, key in enumerate(keys.tolist()):
            answered, positive = int(every[at] - refused[at]), int(yes[at])
            found["bench", span, key // 1_000, key % 1_000, "champion"] = Counted(
                answered=answered,
                refused=int(refused[at]),
                warned=int(warned[at]),
                seconds=0.00095 * answered,
                latency={_LATENCY_PLACE: answered},
                answers={"": Spread({"no": answered - positive, "yes": positive})},
            )
    return found


def _asked(name: str, store: SqlStore, folder: Path, since: datetime) -> list[Row]:
    """Pages as a browser asks for them, then the log's own questions, each from a warm process."""
    history = store.predictions.history
    late = since + timedelta(days=2)
    deep = history("bench", until=late, limit=1)[0].id
    log: dict[str, Callable[[], object]] = {
        "newest 100 rows": lambda: history("bench", limit=100),
        "100 rows, 28 days back": lambda: history("bench", limit=100, before=deep),
        "100 rows of the oldest version": lambda: history("bench", limit=100, version=1),
        "100 refused rows, 28 days back": lambda: history("bench", limit=100, refused=True, until=late),
        "100 rows answered 'yes', 28 days back": lambda: history(
            "bench", limit=100, answer="yes", until=late
        ),
        "100 unlabelled 'yes' of the oldest version": lambda: history(
            "bench", limit=100, labelled=False, answer="yes", version=1
        ),
        "an answer that nobody gave": lambda: history("bench", limit=100, answer="maybe"),
        "one prediction by its id": lambda: store.predictions.get("bench", deep),
        "ids that begin so": lambda: store.predictions.neighbours("bench", deep[:12]),
    }  # fmt: skip
    found = [
        _row(f"{name}: {_called(path)}", took, OVERVIEW_BUDGET)
        for path, took in _pages(store, folder).items()
    ]
    return found + [_row(f"{name}: {what}", _median(ask), SEARCH_BUDGET) for what, ask in log.items()]


class _House:
    """The dashboard over one store."""

    def __init__(self, store: SqlStore, folder: Path) -> None:
        self.gate = Gate(guard_pages=True)
        self.work_dir = folder
        self.secure, self.most_bytes = False, 1 << 20
        self.stopping: asyncio.Event | None = None
        self._store = store

    def rooms(self) -> list[Room]:
        return [Room("bench", "bench", self.work_dir, "", None)]

    async def call(self, room: Room, function: Any) -> Any:
        del room
        return await asyncio.to_thread(function, self._store)

    def submit(self, ask: object) -> bool:
        del ask
        return False

    def count(self, path: str, status: int, seconds: float) -> None:
        pass


def _pages(store: SqlStore, folder: Path) -> dict[str, float]:
    """Median seconds from the request to the whole page."""
    app = Starlette(routes=[*dashboard_routes(_House(store, folder))])
    ranges = [
        "",
        "?range=24h",
        "?range=7d",
        "?range=90d",
        "/predictions",
        "/predictions?show=refused",
        "/versions",
    ]

    async def ask() -> dict[str, float]:
        found = {}
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app=app), base_url="http://127.0.0.1"
        ) as client:
            for path in ranges:
                took = []
                for _ in range(_REPEATS):
                    begun = time.perf_counter()
                    response = await client.get(f"/dashboard/bench{path}")
                    took.append(time.perf_counter() - begun)
                    assert response.status_code == 200, path
                found[path] = statistics.median(took)
        return found

    return asyncio.run(ask())


def _called(path: str) -> str:
    return f"overview{path}" if path.startswith("?") or not path else path.lstrip("/")


def _median(ask: Callable[[], object]) -> float:
    took = []
    for _ in range(_REPEATS):
        begun = time.perf_counter()
        ask()
        took.append(time.perf_counter() - begun)
    return statistics.median(took)


def _row(what: str, took: float, budget: float) -> Row:
    return Row(what, took * 1e3, budget * 1e3, "ms", "the budget", goal=1.0)


def _databases(folder: Path) -> Iterator[tuple[str, str]]:
    yield "SQLite", f"sqlite:///{folder / 'history.db'}"
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
    servers: Any = importlib.import_module("servers")  # the tests' own, which start PostgreSQL
    programs = servers.postgres_programs()
    if programs is None:
        print("   PostgreSQL's server programs are not installed; it is left out", flush=True)
        return
    with servers.PostgresServer(programs) as server:
        yield "PostgreSQL", server.create_database()


BENCHMARK = Benchmark(
    title="The dashboard over ten million predictions",
    how="Medians of seven, warm process, 10 million predictions of 30 days and ten versions in the log; a "
    "page from its request to its last byte, without a network. Every hundredth row is of the class that is "
    "searched for.",
    run=run,
    packages=("sqlalchemy", "jinja2"),
)
