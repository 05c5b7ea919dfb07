"""``modelwright.serve.asgi:app``: the application for any ASGI server, and for adapters to AWS Lambda.

::

    MODELWRIGHT_BUNDLE=/opt/model uvicorn modelwright.serve.asgi:app

There is no supervisor here and no keeper beside: the bundle is that of the environment, and what a
request put into the journal is delivered into the store before its answer leaves (or, with
``MODELWRIGHT_DELIVER=later``, by whoever calls ``deliver``), because such a process may be frozen the
moment after.
"""

from __future__ import annotations

import asyncio
import logging
import os
import tempfile
import time
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelwright.errors import ExitCode, ModelwrightError
from modelwright.project.settings import resolve
from modelwright.serve.app import build_app
from modelwright.serve.deployment import Deployment
from modelwright.serve.engine import Engine
from modelwright.serve.gate import open_gate
from modelwright.serve.ids import IdMaker
from modelwright.serve.journal.writer import JournalWriter
from modelwright.serve.live import Assigned
from modelwright.serve.metrics.meter import BoardMeter
from modelwright.serve.online import LOOK, Online
from modelwright.serve.plan import bundle_target, serve_settings
from modelwright.serve.projects import Projects
from modelwright.serve.repeats import Repeats
from modelwright.serve.settings import ServeSettings
from modelwright.serve.site import Site
from modelwright.serve.store_access import StoreAccess
from modelwright.serve.tracing import Tracer, open_tracer

if TYPE_CHECKING:
    from modelwright.serve.keeping.delivery import Delivery
    from modelwright.serve.keeping.stores import Stores

logger = logging.getLogger(__name__)
_LOCK_TRIES, _LOCK_PAUSE = 200, 0.01
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

BUNDLE = "MODELWRIGHT_BUNDLE"
DELIVER = "MODELWRIGHT_DELIVER"


class NoBundleNamed(ModelwrightError):
    """The environment does not say which bundle to serve."""

    code = ExitCode.PROJECT

    def __init__(self) -> None:
        super().__init__(
            f"{BUNDLE} is not set.", f"Set {BUNDLE} to the folders of bundles, a ':' between them."
        )


class Application:
    """An ASGI application that opens its bundles with its first request, or at the server's start-up.

    Args:
        settings: How to serve; by default as the environment says.
        deliver: Deliver the log before an answer leaves.
    """

    def __init__(self, settings: ServeSettings | None = None, *, deliver: bool | None = None) -> None:
        self._given = settings
        self._deliver = os.environ.get(DELIVER, "now") == "now" if deliver is None else deliver
        self._app: Any = None
        self._tracer: Tracer | None = None
        self._site: Site | None = None
        self._online: Online | None = None
        self._courier: _Courier | None = None
        self._opening: asyncio.Lock | None = None
        self._delivering: asyncio.Lock | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        await self.open()
        await self._look()
        if scope["type"] != "http" or not self._deliver or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        held: list[MutableMapping[str, Any]] = []

        async def hold(message: MutableMapping[str, Any]) -> None:
            held.append(message)

        await self._app(scope, receive, hold)
        await self.deliver()
        for message in held:
            await send(message)

    async def open(self) -> None:
        """Verify, load and warm up the bundles, once.

        Raises:
            ModelwrightError: One of them cannot be served.
        """
        if self._opening is None:
            self._opening = asyncio.Lock()
            self._delivering = asyncio.Lock()
        async with self._opening:
            if self._app is None:
                self._site = await asyncio.to_thread(_open_site, self._given)
                self._courier = _Courier(self._site.settings)
                self._online = Online(self._site.store)
                app = build_app(self._site)
                self._tracer = open_tracer() if self._site.settings.traces else None
                self._app = app if self._tracer is None else self._tracer.around(app)

    async def deliver(self) -> None:
        """Bring the journal into the store; with the database away it stays where it is."""
        courier = self._courier
        if courier is None or self._delivering is None:
            return
        async with self._delivering:
            await asyncio.to_thread(courier.deliver)

    async def close(self) -> None:
        """Deliver what there is and give everything back."""
        await self.deliver()
        if self._site is not None and self._courier is not None:
            self._courier.close()
            if self._tracer is not None:
                self._tracer.close()
            self._site.gate.close()
            self._site.store.close()
            self._site.engine.journal.close()

    async def _look(self) -> None:
        """Take new online features: nothing goes on here between requests, so it is done with them."""
        if self._site is not None and self._online is not None:
            deployments = list(self._site.engine.deployments.values())
            await self._online.refresh(deployments, at_most_every=LOOK)

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                try:
                    await self.open()
                except ModelwrightError as error:
                    await send({"type": "lifespan.startup.failed", "message": str(error)})
                    return
                await send({"type": "lifespan.startup.complete"})
            else:
                await self.close()
                await send({"type": "lifespan.shutdown.complete"})
                return


def _open_site(given: ServeSettings | None) -> Site:
    settings = given or _settings_of_environment()
    run_dir = Path(tempfile.mkdtemp(prefix="modelwright-run-"))
    journal = JournalWriter(settings.journals / f"asgi-{IdMaker()()}", sync=settings.sync)
    journal.probe()
    store = StoreAccess(settings.store_url, settings.store_urls)
    meter = BoardMeter(run_dir, 0)
    engine = Engine(journal, meter, guard=Repeats(settings.journals, store), max_rows=settings.limits.rows)
    for number, target in enumerate(settings.targets, 1):
        assigned = Assigned(
            name=target.name, project=target.project, version=target.version, bundle=target.bundle
        )
        deployment = Deployment.open(assigned, number)
        journal.declare(deployment.context)
        engine.deployments[target.name] = deployment
    return Site(
        settings=settings,
        engine=engine,
        meter=meter,
        store=store,
        gate=open_gate(settings, run_dir),
        run_dir=run_dir,
        projects=Projects(settings.targets),
    )


def _settings_of_environment() -> ServeSettings:
    named = [Path(part) for part in os.environ.get(BUNDLE, "").split(os.pathsep) if part]
    if not named:
        raise NoBundleNamed
    # Whoever hosts the application decides where it listens, so what it may be asked is theirs to guard.
    return serve_settings([bundle_target(path) for path in named], resolve(), insecure=True)


class _Courier:
    """Brings journals into the store, with stores that stay open while it can be used."""

    def __init__(self, settings: ServeSettings) -> None:
        self._settings = settings
        self._stores: Stores | None = None

    def deliver(self) -> None:
        """Deliver all there is; with the database away it stays where it is."""
        # Imported here: SQLAlchemy takes its time, and a process that delivers later may never need it.
        from modelwright.serve.keeping.delivery import Delivery
        from modelwright.serve.keeping.stores import Stores
        from modelwright.store.errors import StoreUnavailable

        try:
            if self._stores is None:
                self._stores = Stores(self._settings.store_url, self._settings.store_urls)
            delivery = Delivery(self._settings.journals, self._stores, self._settings.request_logs)
            try:
                _await_lock(delivery)
                while delivery.run_once():
                    pass
            finally:
                delivery.close()
        except StoreUnavailable as error:
            logger.warning("The log waits in the journal: %s", error)
            self.close()

    def close(self) -> None:
        """Give the store back."""
        if self._stores is not None:
            self._stores.close()
            self._stores = None


def _await_lock(delivery: Delivery) -> None:
    """Wait while another process delivers; to deliver the same twice does no harm."""
    for _ in range(_LOCK_TRIES):
        if delivery.holds_lock():
            return
        time.sleep(_LOCK_PAUSE)


app = Application()
"""The application as the environment says."""
