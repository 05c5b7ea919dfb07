"""A dashboard by itself: every project of a machine, out of their stores, without a server of theirs."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import uvicorn
from starlette.applications import Starlette

from modelwright.serve.asks import Ask
from modelwright.serve.dashboard.house import Room
from modelwright.serve.dashboard.routes import dashboard_routes
from modelwright.serve.errors import CannotListen
from modelwright.serve.gate import Gate
from modelwright.serve.store_access import StoreAccess

if TYPE_CHECKING:
    from modelwright.store.ports import Store

T = TypeVar("T")
_MOST_BYTES = 32 << 20


@dataclass(frozen=True, slots=True)
class Shown:
    """A project to be shown.

    Attributes:
        name: Its own name.
        file: Its project file.
        work_dir: Where its store, bundles and reports are.
        store_url: Its store; may hold a password.
    """

    name: str
    file: Path
    work_dir: Path
    store_url: str


class Machine:
    """The house of a machine's projects. Nothing answers here: what is tried needs a server.

    Args:
        projects: What to show; two of one name are told apart by a number.
        folder: Where the dashboard's own secret lies.
    """

    def __init__(self, projects: Sequence[Shown], folder: Path) -> None:
        self.gate = Gate(guard_pages=True)
        self.work_dir = folder
        self.secure = False
        self.most_bytes = _MOST_BYTES
        self.stopping: asyncio.Event | None = None
        self._rooms = list(_rooms(projects))
        # Several projects may have one name, so each store goes by its room's.
        urls = {room.name: each.store_url for room, each in zip(self._rooms, projects, strict=True)}
        self._store = StoreAccess("", urls)

    def rooms(self) -> list[Room]:
        """In the order given."""
        return self._rooms

    async def call(self, room: Room, function: Callable[[Store], T]) -> T:
        """In one of a few threads."""
        return await self._store.call(room.name, function)

    def submit(self, ask: Ask) -> bool:
        """Nothing answers here."""
        del ask
        return False

    def count(self, path: str, status: int, seconds: float) -> None:
        """Nobody asks."""

    def close(self) -> None:
        """Give the stores back."""
        self._store.close()


def application(machine: Machine) -> Starlette:
    """The ASGI application: the dashboard's pages alone."""
    return Starlette(routes=[*dashboard_routes(machine)])


def show(machine: Machine, *, port: int, on_ready: Callable[[str], None]) -> None:
    """Serve the pages on this machine only, until SIGTERM or SIGINT.

    Args:
        machine: What to show.
        port: 0 takes a free one.
        on_ready: Told the address.

    Raises:
        CannotListen: The port cannot be had.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except OSError as error:
        listener.close()
        raise CannotListen("127.0.0.1", port, error) from error
    try:
        asyncio.run(_serve(machine, listener, on_ready))
    finally:
        machine.close()
        listener.close()


async def _serve(machine: Machine, listener: socket.socket, on_ready: Callable[[str], None]) -> None:
    machine.stopping = asyncio.Event()
    config = uvicorn.Config(
        application(machine),
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        headers=[("cache-control", "no-store")],
        proxy_headers=False,
        ws="none",
        timeout_graceful_shutdown=2,
    )
    server = _Server(config, machine.stopping)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started and not serving.done():
        await asyncio.sleep(0.005)
    if server.started:
        on_ready(f"http://127.0.0.1:{listener.getsockname()[1]}/dashboard")
    await serving


class _Server(uvicorn.Server):
    """uvicorn's, which tells the pages' streams to end before it waits for them."""

    def __init__(self, config: uvicorn.Config, stopping: asyncio.Event) -> None:
        super().__init__(config)
        self._stopping = stopping

    def handle_exit(self, sig: int, frame: object) -> None:
        """A signal to stop."""
        self._stopping.set()
        super().handle_exit(sig, frame)  # type: ignore[arg-type]


def _rooms(projects: Iterable[Shown]) -> Iterable[Room]:
    seen: dict[str, int] = {}
    for each in projects:
        seen[each.name] = seen.get(each.name, 0) + 1
        name = each.name if seen[each.name] == 1 else f"{each.name}-{seen[each.name]}"
        yield Room(name, each.name, each.work_dir, os.fspath(each.file), None)
