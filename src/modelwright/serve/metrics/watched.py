"""What the monitors see, in Prometheus's words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric as Family

from modelwright.monitor.standing import LiveView
from modelwright.serve.projects import WatchedProject
from modelwright.store.records import JobState

_KINDS = ("drift", "alarm", "quality")
_MODEL = ["name", "version", "model"]


def watched_families(watched: Mapping[str, WatchedProject]) -> Iterator[Family]:
    """Gauges by the name that a project is served under."""
    pending = GaugeMetricFamily(
        "modelwright_new_samples_pending", "Labelled rows that wait to be trained on", labels=["name"]
    )
    threshold = GaugeMetricFamily(
        "modelwright_retrain_threshold", "From how many new samples on a retraining starts", labels=["name"]
    )
    job = GaugeMetricFamily(
        "modelwright_latest_job", "1 for the state of the newest retraining", labels=["name", "state"]
    )
    for name, each in watched.items():
        for state in JobState if each.latest_job else ():
            job.add_metric([name, state.value], float(state.value == each.latest_job))
        pending.add_metric([name], each.new_samples_pending)
        if each.retrain_threshold is not None:
            threshold.add_metric([name], each.retrain_threshold)
    yield from (pending, threshold, job)
    views = {name: each.live for name, each in watched.items() if each.live is not None}
    yield from _quality(views)
    yield from _drift(views)
    yield from _alarms(views)


def _quality(views: Mapping[str, LiveView]) -> Iterator[Family]:
    labels = [*_MODEL, "metric"]
    told = {
        "": GaugeMetricFamily(
            "modelwright_live_quality", "Quality on the newest labelled predictions", labels=labels
        ),
        "low": GaugeMetricFamily(
            "modelwright_live_quality_low", "Lower end of its 95 % interval", labels=labels
        ),
        "high": GaugeMetricFamily(
            "modelwright_live_quality_high", "Upper end of its 95 % interval", labels=labels
        ),
        "estimate": GaugeMetricFamily(
            "modelwright_live_quality_estimate",
            "Quality of the newest predictions, estimated from confidences without labels",
            labels=labels,
        ),
    }
    rows = GaugeMetricFamily("modelwright_live_labelled_rows", "Labelled rows it is over", labels=_MODEL)
    coverage = GaugeMetricFamily(
        "modelwright_label_coverage",
        "Share of their predictions that has a label",
        labels=_MODEL,
        unit="ratio",
    )
    for name, view in views.items():
        for each in view.quality:
            place = [name, str(each.version), each.model]
            rows.add_metric(place, each.rows)
            if each.predictions:
                coverage.add_metric(place, each.labelled / each.predictions)
            for metric, value in each.metrics.items():
                told[""].add_metric([*place, metric], value.value)
                told["low"].add_metric([*place, metric], value.low)
                told["high"].add_metric([*place, metric], value.high)
            for metric, value in each.estimate.items():
                told["estimate"].add_metric([*place, metric], value.value)
    yield from (*told.values(), rows, coverage)


def _drift(views: Mapping[str, LiveView]) -> Iterator[Family]:
    features = GaugeMetricFamily(
        "modelwright_drift_psi",
        "Population stability index of the newest window against training, net of chance",
        labels=["name", "version", "feature"],
    )
    answers = GaugeMetricFamily(
        "modelwright_prediction_drift_psi", "The same of a model's answers", labels=_MODEL
    )
    for name, view in views.items():
        if view.drift is None:
            continue
        version = str(view.drift.version)
        for feature, size in view.drift.features.items():
            features.add_metric([name, version, feature], size)
        for model, size in view.drift.predictions.items():
            answers.add_metric([name, version, model], size)
    yield from (features, answers)


def _alarms(views: Mapping[str, LiveView]) -> Iterator[Family]:
    active = GaugeMetricFamily("modelwright_alarms", "Alarms that are raised now", labels=["name", "kind"])
    rows = CounterMetricFamily(
        "modelwright_monitored_predictions", "Predictions that the monitors looked at", labels=["name"]
    )
    skipped = CounterMetricFamily(
        "modelwright_monitor_skipped_predictions", "Left out because too many came", labels=["name"]
    )
    read = GaugeMetricFamily(
        "modelwright_monitor_read_timestamp_seconds", "Up to when the log was read", labels=["name"]
    )
    for name, view in views.items():
        counts = Counter(alarm.kind for alarm in view.alarms)
        for kind in _KINDS:
            active.add_metric([name, kind], counts[kind])
        rows.add_metric([name], view.rows)
        skipped.add_metric([name], view.skipped)
        if view.read is not None:
            read.add_metric([name], view.read.timestamp())
    yield from (active, rows, skipped, read)
