"""From asks that were read to answers or refusals. It changes the asks alone, and may run in a thread."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from modelwright.serve.asks import Ask
from modelwright.serve.deployment import Deployment
from modelwright.serve.errors import InvalidRows, ModelFailed, clip

logger = logging.getLogger(__name__)


def compute(deployment: Deployment, asks: Sequence[Ask]) -> None:
    """Answer or refuse asks that were read; one whose rows break a model takes no other with it."""
    try:
        _compute(deployment, asks)
    # What a model's graph or a project's code may raise is not known, and the turn's other asks must go on.
    except Exception as error:
        if len(asks) == 1:
            logger.exception(
                "The model %s failed on a request", deployment.name, exc_info=error, extra=asks[0].told
            )
            asks[0].refuse(ModelFailed(deployment.name))
            return
        logger.warning(
            "The model %s failed on %d requests together; they are answered one by one",
            deployment.name,
            len(asks),
            exc_info=error,
        )
        for ask in asks:
            compute(deployment, [ask])


def _compute(deployment: Deployment, asks: Sequence[Ask]) -> None:
    """Answer or refuse asks in at most two runs of the models."""
    quick = [ask for ask in asks if ask.values is not None]
    if quick and deployment.quick is not None:
        values = [ask.values for ask in quick]
        told: Sequence[Sequence[Any]] = ()
        if deployment.bundle.rows.joiner is None:
            answers = deployment.answer_quick(values)  # type: ignore[arg-type]
        else:
            reading = deployment.complete_quick(values)  # type: ignore[arg-type]
            answers, told = deployment.answer(reading.columns), reading.warnings
            for ask in quick:
                ask.generation = reading.generation
        for place, ask in enumerate(quick):
            ask.answers = answers[place : place + 1]
            ask.warnings = told[place : place + 1]
    slow = [ask for ask in asks if ask.values is None]
    if slow:
        _compute_slow(deployment, slow)


def _compute_slow(deployment: Deployment, asks: Sequence[Ask]) -> None:
    """Let ``bundle.rows`` give the rows their meaning; what it refuses is refused, ask by ask."""
    reading = deployment.bundle.rows.read([row for ask in asks for row in ask.rows])
    if reading.errors:
        asks = _refuse_invalid(asks, reading.errors)
        if not asks:
            return
        reading = deployment.bundle.rows.read([row for ask in asks for row in ask.rows])
    answers = deployment.answer(reading.columns)
    start = 0
    for ask in asks:
        stop = start + len(ask.rows)
        ask.answers = answers[start:stop]
        ask.warnings = reading.warnings[start:stop]
        ask.generation = reading.generation
        start = stop


def _refuse_invalid(asks: Sequence[Ask], errors: Sequence[Any]) -> list[Ask]:
    """Refuse the asks that have a row in ``errors``; the others."""
    good: list[Ask] = []
    start = 0
    for ask in asks:
        stop = start + len(ask.rows)
        own = [error for error in errors if start <= error.row < stop]
        if own:
            ask.refuse(
                InvalidRows(
                    tuple(_problem(error, error.row - start, len(ask.rows) > 1) for error in own[:100])
                )
            )
        else:
            good.append(ask)
        start = stop
    return good


def _problem(error: Any, row: int, batch: bool) -> dict[str, Any]:
    loc = ["instances", row, *error.loc] if batch else list(error.loc)
    return {"loc": ["body", *loc], "msg": error.msg, "type": error.type, "input": clip(error.input)}
