"""A challenger that answers the same requests on the side: logged, never returned.

It comes after the answers have left, in a turn of the loop of its own, and if it cannot keep up it
leaves requests out instead of holding anybody up.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from time import perf_counter, time_ns

import msgspec

from modelwright.serve.asks import Ask
from modelwright.serve.computing import compute
from modelwright.serve.deployment import Deployment
from modelwright.serve.errors import error_document
from modelwright.serve.journal.entries import Entry, Item
from modelwright.serve.journal.writer import JournalFailure, JournalWriter
from modelwright.serve.protocols.call import Call, Row
from modelwright.serve.wording import piece_of, shadow_id

logger = logging.getLogger(__name__)

_MOST_WAITING = 512
_encode = msgspec.json.Encoder().encode


class Shadows:
    """Lets challengers answer what champions answered."""

    def __init__(self, journal: JournalWriter) -> None:
        self._journal = journal
        self._waiting: list[Ask] = []

    def follow(self, asks: Sequence[Ask]) -> None:
        """Take note of answered asks whose deployment has a shadow."""
        for ask in asks:
            deployment = ask.deployment
            if deployment is None or deployment.shadow is None or ask.error is not None or ask.repeated:
                continue
            if not self._waiting:
                asyncio.get_running_loop().call_soon(self._run)
            if len(self._waiting) < _MOST_WAITING:
                self._waiting.append(ask)

    def _run(self) -> None:
        asks, self._waiting = self._waiting, []
        items: list[Item] = []
        for ask in asks:
            if ask.deployment is not None and ask.deployment.shadow is not None:
                items += _answered(ask, ask.deployment, ask.deployment.shadow)
        try:
            self._journal.append(items)
        except JournalFailure as failure:
            logger.warning("A challenger's answers are not logged: %s", failure)


def _answered(ask: Ask, champion: Deployment, challenger: Deployment) -> list[Entry]:
    """What the challenger says to the rows of ``ask``, as entries under the champion's ids with a suffix."""
    rows: list[Row] = (
        [dict(zip(champion.inputs.names, ask.values, strict=True)) | dict(ask.carried)]
        if ask.values is not None
        else list(ask.rows)
    )
    other = Ask(ask.wire, b"", lambda _: None, ask.client)
    other.call = Call(rows=rows, ids=[None] * len(rows))
    other.deployment = challenger
    compute(challenger, [other])
    latency = perf_counter() - other.received
    moment = time_ns() // 1000
    entries: list[Entry] = []
    for place, row in enumerate(rows):
        id = shadow_id(ask.ids[place], challenger.version)
        if other.error is None:
            status = 200
            told = other.warnings[place] if other.warnings else ()
            fragment = challenger.fragment(other.answers[place], other.generation)
            reply = piece_of(fragment, latency, id, challenger.version, told)
        else:
            status = other.error.status
            reply = _encode(error_document(other.error))
        number = challenger.context.number
        entries.append(
            Entry(
                number,
                id,
                False,
                moment,
                status,
                challenger.logged(row),
                reply,
                latency,
                ask.client,
                ask.wire.name,
            )
        )
    return entries
