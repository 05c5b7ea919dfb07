"""Geometry of measurements with their uncertainty over time: a dot and its interval each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from modelwright.serve.dashboard.charts import HEIGHT, Tick, nice
from modelwright.serve.dashboard.render import figure


@dataclass(frozen=True, slots=True)
class Measured:
    """A value at a moment, with its interval, of the series ``series``."""

    time: datetime
    value: float
    low: float
    high: float
    series: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Dot:
    """A measurement's place: per cent from the left, pixels from the top, and what is told of it."""

    x: float
    y: float
    top: float
    bottom: float
    series: int
    tip: str


@dataclass(frozen=True, slots=True)
class Trend:
    """Measurements, ready to be drawn."""

    dots: tuple[Dot, ...]
    rows: tuple[Tick, ...]
    times: tuple[Tick, ...]
    names: tuple[str, ...]
    table: tuple[Measured, ...]
    floor: float | None
    height: int = HEIGHT


def trend(found: Sequence[Measured], *, floor: float | None = None) -> Trend:
    """Place measurements in the box; ``floor`` is a line that should not be crossed."""
    ordered = sorted(found, key=lambda each: each.time)
    names = tuple(dict.fromkeys(each.series for each in ordered))
    if not ordered:
        return Trend((), (), (), (), (), None)
    least, most = min(each.low for each in ordered), max(each.high for each in ordered)
    if floor is not None:
        least, most = min(least, floor), max(most, floor)
    bottom, ticks = _scale(least, most)
    top = ticks[-1]

    def level(value: float) -> float:
        return HEIGHT - 4 - (HEIGHT - 14) * (value - bottom) / ((top - bottom) or 1)

    first, last = ordered[0].time.timestamp(), ordered[-1].time.timestamp()
    span = (last - first) or 1.0

    def across(time: datetime) -> float:
        return 50.0 if last == first else 3 + 94 * (time.timestamp() - first) / span

    return Trend(
        dots=tuple(
            Dot(
                across(each.time),
                level(each.value),
                level(each.high),
                level(each.low),
                names.index(each.series),
                "\n".join(filter(None, (_told(each), each.note))),
            )
            for each in ordered
        ),
        rows=tuple(Tick(level(value), word) for value, word in zip(ticks, _words(ticks), strict=True)),
        times=tuple(
            Tick(across(each.time), f"{each.time:%-d %b %H:%M}")
            for each in ((ordered[0], ordered[-1]) if span > 1 else ordered[:1])
        ),
        names=names,
        table=tuple(reversed(ordered)),
        floor=None if floor is None else level(floor),
    )


def _scale(least: float, most: float) -> tuple[float, tuple[float, ...]]:
    """The bottom and round values from there to the top."""
    if least >= 0 and least < 0.4 * most:
        ticks = nice(most)
        return 0.0, ticks
    room = (most - least) or abs(most) * 0.1 or 1.0
    step = nice(room)[1]
    start = step * (least // step)
    count = int((most - start) / step - 1e-9) + 1
    ticks = tuple(start + step * place for place in range(count + 1))
    return start, ticks


def _words(ticks: Sequence[float]) -> list[str]:
    """The ticks' numbers with as many digits as tell them apart."""
    words: list[str] = []
    for digits in range(3, 16):
        words = [figure(value, digits) for value in ticks]
        if len(set(words)) == len(words):
            break
    return words


def _told(each: Measured) -> str:
    interval = "" if each.low == each.high else f" ({figure(each.low, 3)} to {figure(each.high, 3)})"
    return f"{each.series}: {figure(each.value)}{interval}\n{each.time:%-d %b %Y %H:%M} UTC"
