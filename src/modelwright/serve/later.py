"""Routes whose code is loaded when somebody asks for one of them: most workers never are."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Sequence

from starlette.routing import BaseRoute, Match, Router
from starlette.types import Receive, Scope, Send


class Later(BaseRoute):
    """All routes under a path.

    Loading takes place in a thread, so that the loop goes on answering; requests that come in the
    meantime wait for it.

    Args:
        path: What they have in common.
        load: Gives them.
    """

    def __init__(self, path: str, load: Callable[[], Sequence[BaseRoute]]) -> None:
        self.path = path
        self._load = load
        self._router: Router | None = None
        self._loading = asyncio.Lock()

    @property
    def routes(self) -> Sequence[BaseRoute]:
        """Those that are loaded."""
        return () if self._router is None else self._router.routes

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether a request is for one of them, or for none that could be anywhere else."""
        path = scope.get("path", "").removeprefix(scope.get("root_path", ""))
        inside = path == self.path or path.startswith(f"{self.path}/")
        return (Match.FULL if inside else Match.NONE), {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with the route that takes it."""
        if self._router is None:
            async with self._loading:
                if self._router is None:
                    self._router = await asyncio.to_thread(self._loaded)
        await self._router(scope, receive, send)

    def _loaded(self) -> Router:
        router = Router(self._load(), redirect_slashes=False)
        if gc.get_freeze_count():  # as the rest of this process: a full collection need not go through it
            gc.freeze()
        return router
