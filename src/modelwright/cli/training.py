"""A training at the terminal: progress while it runs, the leaderboard and the decision after it.

``train`` and ``up`` share this. Everything here goes to standard error; standard output is for results.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from modelwright.cli.terminal import plain_table
from modelwright.figures import duration, size

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

    from modelwright.cli.terminal import Terminal
    from modelwright.project.load import Project
    from modelwright.project.settings import Settings
    from modelwright.store.ports import Store
    from modelwright.train.outcome import ModelOutcome, Outcome
    from modelwright.train.progress import Stage

_STEPS = 100  # one candidate's share of the bar


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

    why = reason_to_train(project if data is None else project.with_source(data), settings, store)
    with drawn(terminal, project.name, opening=why) as progress:
        return train_project(
            project,
            store=store,
            progress=progress,
            data_override=data,
            settings=settings,
            release=release,
            actor=actor,
        )


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


def drawn(terminal: Terminal, project: str, *, opening: str = "") -> _Silenced | _Drawn:
    """What draws a training's progress, to be used with ``with``; ``opening`` is said when it begins."""
    return _Silenced() if terminal.quiet else _Drawn(terminal, project, opening)


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

    # Folded to 80 columns in a file, the leaderboard would be hard to read.
    width = None if sys.stderr.isatty() or "COLUMNS" in os.environ else 140
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


class _Silenced:
    """Draws nothing."""

    def __enter__(self) -> _Silenced:
        return self

    def __exit__(self, *_: object) -> None:
        return None

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


class _Drawn:
    """A bar with the time left on a terminal; a line an event where output goes to a file."""

    def __init__(self, terminal: Terminal, project: str, opening: str) -> None:
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

        self._terminal = terminal
        self._opening = opening  # not before the first step: another command may be at work here
        self._console = _console()
        self._bar: Bar | None = None
        self._task: TaskID | None = None
        self._done = 0
        self._started = time.monotonic()
        if sys.stderr.isatty():
            self._bar = Progress(
                SpinnerColumn(),
                TextColumn("{task.description}"),
                BarColumn(bar_width=28),
                TimeRemainingColumn(),
                console=self._console,
                transient=True,
            )
            self._task = self._bar.add_task(f"Starting {project}", total=None)

    def __enter__(self) -> _Drawn:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def stage(self, stage: Stage, note: str = "") -> None:
        """Show what is being done."""
        if self._opening:
            self._console.print(self._opening)
            self._opening = ""
        text = f"{stage.value} {note}".strip()
        if self._bar is None:
            self._terminal.say(f"[{time.monotonic() - self._started:6.1f} s] {text}")
        else:
            self._update(description=text)

    def note(self, message: str) -> None:
        """Print it above the bar."""
        self._console.print(f"Note: {message}", style="yellow")

    def candidates(self, names: Sequence[str]) -> None:
        """Give the bar its length."""
        self._done = 0
        self._update(total=len(names) * _STEPS, completed=0)

    def candidate_started(self, name: str) -> None:
        """Name it."""
        self._update(description=f"Training {name}")

    def trial(self, name: str, number: int, total: int, best: float | None) -> None:
        """Move the bar within the candidate's share."""
        shown = "" if best is None else f", best {best:.4g}"
        self._update(
            description=f"Training {name}: trial {number} of {total}{shown}",
            completed=self._done * _STEPS + int(0.9 * _STEPS * number / total),
        )

    def candidate_finished(self, name: str, row: dict[str, Any]) -> None:
        """Move the bar to the next one."""
        self._done += 1
        self._update(completed=self._done * _STEPS)
        if self._bar is None:
            score = row["score"]
            value = (
                "" if score is None or score["value"] is None else f" {row['metric']} {_with_spread(score)}"
            )
            said = value if row["eligible"] else f"{value}: {row['reason']}"
            self._terminal.say(f"[{time.monotonic() - self._started:6.1f} s]   {name}{said}")

    def _update(self, **changes: Any) -> None:
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, **changes)
