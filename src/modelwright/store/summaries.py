"""Counts of answers by minute and hour, kept beside the log so that nobody has to read the log to count it.

Kept in the transaction that stores the predictions themselves: what a summary says is what the log held
at every moment. They outlive the log's pruning. Latencies are counted in Renard's R10 series (ten steps a
decade), so a quantile read from them is at most a quarter above the true one, and never below it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import msgspec

from modelwright.store.codec import MAX_KEY, micros
from modelwright.store.records import Numbers, PredictionRecord, Spread, SummaryRecord

MINUTE = 60
HOUR = 3600

_R10 = (1.0, 1.25, 1.6, 2.0, 2.5, 3.2, 4.0, 5.0, 6.3, 8.0)
BOUNDS = tuple(float(f"{step}e{decade}") for decade in range(-5, 2) for step in _R10)
"""Upper bounds of the latency counts, seconds; what is slower than the last is counted one place later."""

_MOST_CLASSES = 1_000
OTHERS = "…"
"""Under which name answers are counted where a model gives more different ones than are told apart."""


class _Answer(msgspec.Struct):
    """What is counted of one model's answer."""

    prediction: Any = None
    prediction_name: str | None = None


class _Told(_Answer):
    """What is counted of a row's answer."""

    outputs: dict[str, _Answer] | None = None


_decode = msgspec.json.Decoder(_Told).decode

Key = tuple[str, int, int, int, str]
"""Project, span, start (epoch seconds), version, role."""


class Counted(msgspec.Struct):
    """What is counted of some predictions; additive.

    Attributes:
        answered, refused, failed, warned: As in ``SummaryRecord``.
        seconds: Sum of the latencies.
        latency: Answers by place in ``BOUNDS``.
        answers: What was answered, by model.
    """

    answered: int = 0
    refused: int = 0
    failed: int = 0
    warned: int = 0
    seconds: float = 0.0
    latency: dict[int, int] = {}
    answers: dict[str, Spread] = {}

    def add(self, other: Counted) -> None:
        """Count what ``other`` counted too."""
        self.answered += other.answered
        self.refused += other.refused
        self.failed += other.failed
        self.warned += other.warned
        self.seconds += other.seconds
        for place, count in other.latency.items():
            self.latency[place] = self.latency.get(place, 0) + count
        for model, spread in other.answers.items():
            mine = self.answers.setdefault(model, Spread())
            for name, count in spread.classes.items():
                _count(mine.classes, name, count)
            mine.numbers = _together(mine.numbers, spread.numbers)


def summarise(records: Iterable[PredictionRecord]) -> dict[Key, Counted]:
    """``records`` counted by project, minute and hour, version and role."""
    by_minute: dict[tuple[str, int, int, str], Counted] = {}
    for record in records:
        second = micros(record.time) // 1_000_000
        key = (record.project, second - second % MINUTE, record.version, record.role)
        counted = by_minute.get(key)
        if counted is None:
            counted = by_minute[key] = Counted()
        _include(counted, record)
    found: dict[Key, Counted] = {}
    for (project, start, version, role), counted in by_minute.items():
        found[project, MINUTE, start, version, role] = counted
        hour = found.setdefault((project, HOUR, start - start % HOUR, version, role), Counted())
        hour.add(counted)
    return found


def answer_of(outputs: Any) -> str | None:
    """The class or cluster that the first model answered, as the log is searched by; else ``None``."""
    for _, answer in _answers(outputs):
        name = _class_of(answer)
        return None if name is None else name[:MAX_KEY]
    return None


def quantile(latency: Mapping[int, int], share: float) -> float | None:
    """The bound that ``share`` of the answers kept, seconds; ``None`` without any, or beyond all bounds."""
    total = sum(latency.values())
    wanted, seen = share * total, 0
    for place in sorted(latency):
        seen += latency[place]
        if seen >= wanted and total:
            return BOUNDS[place] if place < len(BOUNDS) else None
    return None


def together(records: Iterable[SummaryRecord]) -> Counted:
    """Several summaries as one."""
    total = Counted()
    for record in records:
        total.add(counted(record))
    return total


def counted(record: SummaryRecord) -> Counted:
    """A summary's counts."""
    return Counted(
        answered=record.answered,
        refused=record.refused,
        failed=record.failed,
        warned=record.warned,
        seconds=record.seconds,
        latency=record.latency,
        answers=record.answers,
    )


def start_of(time: datetime, span: int) -> int:
    """Where the span that ``time`` is in begins, epoch seconds."""
    second = micros(time) // 1_000_000
    return second - second % span


def _include(counted: Counted, record: PredictionRecord) -> None:
    counted.warned += bool(record.warnings)
    if record.status >= 400:
        counted.refused += 1
        counted.failed += record.status >= 500
        return
    counted.answered += 1
    counted.seconds += record.latency
    place = bisect_left(BOUNDS, record.latency)
    counted.latency[place] = counted.latency.get(place, 0) + 1
    for model, answer in _answers(record.outputs):
        spread = counted.answers.get(model)
        if spread is None:
            spread = counted.answers[model] = Spread()
        name = _class_of(answer)
        if name is not None:
            _count(spread.classes, name[:MAX_KEY], 1)
        elif isinstance(value := _value_of(answer)[0], int | float):
            spread.numbers = _together(spread.numbers, Numbers(1, value, value * value, value, value))


def _answers(outputs: Any) -> Iterable[tuple[str, Mapping[str, Any] | _Answer]]:
    """Each model's answer; a single model has no name here."""
    if isinstance(outputs, msgspec.Raw):  # JSON that nobody has read: only what is counted is read of it
        try:
            told = _decode(outputs)
        except msgspec.ValidationError:  # columns or models with names of this kind: read in full
            outputs = msgspec.json.decode(outputs)
        else:
            return told.outputs.items() if told.outputs is not None else (("", told),)
    if not isinstance(outputs, dict):
        return ()
    several = outputs.get("outputs")
    if isinstance(several, dict):
        return [(name, answer) for name, answer in several.items() if isinstance(answer, dict)]
    return (("", outputs),) if "prediction" in outputs else ()


def _value_of(answer: Mapping[str, Any] | _Answer) -> tuple[Any, Any]:
    """What was answered, and what it is called."""
    if isinstance(answer, _Answer):
        return answer.prediction, answer.prediction_name
    return answer.get("prediction"), answer.get("prediction_name")


def _class_of(answer: Mapping[str, Any] | _Answer) -> str | None:
    """What a class or cluster is called; ``None`` for a regression's value."""
    value, name = _value_of(answer)
    if name is not None:
        return str(name)
    return None if isinstance(value, float) or value is None else str(value)


def _count(classes: dict[str, int], name: str, count: int) -> None:
    if name not in classes and len(classes) >= _MOST_CLASSES:
        name = OTHERS
    classes[name] = classes.get(name, 0) + count


def _together(one: Numbers | None, other: Numbers | None) -> Numbers | None:
    if one is None or other is None:
        return one or other
    return Numbers(
        one.count + other.count,
        one.total + other.total,
        one.squares + other.squares,
        min(one.least, other.least),
        max(one.most, other.most),
    )
