"""What a monitoring set-up is told."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from modelwright.errors import ExitCode, ModelwrightError
from modelwright.project.model import ProjectFile
from modelwright.schema.catalogue import METRICS

_TARGET = re.compile(r"^(\[[0-9a-fA-F:]+\]|[A-Za-z0-9._-]+):\d{1,5}$")
_DURATION = re.compile(r"^\d+(ms|s|m|h|d|w)$")
_AWKWARD = re.compile(r"['\"\\\s\x00-\x1f]")


class MonitoringInvalid(ModelwrightError):
    """Something that a set-up cannot be made of."""

    code = ExitCode.USAGE


@dataclass(frozen=True, kw_only=True)
class MonitoringSettings:
    """What is written into the files.

    Attributes:
        project: Its name.
        targets: ``host:port`` of each server.
        https: Whether they speak TLS.
        alertmanager: ``host:port``.
        prometheus: Address of Prometheus, for Grafana.
        interval: Between two scrapes, in Prometheus's words.
        docs: Where this documentation is served, for links from alerts to what is to be done; "" for none.
        key_file, retrain_key_file: Files with the keys of Prometheus and Alertmanager; "" for none.
        error_rate: Share of failing requests that wakes somebody.
        latency: Seconds of the 99th percentile.
        log_bytes: Undelivered predictions.
        quiet: Time without a prediction, in Prometheus's words.
        wait: How long Alertmanager waits for more of the same.
        floors: Limits of live metrics, by name.
        higher: Whether more of a metric is better, by name.

    Raises:
        MonitoringInvalid: A value would not be understood, or would break out of its place.
    """

    project: str
    targets: tuple[str, ...] = ("127.0.0.1:5000",)
    https: bool = False
    alertmanager: str = "127.0.0.1:9093"
    prometheus: str = "http://127.0.0.1:9090"
    interval: str = "15s"
    key_file: str = ""
    retrain_key_file: str = ""
    docs: str = ""
    error_rate: float = 0.01
    latency: float = 0.25
    log_bytes: int = 64_000_000
    quiet: str = "1h"
    wait: str = "30s"
    floors: Mapping[str, float] = field(default_factory=dict)
    higher: Mapping[str, bool] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for target in (*self.targets, self.alertmanager):
            if not _TARGET.match(target):
                raise MonitoringInvalid(
                    f"'{target}' is no host and port.", "Write it like 127.0.0.1:5000, without http://."
                )
        for duration in (self.interval, self.quiet, self.wait):
            if not _DURATION.match(duration):
                raise MonitoringInvalid(
                    f"'{duration}' is no length of time for Prometheus.", "Write it like 15s, 5m or 1h."
                )
        for path in (self.key_file, self.retrain_key_file, self.prometheus, self.docs):
            if _AWKWARD.search(path):
                raise MonitoringInvalid(f"{path!r} holds quotes or blanks.", "Choose another place.")

    @property
    def webhook(self) -> str:
        """Where Alertmanager asks for a retraining: the first server."""
        scheme = "https" if self.https else "http"
        return f"{scheme}://{self.targets[0]}/webhooks/alertmanager"

    @property
    def limits(self) -> list[tuple[str, float, bool]]:
        """Metrics with their limit, and whether being below it is what is wrong."""
        return [(name, limit, self.higher.get(name, True)) for name, limit in sorted(self.floors.items())]


def floors_of(file: ProjectFile) -> tuple[dict[str, float], dict[str, bool]]:
    """The limits of live metrics that a project file names, and the metrics' directions.

    What starts a retraining (``retrain.quality``) comes first, else what a version must reach
    (``gate.floors``).
    """
    known = {name: info.higher_is_better for metrics in METRICS.values() for name, info in metrics.items()}
    wanted = dict(file.retrain.quality or {}) or dict(file.gate.floors)
    floors = {name: float(limit) for name, limit in wanted.items() if name in known}
    return floors, {name: known[name] for name in floors}
