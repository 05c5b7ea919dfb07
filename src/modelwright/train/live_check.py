"""How well a running service answers: labelled rows posted to it as its clients post them.

What is measured is the whole way of a row (the request, the columns' names, their meaning, the model),
so a fault anywhere on it shows: a scaler fed with other columns than in training answers promptly, and
wrong. The rows go out one at a time, and what comes back is measured by the code that measured training.
"""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np

from modelwright.client.errors import InvalidInput
from modelwright.errors import ExitCode, ModelwrightError
from modelwright.schema.metrics import Metric, Task
from modelwright.train.answers import Answers
from modelwright.train.evaluate import measure

if TYPE_CHECKING:
    from modelwright.client.answers import Output
    from modelwright.client.sync import Client

_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?", re.ASCII)
_MOST_TOLD = 10


class TruthUnusable(ModelwrightError):
    """The rows' labels are absent, or are none that the service knows."""

    code = ExitCode.DATA


@dataclass(frozen=True)
class Labelled:
    """A row with its truth.

    Attributes:
        place: Where it stands ("line 7").
        row: What is sent, by column.
        truth: What was true, as the file spells it.
    """

    place: str
    row: dict[str, Any]
    truth: Any


@dataclass(frozen=True)
class Asked:
    """What came back.

    Attributes:
        answers: The service's answer to each row that it answered.
        truths: What was true of each of them.
        versions: Which versions answered, ascending.
        seconds: How long each answered request took, as its client sees it.
        refused: Rows that the service refused, with the reason each (the first few).
        refusals: How many it refused.
    """

    answers: list[Output]
    truths: list[Any]
    versions: tuple[int, ...]
    seconds: list[float]
    refused: tuple[str, ...]
    refusals: int


@dataclass(frozen=True)
class Measured:
    """How good the answers are.

    Attributes:
        task: What the service does, by the look of its answers.
        metrics: With 95 % intervals, by name.
        commonest: Classification: share of the commonest truth, which answering it always would reach.
    """

    task: Task
    metrics: dict[str, Metric]
    commonest: float | None = None


def draw(rows: Iterable[Labelled], count: int, seed: int) -> list[Labelled]:
    """``count`` of the rows, each equally likely, in the file's order; all where there are no more.

    Reads them once and keeps no more than ``count``.
    Source: Vitter, "Random sampling with a reservoir", 1985.
    """
    random = Random(seed)  # noqa: S311 - a sample, no secret
    kept: list[tuple[int, Labelled]] = []
    for number, row in enumerate(rows):
        if len(kept) < count:
            kept.append((number, row))
        elif (place := random.randrange(number + 1)) < count:
            kept[place] = (number, row)
    return [row for _, row in sorted(kept, key=lambda item: item[0])]


def with_numbers(rows: Sequence[Labelled]) -> list[Labelled]:
    """The rows with numbers for text in the columns that hold nothing else, as a program would send them.

    A text file spells everything as text. A column in which anything else stands, or a number spelled
    unusually ("007"), stays as it is: the service reads it by its own schema.
    """
    columns = {name for row in rows for name in row.row}
    plain = {
        name
        for name in columns
        if all(_plain_number(row.row[name]) for row in rows if row.row.get(name) is not None)
    }
    return [
        replace(
            row,
            row={name: _number(value) if name in plain else value for name, value in row.row.items()},
        )
        for row in rows
    ]


def ask(
    client: Client,
    rows: Sequence[Labelled],
    *,
    model: str = "",
    output: str = "",
    told: Callable[[int], None] = lambda _: None,
) -> Asked:
    """Post the rows one by one.

    Args:
        client: Of the service.
        rows: What to send.
        model: Which of the server's models.
        output: Which of the answers, where several models answer together.
        told: Told how many have been posted.

    Raises:
        ClientError: The service cannot be reached, or refuses the client.
        TruthUnusable: There is no such output.
    """
    answers: list[Output] = []
    truths: list[Any] = []
    versions: set[int] = set()
    seconds: list[float] = []
    refused: list[str] = []
    refusals = 0
    for done, row in enumerate(rows):
        told(done)
        started = time.perf_counter()
        try:
            answer = client.predict(row.row, model=model)
        except InvalidInput as error:
            refusals += 1
            if len(refused) < _MOST_TOLD:
                refused.append(f"{row.place}: {'; '.join(error.details) or error.reason}")
            continue
        seconds.append(time.perf_counter() - started)
        answers.append(_picked(answer, answer.outputs, output))
        truths.append(row.truth)
        versions.add(answer.model_version)
    return Asked(answers, truths, tuple(sorted(versions)), seconds, tuple(refused), refusals)


def judged(asked: Asked, *, names: Mapping[str, str], seed: int) -> Measured:
    """Measure the answers.

    Args:
        asked: At least one answer, with its truth.
        names: What the project calls its labels, by their spelling; may be empty.
        seed: Of the bootstrap.

    Raises:
        TruthUnusable: A truth is missing, no number, or a label the service does not know.
    """
    first = asked.answers[0]
    if first.probabilities:
        return _classes(asked, names, seed)
    if isinstance(first.prediction, int | float) and not isinstance(first.prediction, bool):
        if first.prediction_name is not None:
            raise TruthUnusable(
                "The service groups rows; a group has no truth to be measured by.",
                "Evaluate a service that predicts.",
            )
        values = np.array([_float(answer.prediction) for answer in asked.answers])
        truth = np.array([_float(value) for value in asked.truths])
        return Measured(Task.REGRESSION, measure(Task.REGRESSION, Answers(values=values), truth, seed=seed))
    raise TruthUnusable(
        "The service's answers have no probabilities.", "Evaluate a classifier or a regression."
    )


def _picked(answer: Output, outputs: Mapping[str, Output], wanted: str) -> Output:
    if not outputs and not wanted:
        return answer
    if wanted in outputs:
        return outputs[wanted]
    raise TruthUnusable(
        f"The service has no answer '{wanted}'." if wanted else "The service gives several answers.",
        f"Say with --output which one: {', '.join(outputs)}." if outputs else "Leave --output away.",
    )


def _classes(asked: Asked, names: Mapping[str, str], seed: int) -> Measured:
    labels = list(asked.answers[0].probabilities or {})
    truth, exact = _truths(asked, labels, names)
    places = {name: place for place, name in enumerate(labels)}
    probabilities = np.array(
        [[(answer.probabilities or {}).get(name, 0.0) for name in labels] for answer in asked.answers]
    )
    picked = np.array([places[str(answer.prediction_name)] for answer in asked.answers], dtype=np.int64)
    answers = Answers(labels=picked, probabilities=probabilities)
    # Which of the never-answered labels is which changes no metric of labels, but those of scores.
    metrics = measure(Task.CLASSIFICATION, answers, truth, seed=seed, only=None if exact else "accuracy")
    return Measured(Task.CLASSIFICATION, metrics, float(np.bincount(truth).max() / len(truth)))


def _truths(asked: Asked, labels: Sequence[str], names: Mapping[str, str]) -> tuple[np.ndarray, bool]:
    """Each truth's place among the labels, and whether that is certain for all of them.

    An answer tells a label's value and its name, so a file may spell either. A label that was never
    answered is known by the project's names, or is what is left over.
    """
    places = {name: place for place, name in enumerate(labels)}
    known = {**places}
    for answer in asked.answers:
        known[_spelled(answer.prediction)] = places[str(answer.prediction_name)]
    known |= {_spelled(value): places[name] for value, name in names.items() if name in places}
    spelled = [_spelled(truth) for truth in asked.truths]
    missing = sum(not text for text in spelled)
    if missing:
        raise TruthUnusable(
            f"{missing} of the {len(spelled)} rows have no label.", "Leave such rows out of the file."
        )
    strange = sorted({text for text in spelled if text not in known})
    free = [
        place
        for place in range(len(labels))
        if place not in known.values() or _only_named(place, labels, known)
    ]
    if len(strange) > len(free):
        shown = ", ".join(f"'{text[:40]}'" for text in strange[:5])
        raise TruthUnusable(
            f"The service does not know these labels: {shown}. It answers: {', '.join(labels[:20])}.",
            "Check --target, and that the service is the one the file belongs to.",
        )
    known |= dict(zip(strange, free, strict=False))
    certain = not strange or (len(strange) == 1 and len(free) == 1)
    return np.array([known[text] for text in spelled], dtype=np.int64), certain


def _only_named(place: int, labels: Sequence[str], known: Mapping[str, int]) -> bool:
    """Whether nothing but its name is known of a label."""
    return all(text == labels[place] for text, other in known.items() if other == place)


def _spelled(value: Any) -> str:
    """One spelling for what a label may be written as: 1, 1.0 and "1" are the same."""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = "" if value is None else str(value).strip()
    if text.lower() in ("true", "false"):
        return text.lower()
    if _NUMBER.fullmatch(text):
        number = float(text)
        return str(int(number)) if number.is_integer() and abs(number) < 2**53 else repr(number)
    return text


def _float(value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise TruthUnusable(f"'{value}' is no number.", "Check --target: the service answers numbers.")
    return number


def _plain_number(value: Any) -> bool:
    return isinstance(value, int | float) or (isinstance(value, str) and _NUMBER.fullmatch(value) is not None)


def _number(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value
