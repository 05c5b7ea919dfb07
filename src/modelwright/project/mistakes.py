"""One mistake in a project file, told so that a person can put it right, and the error that carries all."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from modelwright.errors import ExitCode, ModelwrightError

_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Mistake:
    """Something wrong in the project file.

    Attributes:
        file: The file it stands in.
        line: Its line, from 1; 0 where the whole file is meant.
        key: Dotted key (``train.candidates[1]``); empty for the whole file.
        value: The value as it was written, shortened; empty where there is none.
        problem: What is wrong, a sentence.
        remedy: What would be right, a sentence.
    """

    file: Path
    line: int
    key: str
    value: str
    problem: str
    remedy: str = ""

    def __str__(self) -> str:
        place = f"line {self.line}: " if self.line else ""
        key = f"{self.key}: " if self.key else ""
        return f"{place}{key}{self.problem} {self.remedy}".strip()


class ProjectInvalid(ModelwrightError):
    """The project file has mistakes; ``mistakes`` holds every one of them."""

    code = ExitCode.PROJECT

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        self.mistakes = tuple(mistakes)
        count = "a mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
        super().__init__(
            f"{mistakes[0].file} has {count}.",
            "Correct the file and try again.",
            details=[str(mistake) for mistake in mistakes],
        )


class ProjectNotFound(ModelwrightError):
    """No project file where one was looked for."""

    code = ExitCode.PROJECT


def dotted(path: Iterable[str | int]) -> str:
    """``("train", "candidates", 1)`` as ``train.candidates[1]``; names with dots or blanks are quoted."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
            continue
        plain = part.replace("_", "").replace("-", "").isalnum()
        text += ("." if text else "") + (part if plain else f'"{part}"')
    return text


def show(value: object) -> str:
    """A value as a message quotes it: short, on one line."""
    text = repr(value) if not isinstance(value, str) else value
    text = " ".join(text.split())
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def suggest(wrong: str, known: Iterable[str], aliases: Mapping[str, str] | None = None) -> str | None:
    """The name in ``known`` that ``wrong`` was probably meant to be, or ``None``."""
    names = {_folded(name): name for name in known}
    folded = _folded(wrong)
    if folded in names:
        return names[folded]
    alias = (aliases or {}).get(folded)
    if alias is not None and alias in names.values():
        return alias
    close = difflib.get_close_matches(folded, names, n=1, cutoff=0.65)
    return names[close[0]] if close else None


def did_you_mean(wrong: str, known: Iterable[str], aliases: Mapping[str, str] | None = None) -> str:
    """A sentence that suggests the name meant or, where none comes near, lists all there are."""
    names = list(known)
    meant = suggest(wrong, names, aliases)
    return f"Did you mean '{meant}'?" if meant else f"One of: {', '.join(names)}."


def _folded(name: str) -> str:
    return "_".join(name.lower().replace("-", " ").replace("_", " ").split())
