"""The client for programs that do other things meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, overload

from modelwright.client import messages
from modelwright.client.answers import Health, Prediction, Predictions
from modelwright.client.errors import Unreachable
from modelwright.client.messages import Cell, Patience, Request, Row
from modelwright.errors import MissingExtra

if TYPE_CHECKING:
    import httpx


class AsyncClient:
    """As ``sync.Client``, with methods to be awaited."""

    def __init__(
        self,
        url: str,
        *,
        api_key: str | None = None,
        timeout: float = 10.0,
        attempts: int = 4,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """Nothing is sent yet; arguments and errors as of ``sync.Client``."""
        try:
            import httpx
        except ModuleNotFoundError:
            raise MissingExtra("httpx", "client") from None
        self._url = messages.base_url(url)
        self._attempts = attempts
        self._failures = httpx.TransportError
        self._http = httpx.AsyncClient(
            base_url=self._url, headers=messages.headers(api_key), timeout=timeout, transport=transport
        )

    def __repr__(self) -> str:
        return f"AsyncClient({self._url!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    @overload
    async def predict(
        self, rows: Sequence[Row], *, id: str | None = None, model: str = ""
    ) -> list[Prediction]: ...
    @overload
    async def predict(self, rows: Row, *, id: str | None = None, model: str = "") -> Prediction: ...
    async def predict(
        self, rows: Any, *, id: str | None = None, model: str = ""
    ) -> Prediction | list[Prediction]:
        """Ask for a row's prediction, or for several rows'; see ``sync.Client.predict``."""
        rows = messages.plain(rows)
        if not messages.is_batch(rows):
            return await self._ask(messages.predict_one(rows, id, model), Prediction)
        found: list[Prediction] = []
        for request in messages.predict_many(rows, id, model):
            found += (await self._ask(request, Predictions)).predictions
        return found

    async def feedback(self, prediction_id: str, target: Cell) -> dict[str, Any]:
        """Say what was true of a prediction; see ``sync.Client.feedback``."""
        return await self._ask(messages.feedback(prediction_id, target), dict[str, Any])

    async def feedback_many(self, truths: Mapping[str, Cell]) -> int:
        """Say what was true of many predictions; see ``sync.Client.feedback_many``."""
        told = [await self._ask(request, dict[str, Any]) for request in messages.feedback_many(truths)]
        return sum(int(each["stored"]) for each in told)

    async def health(self) -> Health:
        """How the server is; see ``sync.Client.health``."""
        status, body = await self._send(messages.health(), retried=False)
        return messages.read_health(self._url, status, body)

    async def _ask(self, request: Request, kind: type[messages.T]) -> messages.T:
        status, body = await self._send(request)
        return messages.read(self._url, status, body, kind)

    async def _send(self, request: Request, *, retried: bool = True) -> tuple[int, bytes]:
        """Send until an answer came that a further attempt would not better."""
        patience = Patience(self._attempts)
        while True:
            try:
                reply = await self._http.request(request.method, request.path, content=request.body)
            except self._failures as failure:
                wait = patience.wait()
                if wait is None:
                    why = str(failure) or type(failure).__name__
                    raise Unreachable(self._url, why, patience.made) from failure
            else:
                wait = patience.wait(reply.status_code, reply.headers.get("retry-after", ""))
                if wait is None or not retried:
                    return reply.status_code, reply.content
            await asyncio.sleep(wait)
