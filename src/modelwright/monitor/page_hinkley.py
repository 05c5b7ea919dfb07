"""The Page-Hinkley test over many streams at once.

It adds up by how much values exceed (or fall short of) a mean, less a tolerated drift, and alarms
once the sum has risen by ``threshold`` above its lowest point; that point is when the change began.
Source: Page, "Continuous inspection schemes", Biometrika 41, 1954; Hinkley, "Inference about the
change-point from cumulative sum tests", Biometrika 58, 1971.

With the running mean and ``forgetting`` it is the test as River implements it; with a known mean it
is Page's original, which also notices a change that came before the first row.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

_CHUNK = 1024
Floats = NDArray[np.float64]


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A stream changed.

    Attributes:
        channel: Which stream.
        row: When that was noticed, counted from 0 over the whole stream.
        since: The row at which the change began, as the detector estimates it.
        before, now: The stream's mean before and since.
        detector: Who noticed.
    """

    channel: int
    row: int
    since: int
    before: float
    now: float
    detector: str

    @property
    def up(self) -> bool:
        """Whether values became larger."""
        return self.now > self.before


class PageHinkleySettings(msgspec.Struct, frozen=True, kw_only=True):
    """Attributes:
    tolerance: Drift of the mean that is not a change (often called delta).
    threshold: Rise of the sum that is one (often called lambda).
    least: Rows before the first alarm.
    forgetting: Factor on the sum at each row; 1 forgets nothing.
    """

    tolerance: float = 0.005
    threshold: float = 50.0
    least: int = 30
    forgetting: float = 1.0


class PageHinkleyState(msgspec.Struct):
    """All that a ``PageHinkley`` remembers; lists are by channel."""

    settings: list[PageHinkleySettings]
    means: list[float | None]
    row: int
    seen: list[int]
    total: list[float]
    up: list[float]
    lowest: list[float]
    lowest_row: list[int]
    down: list[float]
    highest: list[float]
    highest_row: list[int]


def settings_for(rate: float, deviation: float, tolerance: float, rows_before: int) -> PageHinkleySettings:
    """Settings that alarm falsely at about ``rate`` a row, for a mean known from ``rows_before`` rows.

    The sum is a random walk with drift ``-tolerance``; by the Brownian approximation an excursion
    reaches h with probability exp(-2 tolerance h / variance). Source: Siegmund, "Sequential
    Analysis", 1985, chapter 10. The uncertainty of the mean (2.5 standard errors) is tolerated on top.
    """
    variance = deviation * deviation
    threshold = math.log(max(math.e, 2 * tolerance**2 / variance / rate)) * variance / (2 * tolerance)
    unsure = 2.5 * deviation / math.sqrt(max(1, rows_before))
    return PageHinkleySettings(tolerance=tolerance + unsure, threshold=threshold)


class PageHinkley:
    """Page-Hinkley, both ways, on several streams; a change resets its stream."""

    def __init__(self, settings: Sequence[PageHinkleySettings], means: Floats | None = None) -> None:
        """Begin.

        Args:
            settings: One a channel.
            means: Known mean of each channel; NaN (or ``None`` for all) takes the running mean.
        """
        self._settings = list(settings)
        channels = len(self._settings)
        self._tolerance, self._threshold, self._least, self._forgetting = (
            np.array([getattr(each, name) for each in self._settings], dtype=np.float64)
            for name in ("tolerance", "threshold", "least", "forgetting")
        )
        self._means = np.full(channels, np.nan) if means is None else np.asarray(means, dtype=np.float64)
        self._row = 0
        self._seen = np.zeros(channels, dtype=np.int64)
        self._total, self._up, self._down = (np.zeros(channels) for _ in range(3))
        self._lowest, self._highest = np.full(channels, np.inf), np.full(channels, -np.inf)
        self._lowest_row, self._highest_row = (np.zeros(channels, dtype=np.int64) for _ in range(2))

    def update(self, values: Floats) -> list[Change]:
        """Take rows.

        Args:
            values: [rows, channels]; a NaN is a row that its stream does not have.

        Returns:
            The changes, in order of rows.
        """
        changes: list[Change] = []
        every = np.arange(len(self._settings))
        for start in range(0, len(values), _CHUNK):
            part = values[start : start + _CHUNK]
            self._take(part, every, self._row, changes)
            self._row += len(part)
        return sorted(changes, key=lambda change: (change.row, change.channel))

    def _take(self, values: Floats, channels: NDArray[np.int64], first: int, changes: list[Change]) -> None:
        """Rows of some channels, the first being row ``first``; where one alarms, the rest anew."""
        if not len(values):
            return
        some = ~np.isnan(values)
        filled = np.where(some, values, 0.0)
        seen = self._seen[channels] + some.cumsum(axis=0)
        total = self._total[channels] + filled.cumsum(axis=0)
        mean = np.where(np.isnan(self._means[channels]), total / np.maximum(seen, 1), self._means[channels])
        deviation, tolerance = (
            np.where(some, values - mean, 0.0),
            np.where(some, self._tolerance[channels], 0.0),
        )
        factor = np.where(some, self._forgetting[channels], 1.0)
        up = _recursion(self._up[channels], deviation - tolerance, factor)
        down = _recursion(self._down[channels], deviation + tolerance, factor)
        lowest = np.minimum(np.minimum.accumulate(np.where(some, up, np.inf), axis=0), self._lowest[channels])
        highest = np.maximum(
            np.maximum.accumulate(np.where(some, down, -np.inf), axis=0), self._highest[channels]
        )
        ready = some & (seen >= self._least[channels])
        rose = ready & (up - lowest > self._threshold[channels])
        alarm = rose | (ready & (highest - down > self._threshold[channels]))
        end = np.where(alarm.any(axis=0), alarm.argmax(axis=0), len(values) - 1)
        place = (end, np.arange(len(channels)))
        self._keep_rows(channels, first, end, (up, lowest), (down, highest))
        for name, series in (("_seen", seen), ("_total", total), ("_up", up), ("_lowest", lowest),
                             ("_down", down), ("_highest", highest)):  # fmt: skip
            getattr(self, name)[channels] = series[place]
        for slot in np.flatnonzero(alarm.any(axis=0)):
            channel, at = int(channels[slot]), int(end[slot])
            changes.append(
                self._change(channel, first + at, float(mean[at, slot]), went_up=bool(rose[at, slot]))
            )
            self._reset(channel)
            self._take(values[at + 1 :, [slot]], channels[[slot]], first + at + 1, changes)

    def _change(self, channel: int, row: int, mean: float, *, went_up: bool) -> Change:
        """The alarm of a channel whose sums have been kept up to ``row``."""
        since = int((self._lowest_row if went_up else self._highest_row)[channel]) + 1
        if went_up:
            excess = self._up[channel] - self._lowest[channel]
        else:
            excess = self._down[channel] - self._highest[channel]
        step = float(excess) / max(1, row - since + 1)
        step += math.copysign(self._tolerance[channel], step)
        return Change(
            channel=channel, row=row, since=since, before=mean, now=mean + step, detector="page_hinkley"
        )

    def _keep_rows(
        self,
        channels: NDArray[np.int64],
        first: int,
        end: NDArray[np.int64],
        lows: tuple[Floats, Floats],
        highs: tuple[Floats, Floats],
    ) -> None:
        """Remember at which row each sum had its extreme, up to each channel's ``end``."""
        inside = np.arange(len(lows[0]))[:, None] <= end
        for rows, (series, extreme), kept in (
            (self._lowest_row, lows, self._lowest),
            (self._highest_row, highs, self._highest),
        ):
            final = extreme[end, np.arange(len(channels))]
            at = ((series == final) & inside).argmax(axis=0)
            moved = final != kept[channels]
            rows[channels] = np.where(moved, first + at, rows[channels])

    def _reset(self, channel: int) -> None:
        for values in (self._seen, self._total, self._up, self._down):
            values[channel] = 0
        self._lowest[channel], self._highest[channel] = np.inf, -np.inf

    def state(self) -> PageHinkleyState:
        """What has to be kept to go on later; infinities are kept as the largest floats."""
        big = np.finfo(np.float64).max
        return PageHinkleyState(
            settings=self._settings,
            means=[None if math.isnan(mean) else mean for mean in self._means.tolist()],
            row=self._row,
            seen=self._seen.tolist(),
            total=self._total.tolist(),
            up=self._up.tolist(),
            lowest=np.minimum(self._lowest, big).tolist(),
            lowest_row=self._lowest_row.tolist(),
            down=self._down.tolist(),
            highest=np.maximum(self._highest, -big).tolist(),
            highest_row=self._highest_row.tolist(),
        )

    @classmethod
    def restored(cls, state: PageHinkleyState) -> PageHinkley:
        """Go on where ``state`` was taken."""
        means = np.array([np.nan if mean is None else mean for mean in state.means], dtype=np.float64)
        made = cls(state.settings, means)
        made._row = state.row
        for name in ("seen", "lowest_row", "highest_row"):
            setattr(made, f"_{name}", np.array(getattr(state, name), dtype=np.int64))
        for name in ("total", "up", "lowest", "down", "highest"):
            setattr(made, f"_{name}", np.array(getattr(state, name), dtype=np.float64))
        return made


def _recursion(start: Floats, steps: Floats, factor: Floats) -> Floats:
    """s[t] = factor[t] s[t-1] + steps[t], from ``start``; along rows, for every channel."""
    if (factor == 1.0).all():
        return np.asarray(start + steps.cumsum(axis=0))
    powers = factor.cumprod(axis=0)
    return np.asarray(powers * (start + (steps / powers).cumsum(axis=0)))
