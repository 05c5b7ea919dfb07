"""A bundle that answers: what a worker holds for each name it serves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from random import random
from typing import Any
from zlib import crc32

import msgspec
import numpy as np

from modelwright.bundle.answers import Answer
from modelwright.bundle.encode import NumberColumn
from modelwright.bundle.read import Bundle, open_bundle
from modelwright.bundle.rows import Reading
from modelwright.schema.answers import GENERATION
from modelwright.serve.journal.entries import Context
from modelwright.serve.live import Assigned
from modelwright.serve.quick import QuickReader, Values
from modelwright.serve.rowlog import RowLog

_BATCH = 256  # rows at once: text columns become wide, dense arrays
_encode = msgspec.json.Encoder().encode


class Deployment:
    """A verified, warm bundle under a name.

    Attributes:
        assigned: What was asked for.
        bundle: The bundle.
        context: What its journal entries share.
        quick: Reader of plain bodies, where the schema allows one.
        row_log: What the log keeps of a row; ``None`` where that is all of it.
        shadow: Who answers on the side.
        canary: Who answers a share of the clients.
    """

    def __init__(self, assigned: Assigned, bundle: Bundle, number: int, *, role: str = "champion") -> None:
        self.assigned = assigned
        self.bundle = bundle
        self.name = assigned.name
        self.version = bundle.manifest.version
        self.inputs = bundle.schema.inputs
        self.context = Context(number, assigned.project, self.version, self.inputs.names, role)
        # Where the project derives features from what is sent, only the longer way runs its code.
        self.quick = QuickReader.fitting(self.inputs) if bundle.rows.derive is None else None
        self.row_log = RowLog.fitting(self.inputs, assigned.images)
        self.models = [entry.name for entry in bundle.manifest.models]
        self.shadow: Deployment | None = None
        self.canary: Deployment | None = None
        self._single = len(self.models) == 1
        self._direct = self._single and _takes_the_row(bundle, self.quick)

    @classmethod
    def open(cls, assigned: Assigned, number: int, *, role: str = "champion") -> Deployment:
        """Verify, load and warm up the bundle of ``assigned``.

        Raises:
            ModelwrightError: It does not verify or does not run.
        """
        bundle = open_bundle(Path(assigned.bundle))
        bundle.warm_up()
        return cls(assigned, bundle, number, role=role)

    def for_client(self, client: str) -> Deployment:
        """Who answers ``client``: always the same, and once the canary, the canary while its share grows."""
        canary, told = self.canary, self.assigned.canary
        if canary is None or told is None:
            return self
        if told.by == "request":
            return canary if random() < told.share else self  # noqa: S311 - nothing is secret about it
        point = crc32(f"{told.version} {client}".encode()) / 0x1_0000_0000
        return canary if point < told.share else self

    def answer_quick(self, rows: Sequence[Values]) -> list[Answer] | list[dict[str, Answer]]:
        """One answer for each row that ``quick`` took."""
        quick = self.quick
        assert quick is not None  # noqa: S101 - it took the rows
        if self._direct:
            model = self.bundle.models[0]
            numbers = quick.numbers(rows)
            return model.answers(model.run(numbers, np.empty((len(numbers), 0), dtype=object)))
        return self.answer(quick.columns(rows))

    def complete_quick(self, rows: Sequence[Values]) -> Reading:
        """Rows that ``quick`` took with what is looked up for them, and whose keys are not known."""
        assert self.quick is not None  # noqa: S101 - it took the rows
        return self.bundle.rows.completed(self.quick.columns(rows))

    def answer(self, columns: Mapping[str, np.ndarray]) -> list[Answer] | list[dict[str, Answer]]:
        """One answer a row; where there are several models, theirs by name."""
        rows = len(next(iter(columns.values()), ()))
        if rows <= _BATCH:
            return self._answer(columns)
        answers: list[Any] = []
        for start in range(0, rows, _BATCH):
            part = slice(start, start + _BATCH)
            answers += self._answer({name: values[part] for name, values in columns.items()})
        return answers

    def _answer(self, columns: Mapping[str, np.ndarray]) -> list[Answer] | list[dict[str, Answer]]:
        answers = self.bundle.answer(columns)
        if self._single:
            return answers[self.models[0]]
        return [dict(zip(answers, row, strict=True)) for row in zip(*answers.values(), strict=True)]

    def logged(self, row: Any) -> Any:
        """A row as the log keeps it."""
        return row if self.row_log is None else self.row_log(row)

    def fragment(self, answer: Answer | dict[str, Answer], generation: int = 0) -> bytes:
        """The JSON members of one row's answer, without braces; with the generation of what was looked up."""
        looked_up = b',"%b":%d' % (GENERATION.encode(), generation) if generation else b""
        if isinstance(answer, Answer):
            return _encode(answer)[1:-1] + looked_up
        plain = {name: each.prediction for name, each in answer.items() if name != "outputs"}
        return b'"outputs":' + _encode(answer) + b"," + _encode(plain)[1:-1] + looked_up


def _takes_the_row(bundle: Bundle, quick: QuickReader | None) -> bool:
    """Whether the graph's numbers are the row's, all of them in its order."""
    if quick is None or not quick.numbers_only:
        return False
    encoder = bundle.models[0].encoder
    return encoder.names == quick.names and all(
        isinstance(each, NumberColumn) and not each.log for each in encoder.columns
    )
