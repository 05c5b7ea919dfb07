"""The one path from asks to answers: all that arrived in one turn of the event loop, in one run.

::

    submit ─▶ (end of turn) read ─▶ compute ─▶ settle: id, log on disk, count ─▶ done

``read`` and ``compute`` change nothing but the ask and may run in a thread (large batches do);
``settle`` belongs to the event loop, and nothing leaves before the journal has it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from time import perf_counter, time_ns
from typing import Any, Protocol

import msgspec

from modelwright.errors import ModelwrightError
from modelwright.serve.asks import Ask
from modelwright.serve.computing import compute
from modelwright.serve.deployment import Deployment
from modelwright.serve.errors import (
    IdTaken,
    NotFound,
    NotReady,
    NotServed,
    ServeError,
    ServerFault,
    clip,
    error_document,
)
from modelwright.serve.ids import IdMaker
from modelwright.serve.journal.entries import Entry, Item
from modelwright.serve.journal.writer import JournalFailure, JournalWriter
from modelwright.serve.shadows import Shadows
from modelwright.serve.wording import logged_inputs, piece_of

logger = logging.getLogger(__name__)
_encode = msgspec.json.Encoder().encode


class Meter(Protocol):
    """Who counts what was answered."""

    def settled(self, asks: Sequence[Ask], now: float) -> None:
        """Count asks that are about to leave."""


class Guard(Protocol):
    """Who makes requests with an id of the client's own idempotent."""

    def check(self, ask: Ask, go_on: Callable[[Ask], None], settle: Callable[[Ask], None]) -> None:
        """Go on with ``ask`` if its id is new; else set its reply and settle it."""


class Engine:
    """Answers asks with the deployments a worker holds.

    Attributes:
        deployments: By name; the first one also answers where no name is given.
    """

    def __init__(
        self,
        journal: JournalWriter,
        meter: Meter,
        *,
        guard: Guard | None = None,
        max_rows: int = 100_000,
        ids: IdMaker | None = None,
    ) -> None:
        self.deployments: dict[str, Deployment] = {}
        self.journal = journal
        self._meter = meter
        self._guard = guard
        self._max_rows = max_rows
        self._new_id = ids or IdMaker()
        self._asks: list[Ask] = []
        self._shadows = Shadows(journal)
        self._loop: asyncio.AbstractEventLoop | None = None

    def submit(self, ask: Ask) -> None:
        """Answer ``ask`` at the end of this turn of the loop, together with the others."""
        if not self._asks:
            if self._loop is None:
                self._loop = asyncio.get_running_loop()
            self._loop.call_soon(self.flush)
        self._asks.append(ask)

    def flush(self) -> None:
        """Answer what was submitted."""
        asks, self._asks = self._asks, []
        ready: dict[Deployment, list[Ask]] = {}
        settled: list[Ask] = []
        for ask in asks:
            deployment = self.read(ask)
            if deployment is None:
                settled.append(ask)
            elif ask.given and not ask.checked and self._guard is not None:
                self._guard.check(ask, self.submit, self._settle_one)
            else:
                ready.setdefault(deployment, []).append(ask)
        for deployment, group in ready.items():
            compute(deployment, group)
            settled += group
        if settled:
            self.settle(settled)

    async def answer_aside(self, ask: Ask) -> None:
        """Answer a large ask with its reading and computing in a thread."""
        deployment = await asyncio.to_thread(self.read, ask)
        if deployment is None:
            self.settle([ask])
        elif ask.given and not ask.checked and self._guard is not None:
            self._guard.check(ask, self.submit, self._settle_one)
        else:
            await asyncio.to_thread(compute, deployment, [ask])
            self.settle([ask])

    def read(self, ask: Ask) -> Deployment | None:
        """Understand the body; ``None`` if the ask is refused for it."""
        try:
            deployment = self.find(ask.name)
            if deployment.canary is not None:
                deployment = deployment.for_client(ask.client)
            if ask.wanted and ask.wanted != str(deployment.version):
                raise NotServed(deployment.name, deployment.version, ask.wanted)
            if not ask.checked or ask.deployment is not deployment:
                ask.values = ask.call = None
                ask.deployment = deployment
                ask.wire.read(ask, deployment, self._max_rows)
        except ServeError as error:
            ask.refuse(error)
            return None
        # A fault in a reader must not take the turn's other asks with it: they are answered after this one.
        except Exception:
            logger.exception("A request could not be read", extra=ask.told)
            ask.refuse(ServerFault())
            return None
        return deployment

    def find(self, name: str) -> Deployment:
        """The deployment called ``name``, the first one for "".

        Raises:
            NotFound: There is none of that name.
            NotReady: There is none at all yet.
        """
        found = self.deployments.get(name)
        if found is not None:
            return found
        for first in self.deployments.values():
            if not name:
                return first
            raise NotFound(f"No model is called {clip(name)!r} here.", "GET / lists what there is.")
        raise NotReady("No model is loaded yet.", "Try again in a moment.")

    def settle(self, asks: Sequence[Ask]) -> None:
        """Log, count and send."""
        now = perf_counter()
        items: list[Item] = []
        moment = time_ns() // 1000
        try:
            for ask in asks:
                self._word(ask, now, moment, items)
            if items:
                self.journal.append(items)
        except JournalFailure as failure:
            _refuse_unlogged(asks, failure)
        # What cannot be worded or packed must not take the turn's other asks with it; see ``read``.
        except Exception:
            self._settle_apart(asks)
            return
        self._meter.settled(asks, now)
        for ask in asks:
            try:
                ask.done(ask)
            except Exception:  # the same, of a client that cannot be told
                logger.exception("An answer could not be sent", extra=ask.told)
        self._shadows.follow(asks)

    def _settle_apart(self, asks: Sequence[Ask]) -> None:
        """Settle one by one; the one that cannot be is refused, without a row in the log."""
        if len(asks) > 1:
            logger.warning("%d requests could not be answered together", len(asks), exc_info=True)
            for ask in asks:
                self.settle([ask])
            return
        ask = asks[0]
        logger.exception("A request could not be answered", extra=ask.told)
        ask.refuse(ServerFault())
        ask.ids, ask.repeated = [], False
        ask.reply = ask.wire.refusal(ask, ServerFault())
        self._meter.settled(asks, perf_counter())
        ask.done(ask)

    def _settle_one(self, ask: Ask) -> None:
        self.settle([ask])

    def _word(self, ask: Ask, now: float, moment: int, items: list[Item]) -> None:
        """Give ids and a reply to ``ask``, and the log its entries."""
        if ask.repeated:
            if ask.error is not None:
                ask.reply = ask.wire.refusal(ask, ask.error)
            return
        ask.latency = now - ask.received
        if ask.error is not None:
            self._word_refusal(ask, ask.error, moment, items)
            return
        deployment = ask.deployment
        assert deployment is not None  # noqa: S101 - read() sets it, or the ask was refused
        ask.version = deployment.version
        sent = ask.sent
        if len(sent) == 1 and not ask.given and not ask.warnings:
            self._word_plain(ask, deployment, sent[0], moment, items)
            return
        ask.ids, ask.pieces = ids, pieces = [], []
        for place, answer in enumerate(ask.answers):
            id, given = self._id(ask, place)
            ids.append(id)
            if place in ask.kept:
                pieces.append(ask.kept[place].reply)
                continue
            warned = ask.warnings[place] if ask.warnings else ()
            fragment = deployment.fragment(answer, ask.generation)
            piece = piece_of(fragment, ask.latency, id, deployment.version, warned)
            pieces.append(piece)
            items.append(
                Entry(
                    deployment.context.number,
                    id,
                    given,
                    moment,
                    200,
                    sent[place],
                    piece,
                    ask.latency,
                    ask.client,
                    ask.wire.name,
                )
            )
        ask.reply = ask.wire.reply(ask)

    def _word_plain(self, ask: Ask, deployment: Deployment, row: Any, moment: int, items: list[Item]) -> None:
        """As ``_word`` for one row about which there is nothing to say, as most are."""
        id = self._new_id()
        latency = ask.latency
        fragment = deployment.fragment(ask.answers[0], ask.generation)
        piece = piece_of(fragment, latency, id, deployment.version)
        ask.ids = (id,)
        ask.pieces = (piece,)
        number, name = deployment.context.number, ask.wire.name
        items.append(Entry(number, id, False, moment, 200, row, piece, latency, ask.client, name))
        ask.reply = ask.wire.reply(ask)

    def _word_refusal(self, ask: Ask, error: ServeError, moment: int, items: list[Item]) -> None:
        deployment = ask.deployment
        if deployment is None or isinstance(error, IdTaken):
            ask.reply = ask.wire.refusal(ask, error)
            return
        id, given = self._id(ask, 0)
        ask.ids = [id]
        ask.reply = ask.wire.refusal(ask, error)
        document = _encode(error_document(error))
        items.append(
            Entry(
                deployment.context.number,
                id,
                given,
                moment,
                error.status,
                logged_inputs(ask),
                document,
                ask.latency,
                ask.client,
                ask.wire.name,
            )
        )

    def _id(self, ask: Ask, place: int) -> tuple[str, bool]:
        given = ask.given[place] if ask.given else None
        return (self._new_id(), False) if given is None else (given, True)


def _refuse_unlogged(asks: Sequence[Ask], failure: ModelwrightError) -> None:
    logger.error("%s", failure)
    error = NotReady(
        "The prediction log cannot be written, so nothing may be answered.",
        "Try again in a moment; the server's own log says what its disk reports.",
    )
    for ask in asks:
        if not ask.repeated:
            ask.ids = ()
            ask.error = error
            ask.reply = ask.wire.refusal(ask, error)
