"""A training at the terminal: progress while it runs, the leaderboard and the decision after it.

``train`` and ``up`` share this. Everything here goes to standard error; standard output is for results.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from modelwright.cli.progress import Bar, drawable
from modelwright.cli.terminal import notice, plain_table
from modelwright.figures import duration, size
from modelwright.train.progress import Silent

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from modelwright.cli.terminal import Terminal
    from modelwright.project.load import Project
    from modelwright.project.settings import Settings
    from modelwright.store.ports import Store
    from modelwright.train.outcome import ModelOutcome, Outcome
    from modelwright.train.progress import Stage


def run_training(
    terminal: Terminal,
    project: Project,
    settings: Settings,
    store: Store,
    *,
    data: str | None,
    release: bool,
    actor: str,
) -> Outcome:
    """Train a project under a progress bar; arguments as ``train_project`` takes them."""
    from modelwright.train.run import train_project

    why = reason_to_train(project if data is None else with_data(project, data), settings, store)
    with drawn(terminal, project.name, opening=why, work_dir=settings.work_dir) as progress:
        return train_project(
            project,
            store=store,
            progress=progress,
            data_override=data,
            settings=settings,
            release=release,
            actor=actor,
        )


def with_data(project: Project, data: str) -> Project:
    """The project over other data that a person named.

    Raises:
        DataUnreadable: It names a file that is not there.
    """
    from pathlib import Path

    from modelwright.data.load import locate
    from modelwright.project.sources import is_path

    if is_path(data):
        locate(data, Path.cwd(), "Check the path.")
    return project.with_source(data)


def reason_to_train(project: Project, settings: Settings, store: Store) -> str:
    """One line: what differs from the newest version, which is why training makes sense."""
    from modelwright.train.changes import changes_since

    latest = store.versions.latest(project.name)
    if latest is None:
        return f"Training the first version of {project.name}."
    changes = changes_since(latest, project, settings.work_dir)
    if changes:
        return f"Training, because of changes since version {latest.number}: {'; '.join(changes)}."
    if not (settings.work_dir / latest.bundle).is_dir():
        return f"Training, because the bundle of version {latest.number} is gone; nothing else changed."
    return f"Training, although nothing changed since version {latest.number}."


def drawn(
    terminal: Terminal, project: str, *, opening: str = "", work_dir: Path | None = None
) -> _Silenced | _Drawn:
    """What draws a training's progress, to be used with ``with``.

    Args:
        terminal: How this run speaks.
        project: The project's name.
        opening: Said when the first step begins.
        work_dir: Where what the last training took is kept, for the time left.
    """
    return _Silenced() if terminal.quiet else _Drawn(terminal, project, opening, work_dir)


def show_outcome(terminal: Terminal, outcome: Outcome) -> None:
    """Tell what came of a training: each model's leaderboard, and the decision with its reasons."""
    if terminal.quiet:
        return
    console = _console()
    for model in outcome.models:
        console.print()
        if len(outcome.models) > 1:
            console.print(f"{model.name} ({model.task.value})", style="bold")
        console.print(_leaderboard(model))
        _explain(console, model.leaderboard)
    verdict = "accepted" if outcome.accepted else "rejected"
    console.print()
    console.print(
        f"Version {outcome.version} {verdict} ({outcome.seconds:.1f} s)",
        style="bold green" if outcome.accepted else "bold red",
    )
    for reason in outcome.decision.reasons:
        console.print(f"  {reason}")
    console.print()


def _console() -> Console:
    from rich.console import Console

    # In a file nothing is folded: the leaderboard would be hard to read there, and sentences to search.
    width = None if sys.stderr.isatty() or "COLUMNS" in os.environ else 1000
    return Console(stderr=True, highlight=False, emoji=False, markup=False, width=width)


def _leaderboard(model: ModelOutcome) -> Any:
    metric = model.metric.replace("_", " ")
    titles = ("#", "candidate", f"chosen by {metric}", f"held-out {metric}", "fit", "one row", "size")
    rows = []
    for row in model.leaderboard:
        score, held = row["score"], row["metrics"].get(model.metric)
        rows.append(
            (
                str(row["rank"]),
                row["candidate"] + ("" if row["eligible"] else " (not eligible)"),
                "" if score is None or score["value"] is None else _with_spread(score),
                "" if held is None else f"{held['value']:.4g} [{held['low']:.4g}, {held['high']:.4g}]",
                _spelled(row["fit_seconds"], duration),
                _spelled(row["latency_seconds"], duration),
                _spelled(row["size_bytes"], size),
            )
        )
    return plain_table(titles, rows, right=("#", "fit", "one row", "size"))


def _explain(console: Console, leaderboard: Sequence[dict[str, Any]]) -> None:
    for row in leaderboard:
        if row["reason"]:
            console.print(f"  {row['candidate']}: {row['reason']}", style="yellow")
        for note in row["notes"]:
            console.print(f"  {row['candidate']}: {note}", style="dim")


def _with_spread(score: dict[str, float]) -> str:
    return f"{score['value']:.4g}" + (f" ± {score['spread']:.2g}" if score["spread"] else "")


def _spelled(value: float | None, spell: Callable[[float], str]) -> str:
    return "" if value is None else spell(value)


class _Silenced(Silent):
    """Draws nothing."""

    def __enter__(self) -> _Silenced:
        return self

    def __exit__(self, *_: object) -> None:
        return None


class _Drawn:
    """A bar with the time left on a terminal; a line an event where output goes to a file."""

    def __init__(self, terminal: Terminal, project: str, opening: str, work_dir: Path | None) -> None:
        from modelwright.cli.estimate import Estimate, recall

        self._terminal = terminal
        self._opening = opening  # not before the first step: another command may be at work here
        self._work_dir = work_dir
        self._console = _console()
        self._lines = not drawable()
        self._started = time.monotonic()
        self._estimate = Estimate({} if work_dir is None else recall(work_dir))
        self._bar = Bar(f"Starting {project}", self._estimate)

    def __enter__(self) -> _Drawn:
        self._bar.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        from modelwright.cli.estimate import remember

        self._bar.__exit__()
        if kind is None and self._work_dir is not None:
            remember(self._work_dir, self._estimate.measured())

    def stage(self, stage: Stage, note: str = "") -> None:
        """Show what is being done."""
        if self._opening:
            self._print(self._opening)
            self._opening = ""
        self._estimate.stage(stage)
        text = f"{stage.value} {note}".strip()
        if self._lines:
            self._terminal.say(f"[{time.monotonic() - self._started:6.1f} s] {text}")
        self._bar.say(text)

    def note(self, message: str) -> None:
        """Print it above the bar."""
        self._print(f"Note: {message}", style="yellow")

    def candidates(self, names: Sequence[str]) -> None:
        """Give the bar its length."""
        self._estimate.candidates(names)

    def candidate_started(self, name: str) -> None:
        """Name it."""
        self._estimate.started(name)
        self._bar.say(f"Training {name}")

    def trial(self, name: str, number: int, total: int, best: float | None) -> None:
        """Move the bar within the candidate's share."""
        self._estimate.tried(number / max(1, total))
        shown = "" if best is None else f", best {best:.4g}"
        self._bar.say(f"Training {name}: trial {number} of {total}{shown}")

    def candidate_finished(self, name: str, row: dict[str, Any]) -> None:
        """Move the bar to the next one."""
        self._estimate.finished(name)
        if self._lines:
            score = row["score"]
            value = (
                "" if score is None or score["value"] is None else f" {row['metric']} {_with_spread(score)}"
            )
            said = value if row["eligible"] else f"{value}: {row['reason']}"
            self._terminal.say(f"[{time.monotonic() - self._started:6.1f} s]   {name}{said}")

    def _print(self, text: str, style: str | None = None) -> None:
        """Say it as notices are said: the bar, while there is one, stays below."""
        with self._console.capture() as captured:
            self._console.print(text, style=style)
        notice(captured.get(), end=False)
