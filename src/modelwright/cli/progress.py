"""A bar with the time left, for whatever takes longer than a moment.

It is drawn on standard error where that is a terminal, and nowhere else; what is done within a moment
draws nothing at all. Results stay on standard output, untouched.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from rich.progress import Progress

    from modelwright.cli.terminal import Terminal

MOMENT = 0.7
"""So many seconds something may last before a bar is drawn."""

_NARROW = 70  # columns of a terminal that has no room for a long bar
_SURE = 0.02  # of the whole: from here on the pace so far says something about the rest


class Meter(Protocol):
    """How far something is."""

    def share(self) -> float | None:
        """What is done of the whole, from 0 to 1; ``None`` where nobody knows."""

    def left(self) -> float | None:
        """Seconds that it will still take; ``None`` where nobody knows."""


class Count:
    """A meter of things done one after the other, each as fast as those before.

    Args:
        clock: Seconds that only grow.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.reset()

    def reset(self, total: float | None = None) -> None:
        """Something new begins; ``total`` is how much there is of it."""
        self._began = self._clock()
        self._done = 0.0
        self._total = total

    def at(self, done: float, total: float | None = None) -> None:
        """So much is done, of ``total`` or of what was said before."""
        self._done = done
        if total is not None:
            self._total = total

    def share(self) -> float | None:
        """What is done of the whole."""
        return None if not self._total else min(1.0, self._done / self._total)

    def left(self) -> float | None:
        """Seconds that it will still take, by the pace since it began."""
        share = self.share()
        if share is None or share < _SURE:
            return None
        return (self._clock() - self._began) * (1 - share) / share


class Bar:
    """A line on the terminal: what is done, how far it is, and the time left or gone by.

    Args:
        text: What is done.
        meter: How far it is; asked ten times a second.
        hidden: Draw nothing.
    """

    def __init__(self, text: str, meter: Meter, *, hidden: bool = False) -> None:
        self._text = text
        self._meter = meter
        self._began = time.monotonic()
        self._drawn: Progress | None = None
        self._over = False
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None
        if not hidden and drawable():
            self._timer = threading.Timer(MOMENT, self._draw)
            self._timer.daemon = True

    def __enter__(self) -> Bar:
        if self._timer is not None:
            self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._over = True
            if self._timer is not None:
                self._timer.cancel()
            if self._drawn is not None:
                self._drawn.stop()

    def say(self, text: str) -> None:
        """What is done now."""
        self._text = text
        with self._lock:
            if self._drawn is not None:
                self._drawn.update(self._drawn.task_ids[0], description=text)

    def _draw(self) -> None:
        with self._lock:
            if not self._over:
                self._drawn = _progress(self._meter, self._began)
                self._drawn.add_task(self._text, total=None)
                self._drawn.start()


class Work:
    """Something under way that the terminal shows."""

    def __init__(self, bar: Bar, count: Count) -> None:
        self._bar = bar
        self._count = count

    def at(self, done: float, total: float | None = None) -> None:
        """So much is done, of ``total`` or of what was said before."""
        self._count.at(done, total)

    def reached(self, share: float, text: str = "") -> None:
        """So much of the whole is done, and this is what is done now, if there is a word for it."""
        self._count.at(share, 1)
        if text:
            self._bar.say(text)

    def step(self, text: str, total: float | None = None) -> None:
        """The next part of it begins, of which there is ``total``."""
        self._count.reset(total)
        self._bar.say(text)


@contextmanager
def working(
    terminal: Terminal, text: str, total: float | None = None, *, hidden: bool = False
) -> Iterator[Work]:
    """Show what is done until the block ends, if it lasts longer than a moment.

    Args:
        terminal: How this run speaks: a quiet one draws nothing.
        text: What is done, such as "Reading rows.csv".
        total: How much there is of it, where that is known.
        hidden: Draw nothing; where results themselves appear on the terminal meanwhile.
    """
    count = Count()
    count.reset(total)
    with Bar(text, count, hidden=hidden or terminal.quiet) as bar:
        yield Work(bar, count)


def drawable() -> bool:
    """Whether standard error is a terminal on which a line can be drawn again."""
    return sys.stderr.isatty() and os.environ.get("TERM") not in {"dumb", "unknown"}


def _progress(meter: Meter, began: float) -> Progress:
    """Rich's display, whose columns ask the meter whenever they are drawn."""
    from rich.console import Console
    from rich.progress import Progress, ProgressColumn, SpinnerColumn, Task, TextColumn
    from rich.progress_bar import ProgressBar
    from rich.table import Column
    from rich.text import Text

    console = Console(stderr=True, highlight=False, emoji=False, markup=False)
    width = 10 if console.width < _NARROW else 28

    class Line(ProgressColumn):
        max_refresh = None

        def render(self, task: Task) -> ProgressBar:
            share = meter.share()
            return ProgressBar(
                total=1.0 if share is not None else None,
                completed=share or 0.0,
                width=width,
                pulse=share is None,
                animation_time=task.get_time(),
            )

    class Time(ProgressColumn):
        max_refresh = 0.5

        def render(self, task: Task) -> Text:
            del task
            return Text(told(meter, time.monotonic() - began), style="dim")

    text = TextColumn(
        "{task.description}", markup=False, table_column=Column(no_wrap=True, overflow="ellipsis", ratio=1)
    )
    columns = (SpinnerColumn(), text, Line(Column(no_wrap=True)), Time(Column(no_wrap=True)))
    # Standard output belongs to the results: what is written there must not go through this console.
    return Progress(*columns, console=console, transient=True, redirect_stdout=False, expand=True)


def told(meter: Meter, gone: float) -> str:
    """The time left in words, or the time gone by where nobody knows: ``42 %  0:07 left``, ``0:12``."""
    left, share = meter.left(), meter.share()
    if left is None:
        return _clock(gone)
    return (f"{int(100 * share):>2} %  " if share is not None else "") + f"{_clock(left)} left"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
