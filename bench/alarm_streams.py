"""Simulated live streams with answers and truths, through all that watches a served version.

The model knows the law it was trained on: its probability of "1" is the true one, so confidences are
calibrated and about one answer in eight is wrong. The law uses four of the normal features and not
``SHIFTED``, whose shift changes nothing but itself.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from bench.drift_streams import BEFORE, REFERENCE_ROWS, SCHEMA, SHIFTED, table
from bench.monitors import description_of
from modelwright.data.profile import profile, value_profile
from modelwright.monitor.answered import Answered
from modelwright.monitor.estimate import calibrate, estimate
from modelwright.monitor.following import Following
from modelwright.monitor.judging import beyond
from modelwright.monitor.memory import Memory, Note
from modelwright.monitor.monitors import BASELINE, together_window
from modelwright.monitor.quality import classification
from modelwright.monitor.thresholds import effective
from modelwright.schema.metrics import Task
from modelwright.schema.profile import Profile

LAW = ("n10", "n11", "n12", "n13")
_STEEP = 2.2
_PROCESSES = 2
_CALM_BATCH = 250  # looked at together where nothing has to be noticed soon
_ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
_START = datetime(2026, 5, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)


@dataclass(frozen=True)
class World:
    """How a stream goes on after its first 1,000 rows.

    Attributes:
        shift: Of one feature, in its standard deviations.
        errors: By how much the share of wrong answers rises, as the law itself turns.
        batch: Rows that are looked at together.
    """

    shift: float = 0.0
    errors: float = 0.0
    batch: int = 100


@dataclass(frozen=True)
class Stream:
    """Rows with answers and truths [rows]; ``probability`` is of the label 1."""

    columns: dict[str, np.ndarray]
    probability: np.ndarray
    truth: np.ndarray

    @property
    def answers(self) -> np.ndarray:
        """Labels answered."""
        return (self.probability > 0.5).astype(np.int64)


def stream(
    rows: int, random: np.random.Generator, world: World | None = None, *, moved: float = 0.0
) -> Stream:
    """So many rows of the law, with the world's changes from row 1,000 on.

    All features of the law are ``moved`` by so many standard deviations altogether.
    """
    world = world or World()
    columns = table(rows, random)
    if world.shift:
        columns[SHIFTED][BEFORE:] += world.shift
    for name in LAW:
        columns[name] += moved / len(LAW) ** 0.5
    score = np.sum([columns[name] for name in LAW], axis=0)
    probability = 1 / (1 + np.exp(-_STEEP * score))
    truth = (random.random(rows) < probability).astype(np.int64)
    if world.errors:
        answers = probability > 0.5
        right = np.where(answers, probability, 1 - probability).mean()
        turned = random.random(rows) < world.errors / right  # of the right ones, so many are wrong now
        turned[:BEFORE] = False
        truth = np.where(turned & (truth == answers), 1 - truth, truth)
    return Stream(columns, probability, truth)


class Live:
    """A served version that is watched as a server watches it, without the log and its database.

    Args:
        random: Of its training rows.
        folder: For pictures of alarms.
    """

    def __init__(self, random: np.random.Generator, folder: Path) -> None:
        trained = stream(REFERENCE_ROWS, random)
        made = profile(trained.columns, SCHEMA)
        answers = {"model": value_profile("model", trained.answers, (0, 1))}
        reference = Profile(rows=made.rows, columns=made.columns, predictions=answers)
        self.memory = Memory(version=1)
        self.following = Following(
            "bench", description_of(reference), reference, effective(None), self.memory, pictures=folder
        )

    def notices(self, given: Stream, batch: int, *, truths_only: bool = False) -> Iterator[tuple[int, Note]]:
        """Every alarm with the row at which it was raised; truths come with the rows."""
        rows, window = len(given.truth), together_window(effective(None))
        checked = 0
        for start in range(0, rows, batch):
            end = min(rows, start + batch)
            part = answered(given, start, end)
            if not truths_only:
                self.following.watch_rows(part)
            truths = dict(zip(part.ids, given.truth[start:end].tolist(), strict=True))
            self.following.watch_truths(part, truths, part.times[0], part.times[-1])
            if not truths_only and end - checked >= window and end >= BASELINE + window:
                checked = end
                self.following.tell_apart(answered(given, 0, BASELINE), answered(given, end - window, end))
            raised, self.memory.outbox_events = self.memory.outbox_events, []
            self.memory.outbox_windows = []
            for note in raised:
                if not note.kind.endswith("_over"):
                    yield int(note.data.get("row", end - 1)), note


def answered(given: Stream, start: int, end: int) -> Answered:
    """Rows as they are read from the log."""
    part = slice(start, end)
    sure = np.maximum(given.probability[part], 1 - given.probability[part])
    outputs: list[Any] = [
        {"prediction": answer, "confidence": confidence}
        for answer, confidence in zip(given.answers[part].tolist(), sure.tolist(), strict=True)
    ]
    return Answered(
        ids=[f"{row:09d}" for row in range(start, end)],
        times=[_START + row * _SECOND for row in range(start, end)],
        columns={name: values[part] for name, values in given.columns.items()},
        outputs={"model": outputs},
    )


def false_alarms(seed: int, rows: int) -> list[str]:
    """Topics of the alarms over ``rows`` stable rows."""
    random = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory() as folder:
        live = Live(random, Path(folder))
        return [str(note.data["topic"]) for _, note in live.notices(stream(rows, random), _CALM_BATCH)]


def noticed(seed: int, rows: int, world: World) -> dict[str, int]:
    """Rows from the change to the first alarm about it, by topic; "any" for the first of all.

    Of a shifted feature only alarms that name it count, and the one of all features together. Where the
    errors rise nothing else changes, so only truths are looked at.
    """
    random = np.random.default_rng(seed)
    found: dict[str, int] = {}
    with tempfile.TemporaryDirectory() as folder:
        live = Live(random, Path(folder))
        for row, note in live.notices(
            stream(rows, random, world), world.batch, truths_only=bool(world.errors)
        ):
            about = note.data["name"] == SHIFTED if world.shift else note.data["topic"] == "errors"
            topic = str(note.data["topic"])
            if row >= BEFORE and (about or topic == "together"):
                found.setdefault(topic, row + 1 - BEFORE)
                found.setdefault("any", row + 1 - BEFORE)
                break
    return found


def below_floor(seed: int, rows: int, margin: float, step: int = 100) -> int:
    """Alarms over ``rows`` stable labelled rows of a floor that lies ``margin`` below the true accuracy."""
    given = stream(rows, np.random.default_rng(seed))
    window = effective(None).quality_window
    floors = {"accuracy": ACCURACY - margin}
    alarms, standing = 0, False
    for end in range(window, rows + 1, step):
        part = slice(end - window, end)
        metrics = classification(given.truth[part], given.answers[part], 2)
        below = bool(beyond(Task.CLASSIFICATION, metrics, floors))
        alarms += below and not standing
        standing = below
    return alarms


def estimate_holds(seed: int, shift: float) -> tuple[bool, float]:
    """Whether the bounds of an estimate without labels hold the accuracy of these very rows; its error.

    The model is overconfident; its confidences are calibrated on 1,000 labelled rows. Then the law's
    features move, so that it is wrong more or less often.
    """
    random = np.random.default_rng(seed)
    known, window = stream(1_000, random), stream(500, random, World(), moved=shift)
    answers, confidence, _ = _overconfident(known)
    calibration = calibrate(confidence, answers == known.truth)
    answers, _, probabilities = _overconfident(window)
    told = estimate(calibration, answers, probabilities, seed=seed)["accuracy"]
    real = float((answers == window.truth).mean())
    return told.low <= real <= told.high, abs(told.value - real)


Many = Callable[[Callable[[int], Any], Iterable[int]], list[Any]]


@contextmanager
def many_streams() -> Iterator[Many]:
    """Does something for many seeds, in two processes of one thread each."""
    os.environ.update(_ONE_THREAD)  # of the processes that are spawned
    with ProcessPoolExecutor(_PROCESSES, mp_context=get_context("spawn")) as pool:
        yield lambda work, seeds: list(pool.map(work, seeds, chunksize=4))


def _overconfident(given: Stream) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Answers, confidences and probabilities [rows, 2] of a model that is too sure of itself."""
    odds = (given.probability / (1 - given.probability)) ** 2
    said = odds / (1 + odds)
    return given.answers, np.maximum(said, 1 - said), np.column_stack([1 - said, said])


ACCURACY = 0.8815
"""Of the model, over a million rows of its law."""
