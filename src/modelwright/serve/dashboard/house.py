"""Where a dashboard stands: which projects it shows and how it reaches their stores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from modelwright.serve.asks import Ask
from modelwright.serve.deployment import Deployment
from modelwright.serve.errors import NotFound, clip
from modelwright.serve.gate import Gate
from modelwright.serve.site import Site

if TYPE_CHECKING:
    import asyncio

    from modelwright.store.ports import Store

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Room:
    """One project as the dashboard shows it.

    Attributes:
        name: Its name in addresses.
        project: Its name in the store.
        work_dir: Where bundles, reports and logs lie; ``None`` where only a bundle is served.
        file: The project's file; "" where it is not here.
        deployment: What answers in this process; ``None`` where nothing does.
    """

    name: str
    project: str
    work_dir: Path | None
    file: str
    deployment: Deployment | None


class House(Protocol):
    """What the pages need of the process they are served by."""

    gate: Gate
    work_dir: Path
    secure: bool
    most_bytes: int
    stopping: asyncio.Event | None

    def rooms(self) -> list[Room]:
        """All projects, the first one first."""

    async def call(self, room: Room, function: Callable[[Store], T]) -> T:
        """``function(store of the room)``, in a thread. Raises ``StoreAway``."""

    def submit(self, ask: Ask) -> bool:
        """Have ``ask`` answered and logged; false where no server answers."""

    def count(self, path: str, status: int, seconds: float) -> None:
        """Count a request."""


def room_called(house: House, name: str) -> Room:
    """The room called ``name``.

    Raises:
        NotFound: There is none.
    """
    for room in house.rooms():
        if room.name == name:
            return room
    raise NotFound(f"No project is called {clip(name)!r} here.")


class ServedHouse:
    """The projects that a server's worker answers for."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self.gate = site.gate
        self.work_dir = Path(site.settings.work_dir)
        self.secure = bool(site.settings.certificate)
        self.most_bytes = site.settings.limits.body_bytes
        self.stopping = site.stopping

    def rooms(self) -> list[Room]:
        """In the order of the server's targets."""
        return [
            Room(
                name=target.name,
                project=target.project,
                work_dir=Path(target.work_dir) if target.work_dir else None,
                file=target.project_file,
                deployment=self._site.engine.deployments.get(target.name),
            )
            for target in self._site.settings.targets
        ]

    async def call(self, room: Room, function: Callable[[Store], T]) -> T:
        """In one of the worker's few threads for the store."""
        return await self._site.store.call(room.project, function)

    def submit(self, ask: Ask) -> bool:
        """By the engine, as any other request."""
        self._site.engine.submit(ask)
        return True

    def count(self, path: str, status: int, seconds: float) -> None:
        """On the worker's board."""
        self._site.meter.request(path, status, seconds)
