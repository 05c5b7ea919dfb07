"""How many requests each key may send: a token bucket each."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

from modelwright.serve.auth.errors import TooManyRequests

_MOST_KEPT = 10_000


class RateLimiter:
    """Lets each of its users take ``rate`` requests a second, and up to ``burst`` at once.

    It counts within one process. Where several share a port, give each its part of the rate.
    """

    def __init__(
        self, rate: float, burst: float | None = None, *, ticks: Callable[[], float] = monotonic
    ) -> None:
        self.rate = rate
        self.burst = max(1.0, rate if burst is None else burst)
        self._ticks = ticks
        self._buckets: dict[str, tuple[float, float]] = {}  # what was left, and when

    def take(self, user: str) -> None:
        """Count one request.

        Raises:
            TooManyRequests: The bucket is empty; it says how long until it is not.
        """
        now = self._ticks()
        left, since = self._buckets.get(user, (self.burst, now))
        left = min(self.burst, left + (now - since) * self.rate)
        if left < 1.0:
            self._buckets[user] = (left, now)
            raise TooManyRequests((1.0 - left) / self.rate)
        if user not in self._buckets and len(self._buckets) >= _MOST_KEPT:
            self._forget(now)
        self._buckets[user] = (left - 1.0, now)

    def _forget(self, now: float) -> None:
        """Drop the full buckets, which are as good as new ones; if there are none, the oldest half."""
        kept = {
            user: (left, since)
            for user, (left, since) in self._buckets.items()
            if left + (now - since) * self.rate < self.burst
        }
        if len(kept) >= _MOST_KEPT:
            newest = sorted(kept, key=lambda user: kept[user][1])[_MOST_KEPT // 2 :]
            kept = {user: kept[user] for user in newest}
        self._buckets = kept
