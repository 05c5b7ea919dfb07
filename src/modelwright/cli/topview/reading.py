"""A server's metrics as one reading, asked over HTTP, and what happened between two of them."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from prometheus_client.parser import text_string_to_metric_families

from modelwright.cli.asking import KEY_VARIABLE, SERVER
from modelwright.client import messages
from modelwright.errors import ExitCode, ModelwrightError

_SECONDS = 5.0
_MOST_BYTES = 8_000_000

Labels = Mapping[str, str]


class NotAnswering(ModelwrightError):
    """The server cannot be asked."""

    code = ExitCode.UNAVAILABLE


@dataclass(frozen=True)
class Reading:
    """The metrics at one moment.

    Attributes:
        taken: When, on the monotonic clock, seconds.
        values: Of each metric, by its labels (sorted pairs).
    """

    taken: float
    values: Mapping[str, Mapping[tuple[tuple[str, str], ...], float]]

    def of(self, metric: str, **wanted: str) -> Iterator[tuple[Labels, float]]:
        """The samples of a metric that carry these labels."""
        for pairs, value in self.values.get(metric, {}).items():
            labels = dict(pairs)
            if all(labels.get(name) == word for name, word in wanted.items()):
                yield labels, value

    def sum(self, metric: str, **wanted: str) -> float:
        """The sum of those."""
        return sum(value for _, value in self.of(metric, **wanted))


@dataclass(frozen=True)
class Between:
    """Two readings of one server; a counter that fell was started anew."""

    before: Reading
    after: Reading
    seconds: float = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "seconds", max(self.after.taken - self.before.taken, 1e-9))

    def rate(self, metric: str, *, status: str = "", **wanted: str) -> float:
        """How much a counter grew a second, over the samples with these labels.

        Args:
            metric: The counter's name.
            status: What the label ``status`` begins with.
            wanted: Other labels.
        """
        grown = 0.0
        earlier = self.before.values.get(metric, {})
        for labels, value in self.after.of(metric, **wanted):
            if labels.get("status", "").startswith(status):
                then = earlier.get(tuple(sorted(labels.items())), 0.0)
                grown += value - then if value >= then else value
        return grown / self.seconds

    def quantile(self, metric: str, share: float, **wanted: str) -> float | None:
        """A quantile of what a histogram counted in between, by linear interpolation in its bucket.

        Args:
            metric: The histogram's name.
            share: Between 0 and 1.
            wanted: Labels.

        Returns:
            ``None`` where nothing was counted; the last bound where the quantile lies beyond it.
        """
        counts: defaultdict[float, float] = defaultdict(float)
        earlier = self.before.values.get(f"{metric}_bucket", {})
        for labels, value in self.after.of(f"{metric}_bucket", **wanted):
            then = earlier.get(tuple(sorted(labels.items())), 0.0)
            counts[float(labels["le"])] += value - min(then, value)
        bounds = sorted(counts)
        if not bounds or not counts[bounds[-1]]:
            return None
        target, low, below = share * counts[bounds[-1]], 0.0, 0.0
        for bound in bounds:
            if counts[bound] >= target:
                if bound == float("inf"):
                    return low
                inside = counts[bound] - below
                return low + (bound - low) * ((target - below) / inside if inside else 1.0)
            low, below = bound, counts[bound]
        return low


def read(url: str, key: str | None) -> Reading:
    """Ask a server for its metrics.

    Args:
        url: Its address.
        key: An API key or a token, where it wants one.

    Raises:
        NotAnswering: It cannot be reached, refuses, or answers something else.
    """
    try:
        address = messages.base_url(url) + "prometheus_metrics"
    except ValueError as error:
        raise NotAnswering(f"'{url}' is no address of a server.", f"Give one like {SERVER}.") from error
    headers = messages.headers(key) | {"accept": "text/plain; version=0.0.4"}
    request = urllib.request.Request(address, headers=headers)  # noqa: S310 - only http, see above
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310 - see above
            text = answer.read(_MOST_BYTES).decode("utf-8", errors="replace")
    except urllib.error.HTTPError as error:
        raise _refused(url, error.code) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise NotAnswering(
            f"No server answers at {url}: {reason}.",
            "Start one with: modelwright serve. Or give its address: modelwright top http://HOST:PORT",
        ) from error
    return Reading(time.monotonic(), _parsed(url, text))


def _refused(url: str, status: int) -> NotAnswering:
    if status in {401, 403}:
        return NotAnswering(
            f"The server at {url} wants a key with the scope 'read' ({status}).",
            f"Give it in the environment variable {KEY_VARIABLE}; make one with: "
            "modelwright keys create NAME --scope read",
        )
    return NotAnswering(f"The server at {url} answers {status}.", "Is it a Modelwright server?")


def _parsed(url: str, text: str) -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
    values: defaultdict[str, dict[tuple[tuple[str, str], ...], float]] = defaultdict(dict)
    try:
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                values[sample.name][tuple(sorted(sample.labels.items()))] = sample.value
    except ValueError as error:
        raise NotAnswering(f"What {url} answers are no metrics.", "Is it a Modelwright server?") from error
    if "modelwright_model_info" not in values:
        raise NotAnswering(
            f"What {url} answers are no metrics of a Modelwright server.", "Check the address."
        )
    return dict(values)
