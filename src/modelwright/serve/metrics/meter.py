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

    Keys: ``requests, kind, status``; ``seconds, kind`` (sum); ``bucket, kind, bound`` (not cumulated);
    ``answers, name, version, model, answer`` (classes and clusters); ``values, name, version, model``
    (regressions); ``rows, name, version``. The kind is the protocol, or the
    route of what is no prediction.
    """

    def __init__(self, run_dir: Path, slot: int) -> None:
        self._board = Board(run_dir / f"board-{slot:02d}.bin")
        self._places: dict[tuple[object, ...], int] = {}

    def settled(self, asks: Sequence[Ask], now: float) -> None:
        """Count asks that are about to leave."""
        for ask in asks:
            status = ask.reply.status if ask.reply is not None else 500
            self.request(ask.wire.name, status, now - ask.received)
            if ask.answers and not ask.repeated:
                self._answers(ask)

    def request(self, kind: str, status: int, seconds: float) -> None:
        """Count one request."""
        add = self._board.add_at
        add(self._place("requests", kind, status))
        add(self._place("seconds", kind), seconds)
        add(self._place("bucket", kind, BOUNDS[bisect_left(BUCKETS, seconds)]))

    def _answers(self, ask: Ask) -> None:
        deployment = ask.deployment
        assert deployment is not None  # noqa: S101 - an answered ask has one
        name, version = deployment.name, deployment.version
        self._board.add_at(self._place("rows", name, version), len(ask.answers))
        for answer in ask.answers:
            if isinstance(answer, Answer):
                self._answer(name, version, deployment.models[0], answer)
            else:
                for model, each in answer.items():
                    self._answer(name, version, model, each)

    def _answer(self, name: str, version: int, model: str, answer: Answer) -> None:
        """Count a class or cluster; a regression's values are no classes."""
        if answer.prediction_name is not None or not isinstance(answer.prediction, float):
            called = answer.prediction_name if answer.prediction_name is not None else answer.prediction
            self._board.add_at(self._place("answers", name, version, model, called))
        else:
            self._board.add_at(self._place("values", name, version, model))

    def _place(self, *key: object) -> int:
        place = self._places.get(key)
        if place is None:
            place = self._places[key] = self._board.place(tuple(map(str, key)))
        return place
