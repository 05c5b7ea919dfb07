"""What a worker counts of the requests it answered."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelwright.bundle.answers import Answer
from modelwright.serve.asks import Ask
from modelwright.serve.metrics.board import Board

if TYPE_CHECKING:
    from modelwright.serve.deployment import Deployment

BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of the latency histogram, seconds."""

BOUNDS = (*(str(bound) for bound in BUCKETS), "+Inf")
"""The same as labels, with the last one."""


class BoardMeter:
    """Counts on this worker's board.

    Keys: ``requests, kind, status``; ``seconds, kind`` (sum); ``bucket, kind, place`` (not cumulated);
    ``answers, name, version, model, answer`` (classes and clusters); ``values, name, version, model``
    (regressions); ``rows, name, version``. The kind is the protocol, or the
    route of what is no prediction.
    """

    def __init__(self, run_dir: Path, slot: int) -> None:
        self._board = Board(run_dir / f"board-{slot:02d}.bin")
        self._places: dict[tuple[object, ...], int] = {}

    def settled(self, asks: Sequence[Ask], now: float) -> None:
        """Count asks that are about to leave; like ones together, as there may be a hundred in a turn."""
        kinds: dict[str, list[float]] = {}
        answered: dict[Deployment, list[Answer | dict[str, Answer]]] = {}
        statuses: dict[tuple[str, int], int] = {}
        for ask in asks:
            kind = ask.wire.name
            seconds = kinds.get(kind)
            if seconds is None:
                seconds = kinds[kind] = []
            seconds.append(now - ask.received)
            outcome = (kind, ask.reply.status if ask.reply is not None else 500)
            statuses[outcome] = statuses.get(outcome, 0) + 1
            if ask.answers and not ask.repeated and ask.deployment is not None:
                answers = answered.get(ask.deployment)
                if answers is None:
                    answers = answered[ask.deployment] = []
                answers += ask.answers
        for (kind, status), count in statuses.items():
            self._add(count, "requests", kind, status)
        for kind, seconds in kinds.items():
            self._add(sum(seconds), "seconds", kind)
            for bucket, count in _tally(bisect_left(BUCKETS, each) for each in seconds).items():
                self._add(count, "bucket", kind, bucket)
        for deployment, answers in answered.items():
            self._count_answers(deployment, answers)

    def request(self, kind: str, status: int, seconds: float) -> None:
        """Count one request."""
        add = self._board.add_at
        add(self._place("requests", kind, status))
        add(self._place("seconds", kind), seconds)
        add(self._place("bucket", kind, bisect_left(BUCKETS, seconds)))

    def unrouted(self, status: int) -> None:
        """Count a request that no route took: nobody timed it, and its path is no name for a count."""
        self._board.add_at(self._place("requests", "other", status))

    def _count_answers(self, deployment: Deployment, answers: Sequence[Answer | dict[str, Answer]]) -> None:
        """Count rows, and what was answered: classes and clusters by name, a regression's values together."""
        name, version = deployment.name, deployment.version
        self._add(len(answers), "rows", name, version)
        for model in deployment.models:
            own = [each if isinstance(each, Answer) else each[model] for each in answers]
            for called, count in _tally(map(_called, own)).items():
                if called is None:
                    self._add(count, "values", name, version, model)
                else:
                    self._add(count, "answers", name, version, model, called)

    def _add(self, amount: float, *key: object) -> None:
        self._board.add_at(self._place(*key), amount)

    def _place(self, *key: object) -> int:
        place = self._places.get(key)
        if place is None:
            place = self._places[key] = self._board.place(tuple(map(str, key)))
        return place


def _tally(values: Iterable[object]) -> dict[Any, int]:
    """How often each occurs. ``Counter`` costs more for one value, which is what a quiet server has."""
    found: dict[Any, int] = {}
    for value in values:
        found[value] = found.get(value, 0) + 1
    return found


def _called(answer: Answer) -> object:
    """What an answer is counted as; ``None`` for a number of a regression."""
    called = answer.prediction_name
    if called is not None:
        return called
    return None if isinstance(answer.prediction, float) else answer.prediction
