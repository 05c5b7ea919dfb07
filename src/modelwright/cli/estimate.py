"""How long a training will still take, from how long the last one took and how this one goes."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from modelwright.errors import StorageFailure
from modelwright.files import write_whole
from modelwright.train.progress import Stage

FILE = "durations.json"
"""In a project's working folder: seconds of each step and candidate of the last training."""

_ORDER = tuple(Stage)
_TYPICAL = 1.0  # seconds of a step that nobody has measured here; none takes much less
_TRIED = "candidate "
_START = "start"


class Estimate:
    """A training's meter (``progress.Meter``).

    A step is taken to last as long as last time. Candidates never trained here are taken to last as
    long as those of this training so far did, and before one has ended nobody knows.

    Args:
        before: Seconds of the last training, as ``measured`` gave them.
        clock: Seconds that only grow.
    """

    def __init__(
        self, before: Mapping[str, float] | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._before = dict(before or {})
        self._clock = clock
        self._began = clock()
        self._stage: Stage | None = None
        self._since = self._began
        self._spent: dict[str, float] = {}
        self._waiting: list[str] = []
        self._training: str | None = None
        self._trained_since = self._began
        self._fraction = 0.0

    def stage(self, stage: Stage) -> None:
        """A step begins."""
        self._end_stage()
        self._stage = stage

    def candidates(self, names: Sequence[str]) -> None:
        """These will be trained."""
        self._waiting = list(names)

    def started(self, name: str) -> None:
        """It is being trained now."""
        self._training, self._trained_since, self._fraction = name, self._clock(), 0.0
        if name in self._waiting:
            self._waiting.remove(name)

    def tried(self, fraction: float) -> None:
        """So much of the candidate's search is done."""
        self._fraction = fraction

    def finished(self, name: str) -> None:
        """It is trained."""
        self._spent[_TRIED + name] = self._clock() - self._trained_since
        self._training = None

    def measured(self) -> dict[str, float]:
        """Seconds of each step and candidate, of this training and where it had none of the last."""
        self._end_stage()
        return {**self._before, **{name: round(seconds, 3) for name, seconds in self._spent.items()}}

    def share(self) -> float | None:
        """What is done of the whole, by time."""
        left = self.left()
        if left is None:
            return None
        gone = self._clock() - self._began
        return gone / (gone + left) if gone + left else 0.0

    def left(self) -> float | None:
        """Seconds that it will still take."""
        gone = self._clock() - self._since
        later = [self._coming(stage) for stage in _ORDER[_place(self._stage) + 1 :]]
        now = self._trainings() if self._stage is Stage.TRAIN else max(0.0, self._usual(self._stage) - gone)
        if now is None or None in later:
            return None
        return now + sum(each for each in later if each is not None)

    def _coming(self, stage: Stage) -> float | None:
        return self._before.get(stage.value) if stage is Stage.TRAIN else self._usual(stage)

    def _usual(self, stage: Stage | None) -> float:
        return self._before.get(_START if stage is None else stage.value, _TYPICAL)

    def _trainings(self) -> float | None:
        """What the candidates will still take; at least what last time's training of all tells."""
        spent = [seconds for name, seconds in self._spent.items() if name.startswith(_TRIED)]
        mean = sum(spent) / len(spent) if spent else None
        left = 0.0
        for name in self._waiting:
            usual = self._before.get(_TRIED + name, mean)
            if usual is None:
                return None
            left += usual
        if self._training is not None:
            gone = self._clock() - self._trained_since
            usual = self._before.get(_TRIED + self._training, mean)
            if self._fraction > 0:
                left += gone * (1 - self._fraction) / self._fraction
            elif usual is None:
                return None
            else:
                left += max(0.0, usual - gone)
        return left

    def _end_stage(self) -> None:
        key = _START if self._stage is None else self._stage.value
        now = self._clock()
        self._spent[key] = self._spent.get(key, 0.0) + now - self._since
        self._since = now


def _place(stage: Stage | None) -> int:
    return -1 if stage is None else _ORDER.index(stage)


def recall(work_dir: Path) -> dict[str, float]:
    """What the last training took; nothing where none was, or what was kept cannot be read."""
    try:
        kept = json.loads((work_dir / FILE).read_bytes())
    except (OSError, ValueError):
        return {}
    if not isinstance(kept, dict):
        return {}
    return {name: float(took) for name, took in kept.items() if isinstance(took, int | float) and took >= 0}


def remember(work_dir: Path, measured: Mapping[str, float]) -> None:
    """Keep it for the next time; an estimate is not worth an error."""
    text = json.dumps(measured, indent=2, ensure_ascii=False)
    with contextlib.suppress(StorageFailure):
        write_whole(work_dir / FILE, text, "keeping how long the training took", durable=False)
