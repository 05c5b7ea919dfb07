"""The client for programs that wait."""

from __future__ import annotations

import time
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


class Client:
    """Asks a server; one connection pool, to be closed or used in ``with``. Threads may share it."""

    def __init__(
        self,
        url: str,
        *,
        api_key: str | None = None,
        timeout: float = 10.0,
        attempts: int = 4,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """Nothing is sent yet.

        Args:
            url: The server's address, ``http://host:port``.
            api_key: An API key or a token; never shown.
            timeout: Seconds an attempt may take to connect, and between two pieces of an answer.
            attempts: How often a request is tried before it fails.
            transport: Of ``httpx``, for proxies of one's own or tests.

        Raises:
            MissingExtra: ``httpx`` is not installed.
        """
        try:
            import httpx
        except ModuleNotFoundError:
            raise MissingExtra("httpx", "client") from None
        self._url = messages.base_url(url)
        self._attempts = attempts
        self._failures = httpx.TransportError
        self._http = httpx.Client(
            base_url=self._url, headers=messages.headers(api_key), timeout=timeout, transport=transport
        )

    def __repr__(self) -> str:
        return f"Client({self._url!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    @overload
    def predict(self, rows: Sequence[Row], *, id: str | None = None, model: str = "") -> list[Prediction]: ...
    @overload
    def predict(self, rows: Row, *, id: str | None = None, model: str = "") -> Prediction: ...
    def predict(self, rows: Any, *, id: str | None = None, model: str = "") -> Prediction | list[Prediction]:
        """Ask for a row's prediction, or for several rows'.

        Args:
            rows: A row, as a mapping by column name or the sequence of its values; or a sequence of rows.
            id: An id of your own for the request; one is made otherwise.
            model: Which of the server's models; the first one by default.

        Returns:
            A prediction for a row, a list of them for a sequence of rows.

        Raises:
            InvalidInput: The rows do not fit the model.
            NotAllowed: The credentials do not allow it.
            Refused: The server refused for another reason.
            Unreachable: No answer came.
        """
        rows = messages.plain(rows)
        if not messages.is_batch(rows):
            return self._ask(messages.predict_one(rows, id, model), Prediction)
        found: list[Prediction] = []
        for request in messages.predict_many(rows, id, model):
            found += self._ask(request, Predictions).predictions
        return found

    def feedback(self, prediction_id: str, target: Cell) -> dict[str, Any]:
        """Say what was true of a prediction; said again, the last word counts. Raises as ``predict``."""
        return self._ask(messages.feedback(prediction_id, target), dict[str, Any])

    def feedback_many(self, truths: Mapping[str, Cell]) -> int:
        """Say what was true of many predictions, by id; how many were new. Raises as ``predict``."""
        told = [self._ask(request, dict[str, Any]) for request in messages.feedback_many(truths)]
        return sum(int(each["stored"]) for each in told)

    def health(self) -> Health:
        """How the server is; also one that is not ready. Raises ``Unreachable``."""
        status, body = self._send(messages.health(), retried=False)
        return messages.read_health(self._url, status, body)

    def _ask(self, request: Request, kind: type[messages.T]) -> messages.T:
        status, body = self._send(request)
        return messages.read(self._url, status, body, kind)

    def _send(self, request: Request, *, retried: bool = True) -> tuple[int, bytes]:
        """Send until an answer came that a further attempt would not better."""
        patience = Patience(self._attempts)
        while True:
            try:
                reply = self._http.request(request.method, request.path, content=request.body)
            except self._failures as failure:
                wait = patience.wait()
                if wait is None:
                    why = str(failure) or type(failure).__name__
                    raise Unreachable(self._url, why, patience.made) from failure
            else:
                wait = patience.wait(reply.status_code, reply.headers.get("retry-after", ""))
                if wait is None or not retried:
                    return reply.status_code, reply.content
            time.sleep(wait)
