"""A worker: one event loop, one journal, the bundles that are live, and nothing of the store in the way."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import signal
import socket
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import uvicorn

from modelwright.errors import ModelwrightError
from modelwright.serve.app import build_app
from modelwright.serve.engine import Engine
from modelwright.serve.gate import open_gate
from modelwright.serve.ids import IdMaker
from modelwright.serve.journal.writer import JournalWriter
from modelwright.serve.lane import Lane, LaneProtocol, sweep
from modelwright.serve.live import LiveFile
from modelwright.serve.metrics.meter import BoardMeter
from modelwright.serve.online import Online
from modelwright.serve.priority import prefer_short_turns
from modelwright.serve.processes import announce
from modelwright.serve.projects import Projects
from modelwright.serve.repeats import Repeats
from modelwright.serve.settings import Child, ServeSettings, Word
from modelwright.serve.site import Site
from modelwright.serve.store_access import StoreAccess
from modelwright.serve.swap import Swapper
from modelwright.serve.tracing import open_tracer
from modelwright.serve.wires import hot_routes

logger = logging.getLogger(__name__)
_LOOK = 0.1  # seconds between looks at what is live
_FIRST_LOOK = 0.01
# Requests are freed by counting; looking for cycles among those of a turn took a twelfth of the lane's time.
_GARBAGE = 10_000


class QuietServer(uvicorn.Server):
    """uvicorn's server, with signals left to the worker."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


def run_worker(child: Child, tell: Callable[[Word], None]) -> int:
    """Serve until told to stop."""
    import uvloop

    prefer_short_turns()
    try:
        return uvloop.run(_work(child, tell))
    except ModelwrightError as error:
        tell(Word.failed(error))
        return int(error.code)


async def _work(child: Child, tell: Callable[[Word], None]) -> int:
    settings = child.settings
    stop = asyncio.Event()
    again = asyncio.Event()
    _listen_to(child, stop, again)
    journal = JournalWriter(settings.journals / f"{child.slot:02d}-{IdMaker()()}", sync=settings.sync)
    journal.probe()
    meter = BoardMeter(Path(child.run_dir), child.slot)
    announce(Path(child.run_dir), "worker", child.slot)
    store = StoreAccess(settings.store_url, settings.store_urls)
    repeats = Repeats(settings.journals, store)
    engine = Engine(journal, meter, guard=repeats, max_rows=settings.limits.rows)
    gate = await asyncio.to_thread(open_gate, settings, Path(child.run_dir))
    tracer = open_tracer() if settings.traces else None
    lane = Lane(engine, settings.limits, gate, tracer)
    site = Site(
        settings=settings,
        engine=engine,
        meter=meter,
        store=store,
        gate=gate,
        run_dir=Path(child.run_dir),
        stopping=stop,
        projects=Projects(settings.targets),
    )
    online = Online(store)

    def changed() -> None:
        lane.routes.update(hot_routes(engine.deployments, sagemaker=settings.sagemaker))
        online.supply(engine.deployments.values())

    swapper = Swapper(engine, journal, on_change=changed)
    live = LiveFile(child.live)
    if not await _first_load(live, swapper, stop):
        return 0
    await online.refresh(list(engine.deployments.values()))
    gc.collect()
    gc.freeze()
    gc.set_threshold(_GARBAGE, 10, 10)
    server = _server(child, site, lane)
    serving = asyncio.create_task(server.serve(sockets=[socket.socket(fileno=os.dup(child.listener))]))
    watching = asyncio.create_task(_watch(live, swapper, again))
    sweeping = asyncio.create_task(_sweep(lane, server))
    refreshing = asyncio.create_task(online.keep_fresh(engine.deployments))
    while not server.started and not serving.done():
        await asyncio.sleep(0.001)
    tell(_ready(engine))
    warming = asyncio.create_task(_warm_up(repeats, [target.project for target in settings.targets]))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    server.should_exit = True
    await serving
    for task in (watching, sweeping, refreshing, warming, stopping):
        task.cancel()
    gate.close()
    if tracer is not None:
        tracer.close()
    store.close()
    journal.close()
    return 0


def _ready(engine: Engine) -> Word:
    versions = {name: each.version for name, each in engine.deployments.items()}
    return Word(state="ready", versions=versions, bundle=engine.find("").assigned.bundle)


def _listen_to(child: Child, stop: asyncio.Event, again: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    loop.add_signal_handler(signal.SIGINT, lambda: None)
    loop.add_signal_handler(signal.SIGHUP, again.set)
    loop.add_reader(child.life, stop.set)


def _server(child: Child, site: Site, lane: Lane) -> QuietServer:
    settings = child.settings
    protocol = type("WorkerLane", (LaneProtocol,), {"lane": lane})
    app = build_app(site)
    config = uvicorn.Config(
        app if lane.tracer is None else lane.tracer.around(app),
        http=protocol,
        ws="none",
        loop="uvloop",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        headers=_headers(settings),
        ssl_certfile=settings.certificate or None,
        ssl_keyfile=settings.private_key or None,
        proxy_headers=False,
        limit_concurrency=settings.limits.connections,
        timeout_graceful_shutdown=int(settings.drain_seconds),
    )
    return QuietServer(config)


def _headers(settings: ServeSettings) -> list[tuple[str, str]]:
    """What every answer says, in the lane and beside it."""
    headers = [("x-content-type-options", "nosniff"), ("cache-control", "no-store")]
    if settings.certificate and settings.hsts:
        headers.append(("strict-transport-security", f"max-age={settings.hsts}"))
    return headers


async def _first_load(live: LiveFile, swapper: Swapper, stop: asyncio.Event) -> bool:
    """Wait for the first word of what is live and load it; false if stopped before."""
    while not stop.is_set():
        assigned = live.changed()
        if assigned is not None:
            await swapper.take_first(assigned)
            return True
        await asyncio.sleep(_FIRST_LOOK)
    return False


async def _warm_up(repeats: Repeats, projects: Iterable[str]) -> None:
    """Import and open what requests with an id of their own need; a first answer does not wait for it."""
    await repeats.warm_up(projects)
    gc.freeze()  # else every full collection would go through all of SQLAlchemy, ten milliseconds or more


async def _watch(live: LiveFile, swapper: Swapper, again: asyncio.Event) -> None:
    while True:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(again.wait(), _LOOK)
        if again.is_set():
            again.clear()
            swapper.forgive()
        try:
            assigned = live.changed()
            if assigned is not None:
                await swapper.take(assigned)
        except (OSError, ModelwrightError, ValueError) as error:
            logger.error("What is live cannot be read: %s", error)


async def _sweep(lane: Lane, server: uvicorn.Server) -> None:
    loop = asyncio.get_running_loop()
    start = loop.time()
    while True:
        await asyncio.sleep(0.5)
        sweep(lane, server.server_state.connections, loop.time() - start)
