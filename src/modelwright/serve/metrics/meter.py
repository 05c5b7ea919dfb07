"""What a worker counts of the requests it answered."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from pathlib import Path

from modelwright.bundle.answers import Answer
from modelwright.serve.asks import Ask
from modelwright.serve.metrics.board import Board

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
        counts: dict[tuple[object, ...], float] = {}
        for ask in asks:
            kind, seconds = ask.wire.name, now - ask.received
            status = ask.reply.status if ask.reply is not None else 500
            key: tuple[object, ...] = ("requests", kind, status)
            counts[key] = counts.get(key, 0.0) + 1.0
            key = ("seconds", kind)
            counts[key] = counts.get(key, 0.0) + seconds
            key = ("bucket", kind, bisect_left(BUCKETS, seconds))
            counts[key] = counts.get(key, 0.0) + 1.0
            if ask.answers and not ask.repeated:
                _count_answers(ask, counts)
        for counted, amount in counts.items():
            self._board.add_at(self._place(*counted), amount)

    def request(self, kind: str, status: int, seconds: float) -> None:
        """Count one request."""
        add = self._board.add_at
        add(self._place("requests", kind, status))
        add(self._place("seconds", kind), seconds)
        add(self._place("bucket", kind, bisect_left(BUCKETS, seconds)))

    def _place(self, *key: object) -> int:
        place = self._places.get(key)
        if place is None:
            place = self._places[key] = self._board.place(tuple(map(str, key)))
        return place


def _count_answers(ask: Ask, counts: dict[tuple[object, ...], float]) -> None:
    """Count rows, and what was answered: a class or cluster by its name, a regression's values together."""
    deployment = ask.deployment
    assert deployment is not None  # noqa: S101 - an answered ask has one
    name, version = deployment.name, deployment.version
    key: tuple[object, ...] = ("rows", name, version)
    counts[key] = counts.get(key, 0.0) + len(ask.answers)
    first = deployment.models[0]
    for answer in ask.answers:
        named = ((first, answer),) if isinstance(answer, Answer) else answer.items()
        for model, each in named:
            called = each.prediction_name
            if called is None and isinstance(each.prediction, float):
                key = ("values", name, version, model)
            else:
                key = ("answers", name, version, model, each.prediction if called is None else called)
            counts[key] = counts.get(key, 0.0) + 1.0
