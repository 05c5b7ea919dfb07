"""What a training tells while it runs. The command line draws it; nothing here prints."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any, Protocol


class Stage(StrEnum):
    """The steps of a training, in order."""

    READ = "Reading the data"
    VERSION = "Versioning the data"
    CHECK = "Checking the data"
    ENCODE = "Encoding the rows"
    TRAIN = "Training the candidates"
    JUDGE = "Judging the version"
    TRACK = "Recording the experiment"
    WRITE = "Writing the bundle"


class Progress(Protocol):
    """Events of one training. Called from the training's own thread only."""

    def stage(self, stage: Stage, note: str = "") -> None:
        """A step begins."""

    def note(self, message: str) -> None:
        """Something a person should read: a warning about the data, a decision taken."""

    def candidates(self, names: Sequence[str]) -> None:
        """These candidates will be trained, in this order."""

    def candidate_started(self, name: str) -> None:
        """It is being trained now."""

    def trial(self, name: str, number: int, total: int, best: float | None) -> None:
        """Trial ``number`` of at most ``total`` of a search has ended; ``best`` so far."""

    def candidate_finished(self, name: str, row: dict[str, Any]) -> None:
        """With its row of the leaderboard."""


class Silent:
    """A progress nobody looks at."""

    def stage(self, stage: Stage, note: str = "") -> None:
        """Says nothing."""

    def note(self, message: str) -> None:
        """Says nothing."""

    def candidates(self, names: Sequence[str]) -> None:
        """Says nothing."""

    def candidate_started(self, name: str) -> None:
        """Says nothing."""

    def trial(self, name: str, number: int, total: int, best: float | None) -> None:
        """Says nothing."""

    def candidate_finished(self, name: str, row: dict[str, Any]) -> None:
        """Says nothing."""
