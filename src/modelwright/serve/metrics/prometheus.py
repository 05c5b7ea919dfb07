"""The boards of all workers in Prometheus's words, whichever worker is asked."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from modelwright import __version__
from modelwright.serve.deployment import Deployment
from modelwright.serve.metrics.board import Key, total
from modelwright.serve.metrics.meter import BOUNDS
from modelwright.serve.metrics.summary import PROTOCOLS
from modelwright.serve.metrics.watched import watched_families
from modelwright.serve.processes import Usage, usages
from modelwright.serve.projects import WatchedProject

_ROUTE = ["route", "protocol"]


def exposition(
    accept: str,
    run_dir: Path,
    deployments: Mapping[str, Deployment],
    backlog: Mapping[str, int],
    watched: Mapping[str, WatchedProject],
) -> tuple[bytes, str]:
    """The text and its content type, as ``accept`` wants it (OpenMetrics or Prometheus's own).

    Args:
        accept: The request's ``Accept``.
        run_dir: Where the boards lie.
        deployments: What is served.
        backlog: Of the journals, as ``journal.reader.backlog`` tells it.
        watched: What the store and the monitors say, by name; empty while the store is away.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Boards(run_dir, deployments, backlog))
    registry.register(_Watched(watched))
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type


def described(run_dir: Path) -> Iterator[Metric]:
    """Every metric there is, without a sample, for those who describe them."""
    yield from _Boards(run_dir, {}, {"bytes": 0, "segments": 0, "waiting": 0}).collect()
    yield from watched_families({})


class _Boards(Collector):
    def __init__(
        self, run_dir: Path, deployments: Mapping[str, Deployment], backlog: Mapping[str, int]
    ) -> None:
        self._run_dir = run_dir
        self._deployments = deployments
        self._backlog = backlog

    def collect(self) -> Iterator[Metric]:
        counts = total(self._run_dir)
        yield _requests(counts)
        yield _seconds(counts)
        yield _answers(counts)
        yield from self._log()
        yield from self._models()
        yield from _processes(usages(self._run_dir))

    def _log(self) -> Iterator[Metric]:
        held = GaugeMetricFamily(
            "modelwright_log_journal_bytes", "Journals on disk, each worker's newest whole", unit="bytes"
        )
        held.add_metric([], self._backlog["bytes"])
        yield held
        waiting = GaugeMetricFamily(
            "modelwright_log_waiting_bytes", "Full segments that wait to be delivered", unit="bytes"
        )
        waiting.add_metric([], self._backlog["waiting"])
        yield waiting
        segments = GaugeMetricFamily("modelwright_log_segments", "Their segments")
        segments.add_metric([], self._backlog["segments"])
        yield segments

    def _models(self) -> Iterator[Metric]:
        info = GaugeMetricFamily(
            "modelwright_model_info",
            "What is served",
            labels=["name", "project", "version", "model", "task", "estimator", "dataset_md5", "release"],
        )
        quality = GaugeMetricFamily(
            "modelwright_model_quality",
            "Quality on the rows held out in training",
            labels=["name", "version", "model", "metric"],
        )
        for name, each in self._deployments.items():
            version = str(each.version)
            for entry in each.bundle.manifest.models:
                words = [name, each.assigned.project, version, entry.name, entry.task.value, entry.estimator]
                info.add_metric([*words, each.bundle.manifest.dataset_md5, __version__], 1)
                for metric, measured in entry.metrics.items():
                    quality.add_metric([name, version, entry.name, metric], measured.value)
        yield info
        yield quality


class _Watched(Collector):
    def __init__(self, watched: Mapping[str, WatchedProject]) -> None:
        self._watched = watched

    def collect(self) -> Iterator[Metric]:
        return watched_families(self._watched)


def _requests(counts: Mapping[Key, float]) -> Metric:
    family = CounterMetricFamily(
        "modelwright_requests", "Requests answered or refused", labels=[*_ROUTE, "status"]
    )
    for key, count in counts.items():
        if key[0] == "requests":
            family.add_metric([*_route(key[1]), key[2]], count)
    return family


def _seconds(counts: Mapping[Key, float]) -> Metric:
    family = HistogramMetricFamily(
        "modelwright_request_duration_seconds", "Seconds in the server", labels=_ROUTE
    )
    buckets: defaultdict[str, dict[str, float]] = defaultdict(dict)
    for key, count in counts.items():
        if key[0] == "bucket":
            buckets[key[1]][key[2]] = count
    for kind, counted in buckets.items():
        running, cumulated = 0.0, []
        for place, bound in enumerate(BOUNDS):
            running += counted.get(str(place), 0.0)
            cumulated.append((bound, running))
        family.add_metric(_route(kind), cumulated, sum_value=counts.get(("seconds", kind), 0.0))
    return family


def _answers(counts: Mapping[Key, float]) -> Metric:
    family = CounterMetricFamily(
        "modelwright_predictions", "Rows answered", labels=["name", "version", "model", "answer"]
    )
    for key, count in counts.items():
        if key[0] == "answers":
            family.add_metric(list(key[1:5]), count)
        elif key[0] == "values":
            family.add_metric([*key[1:4], ""], count)
    return family


def _processes(found: Iterable[Usage]) -> Iterator[Metric]:
    labels = ["role", "slot"]
    cpu = CounterMetricFamily("modelwright_process_cpu_seconds", "Processor time", labels=labels)
    memory = GaugeMetricFamily(
        "modelwright_process_resident_memory_bytes", "Resident memory", labels=labels, unit="bytes"
    )
    files = GaugeMetricFamily("modelwright_process_open_fds", "Open file descriptors", labels=labels)
    started = GaugeMetricFamily(
        "modelwright_process_start_time_seconds", "When it began", labels=labels, unit="seconds"
    )
    for each in found:
        words = [each.role, str(each.slot)]
        cpu.add_metric(words, each.cpu_seconds)
        memory.add_metric(words, each.resident_bytes)
        files.add_metric(words, each.open_files)
        started.add_metric(words, each.started)
    yield from (cpu, memory, files, started)


def _route(kind: str) -> list[str]:
    if kind in PROTOCOLS:
        return [PROTOCOLS[kind], kind]
    return [kind, "http"]
