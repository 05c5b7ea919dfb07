"""ADWIN over many streams at once: a window that grows while nothing changes and shrinks when it does.

The window is kept as an exponential histogram of (count, sum, sum of squares); whenever two parts of
it have means that differ by more than chance allows, its oldest bucket is dropped. Source: Bifet and
Gavaldà, "Learning from time-changing data with adaptive windowing", SIAM Data Mining 2007 (ADWIN2,
with the variance bound of section 4.1).

Two things make it quick in NumPy. A bucket of the lowest level holds ``block`` rows, so work is done
once a block. And the *schedule* of buckets (when two are merged) is shared by all streams: it depends
on time only; where a stream has dropped a bucket, its count there is zero. Every cut between buckets
is tested.
"""

from __future__ import annotations

import math

import msgspec
import numpy as np
from numpy.typing import NDArray

from modelwright.monitor.page_hinkley import Change

Floats = NDArray[np.float64]


class AdwinSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Attributes:
    delta: Chance of a false cut that each test allows.
    block: Rows of a smallest bucket; tests are made once a block.
    buckets: Buckets of a level before two are merged (the paper's M).
    least: Rows that either side of a cut must have.
    """

    delta: float = 0.002
    block: int = 32
    buckets: int = 5
    least: int = 5


class AdwinState(msgspec.Struct):
    """All that an ``Adwin`` remembers; ``sums`` is [3][channels][buckets]: counts, sums, squares."""

    settings: AdwinSettings
    row: int
    levels: list[int]
    sums: list[list[list[float]]]
    pending: list[list[float]]
    pending_rows: int


class Adwin:
    """ADWIN on ``channels`` streams of values whose range is about 1, such as shares or ranks.

    Attributes:
        rows: Rows taken so far.
    """

    def __init__(self, settings: AdwinSettings, channels: int) -> None:
        self.settings = settings
        self.rows = 0
        self._levels: list[int] = []
        self._sums = np.zeros((3, channels, 0))
        self._pending = np.zeros((3, channels))
        self._pending_rows = 0

    @property
    def widths(self) -> Floats:
        """Rows in each stream's window [channels]."""
        return np.asarray(self._sums[0].sum(axis=1) + self._pending[0])

    @property
    def means(self) -> Floats:
        """Mean of each stream's window [channels]; NaN while empty."""
        widths = self.widths
        sums = self._sums[1].sum(axis=1) + self._pending[1]
        return np.asarray(np.divide(sums, widths, out=np.full(len(widths), np.nan), where=widths > 0))

    def update(self, values: Floats) -> list[Change]:
        """Take rows.

        Args:
            values: [rows, channels]; a NaN is a row that its stream does not have.

        Returns:
            The changes, in order of rows.
        """
        changes: list[Change] = []
        some = ~np.isnan(values)
        filled = np.where(some, values, 0.0)
        whole = np.stack([some.astype(np.float64), filled, filled * filled])
        start = 0
        while start < len(values):
            take = min(self.settings.block - self._pending_rows, len(values) - start)
            self._pending += whole[:, start : start + take].sum(axis=1)
            self._pending_rows += take
            self.rows += take
            start += take
            if self._pending_rows == self.settings.block:
                self._insert()
                changes += self._shrink()
        return changes

    def _insert(self) -> None:
        """Make the pending rows a bucket, and merge where a level has too many."""
        self._sums = np.concatenate([self._sums, self._pending[:, :, None]], axis=2)
        self._levels.append(0)
        self._pending = np.zeros_like(self._pending)
        self._pending_rows = 0
        level = 0
        while self._levels.count(level) > self.settings.buckets:
            oldest = self._levels.index(level)
            self._sums[:, :, oldest] += self._sums[:, :, oldest + 1]
            self._sums = np.delete(self._sums, oldest + 1, axis=2)
            del self._levels[oldest + 1]
            self._levels[oldest] = level + 1
            level += 1
        while self._levels and not self._sums[0, :, 0].any():  # what every stream has dropped
            self._sums = self._sums[:, :, 1:]
            del self._levels[0]

    def _shrink(self) -> list[Change]:
        """Drop oldest buckets while two parts of a window differ; one change for each such stream."""
        changes: list[Change] = []
        channels = np.arange(self._sums.shape[1]) if len(self._levels) > 1 else np.arange(0)
        first = True
        while len(channels):
            counts, excess, before, now = self._cuts(channels)
            differ = (excess > 0).any(axis=1)
            if first:
                for slot in np.flatnonzero(differ):
                    cut = int(excess[slot].argmax())
                    changes.append(
                        Change(
                            channel=int(channels[slot]),
                            row=self.rows - 1,
                            since=self.rows - int(counts[slot, cut]),
                            before=float(before[slot, cut]),
                            now=float(now[slot, cut]),
                            detector="adwin",
                        )
                    )
                first = False
            channels = channels[differ]
            oldest = (self._sums[0, channels] > 0).argmax(axis=1)
            self._sums[:, channels, oldest] = 0.0
        return changes

    def _cuts(self, channels: NDArray[np.int64]) -> tuple[Floats, Floats, Floats, Floats]:
        """For every cut [channels, cuts]: rows after it, |difference| over its bound, means about it."""
        count, total, square = self._sums[:, channels]
        n, s = count.sum(axis=1, keepdims=True), total.sum(axis=1, keepdims=True)
        n0, s0 = count.cumsum(axis=1)[:, :-1], total.cumsum(axis=1)[:, :-1]
        n1, s1 = n - n0, s - s0
        least = self.settings.least
        valid = (n0 >= least) & (n1 >= least)
        with np.errstate(divide="ignore", invalid="ignore"):
            variance = np.maximum(square.sum(axis=1, keepdims=True) / n - (s / n) ** 2, 0.0)
            log_term = np.log(2 * np.log(np.maximum(n, math.e)) / self.settings.delta)
            recip = 1 / (n0 - least + 1) + 1 / (n1 - least + 1)
            bound = np.sqrt(2 * recip * variance * log_term) + 2 / 3 * log_term * recip
            before, now = s0 / n0, s1 / n1
            excess = np.where(valid, np.abs(now - before) - bound, -1.0)
        return n1, excess, before, now

    def state(self) -> AdwinState:
        """What has to be kept to go on later."""
        return AdwinState(
            settings=self.settings,
            row=self.rows,
            levels=list(self._levels),
            sums=self._sums.tolist(),
            pending=self._pending.tolist(),
            pending_rows=self._pending_rows,
        )

    @classmethod
    def restored(cls, state: AdwinState) -> Adwin:
        """Go on where ``state`` was taken."""
        made = cls(state.settings, len(state.pending[0]))
        made.rows = state.row
        made._levels = list(state.levels)
        made._sums = np.array(state.sums, dtype=np.float64).reshape(3, len(state.pending[0]), -1)
        made._pending = np.array(state.pending, dtype=np.float64)
        made._pending_rows = state.pending_rows
        return made
