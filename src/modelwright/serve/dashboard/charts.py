"""Geometry of the small charts: numbers in, places in per cent out; the templates draw them as SVG.

Places are per cent of the drawing's width and pixels of its height, so that a chart is as wide as its
page while its words keep their size.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from modelwright.serve.dashboard.render import NOTHING

HEIGHT = 168
_TICKS = 4
_ROUND_TIMES = (
    60,
    300,
    600,
    900,
    1800,
    3600,
    7200,
    10800,
    21600,
    43200,
    86400,
    172800,
    604800,
    2592000,
    7776000,
)


@dataclass(frozen=True, slots=True)
class Tick:
    """A line with its word: at ``at`` (pixels from the top, or per cent from the left)."""

    at: float
    label: str


@dataclass(frozen=True, slots=True)
class Bar:
    """A rectangle: left and width in per cent, top and height in pixels, and which series it is of."""

    x: float
    width: float
    y: float
    height: float
    series: int


@dataclass(frozen=True, slots=True)
class Line:
    """A path in a box of 1000 by ``HEIGHT``, of series ``series``."""

    path: str
    series: int


@dataclass(frozen=True, slots=True)
class Point:
    """A value that has no neighbour to draw a line to: per cent from the left, pixels from the top."""

    x: float
    y: float
    series: int


@dataclass(frozen=True, slots=True)
class Column:
    """What is told where the pointer is over a moment: left and width in per cent, and the words."""

    x: float
    width: float
    tip: str


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart over time, ready to be drawn."""

    bars: tuple[Bar, ...]
    lines: tuple[Line, ...]
    dots: tuple[Point, ...]
    columns: tuple[Column, ...]
    rows: tuple[Tick, ...]
    times: tuple[Tick, ...]
    names: tuple[str, ...]
    table: tuple[tuple[str, tuple[str, ...]], ...]
    empty: bool
    height: int = HEIGHT


def over_time(
    starts: Sequence[int],
    step: int,
    series: Sequence[tuple[str, Sequence[float | None]]],
    *,
    lines: bool = False,
    word: object = None,
) -> Chart:
    """Stacked bars, or lines, over moments ``step`` seconds apart.

    Args:
        starts: When each moment begins, epoch seconds, ascending.
        step: Seconds.
        series: A name and a value a moment; ``None`` where there is none.
        lines: Lines instead of stacked bars.
        word: How values are told (``render.count`` and the like).
    """
    tell = word if callable(word) else "{:g}".format
    most = _most(series, lines=lines, moments=len(starts))
    scale = nice(most, whole=not lines)  # bars count: between 1 and 2 there is nothing
    top = scale[-1]

    def level(value: float) -> float:
        return HEIGHT - 1 - (HEIGHT - 8) * value / top

    width = 100 / max(1, len(starts))
    table = tuple(
        (
            _moment(start, step),
            tuple(NOTHING if values[place] is None else tell(values[place]) for _, values in series),
        )
        for place, start in enumerate(starts)
    )
    drawn, dots = _lines(series, len(starts), level) if lines else ((), ())
    return Chart(
        bars=() if lines else _bars(series, len(starts), width, top),
        lines=drawn,
        dots=dots,
        columns=tuple(
            Column(place * width, width, "\n".join((when, *_told(series, place, tell))))
            for place, (when, _) in enumerate(table)
        ),
        rows=tuple(Tick(level(value), tell(value)) for value in scale),
        times=_time_ticks(starts, step),
        names=tuple(name for name, _ in series),
        table=table,
        empty=most == 0,
    )


def nice(most: float, *, whole: bool = False) -> tuple[float, ...]:
    """Round values from 0 to just above ``most``; ``whole`` ones for counts."""
    if most <= 0 or not math.isfinite(most):
        return (0.0, 1.0)
    rough = max(most / _TICKS, 1.0) if whole else most / _TICKS
    size = 10 ** math.floor(math.log10(rough))
    factors = (1, 2, 5, 10) if whole else (1, 2, 2.5, 5, 10)
    step = next(factor * size for factor in factors if factor * size >= rough)
    return tuple(step * place for place in range(math.ceil(most / step - 1e-9) + 1))


def _most(series: Sequence[tuple[str, Sequence[float | None]]], *, lines: bool, moments: int) -> float:
    if lines:
        return max((value for _, values in series for value in values if value is not None), default=0.0)
    return max((sum(values[place] or 0 for _, values in series) for place in range(moments)), default=0.0)


def _bars(
    series: Sequence[tuple[str, Sequence[float | None]]], moments: int, width: float, top: float
) -> tuple[Bar, ...]:
    bars = []
    gap = min(0.18 * width, 0.25)
    for place in range(moments):
        y = HEIGHT - 1.0
        for number, (_, values) in enumerate(series):
            value = values[place]
            if value:
                height = (HEIGHT - 8) * value / top
                y -= height
                bars.append(Bar(place * width + gap, width - 2 * gap, y, max(height, 0.75), number))
    return tuple(bars)


def _lines(
    series: Sequence[tuple[str, Sequence[float | None]]], moments: int, level: object
) -> tuple[tuple[Line, ...], tuple[Point, ...]]:
    assert callable(level)  # noqa: S101 - given above
    found: list[Line] = []
    dots: list[Point] = []
    for number, (_, values) in enumerate(series):
        path, pen = [], "M"
        for place, value in enumerate(values):
            if value is None:
                pen = "M"
                continue
            x = 1000 * (place + 0.5) / max(1, moments)
            path.append(f"{pen}{x:.1f} {level(value):.1f}")
            before = values[place - 1] if place else None
            after = values[place + 1] if place + 1 < len(values) else None
            if before is None and after is None:
                dots.append(Point(x / 10, level(value), number))
            pen = "L"
        found.append(Line("".join(path), number))
    return tuple(found), tuple(dots)


def _told(series: Sequence[tuple[str, Sequence[float | None]]], place: int, tell: object) -> list[str]:
    assert callable(tell)  # noqa: S101 - given above
    told = []
    for name, values in series:
        value = values[place]
        if value is not None and (value or len(series) <= 3):
            told.append(f"{name}: {tell(value)}")
    return told or ["nothing"]


def _time_ticks(starts: Sequence[int], step: int) -> tuple[Tick, ...]:
    if len(starts) < 2:
        return ()
    span = starts[-1] + step - starts[0]
    every = next((length for length in _ROUND_TIMES if span / length <= 6), _ROUND_TIMES[-1])
    ticks = []
    for place, start in enumerate(starts):
        if start % every < step and start - start % every + step > starts[0]:
            ticks.append(Tick(100 * place / len(starts), _moment(start, every, short=True)))
    return tuple(tick for tick in ticks if 2 <= tick.at <= 96)


def _moment(start: int, step: int, *, short: bool = False) -> str:
    time = datetime.fromtimestamp(start, UTC)
    if step >= 86400:
        return f"{time:%-d %b}" if short else f"{time:%-d %B %Y}"
    return f"{time:%H:%M}" if short else f"{time:%-d %b %H:%M} UTC"
