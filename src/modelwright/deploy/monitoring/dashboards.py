"""Grafana's dashboards as plain data: rows of panels, each a few queries and how to draw them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

SOURCE = {"type": "prometheus", "uid": "modelwright-prometheus"}
_SCHEMA = 39  # of Grafana 10 and later
_WIDTH = 24
_J = 'job="modelwright"'
_I = f'{_J}, instance=~"$instance"'
_N = f'{_I}, name=~"$name"'


@dataclass(frozen=True)
class Panel:
    """One picture.

    Attributes:
        title: What it shows.
        queries: PromQL, each with how its lines are called.
        unit: Grafana's name of the unit.
        kind: "timeseries", "stat", "bargauge" or "table".
        width: Of 24 columns.
        words: What to make of it.
        low, high: Ends of the scale, where they are known.
    """

    title: str
    queries: tuple[tuple[str, str], ...]
    unit: str = "short"
    kind: str = "timeseries"
    width: int = 8
    words: str = ""
    low: float | None = None
    high: float | None = None


def _rate(metric: str, by: str, which: str = _I) -> str:
    grouped = f" by ({by})" if by else ""
    return f"sum{grouped} (rate({metric}_total{{{which}}}[$__rate_interval]))"


def _quantile(share: float) -> str:
    buckets = f'modelwright_request_duration_seconds_bucket{{{_I}, protocol!="http"}}'
    return f"histogram_quantile({share}, sum by (le) (rate({buckets}[$__rate_interval])))"


def _now(metric: str, which: str = _I) -> str:
    return f"modelwright_{metric}{{{which}}}"


_REQUESTS = "modelwright_requests"
_FAILED = _rate(_REQUESTS, "", f'{_I}, status=~"5.."')
_PROCESS = "{{role}} {{slot}}"
_MODEL = "{{name}} v{{version}} {{model}}"
_METRIC = f"{_MODEL} {{{{metric}}}}"
_QUALITY = f'{_N}, metric=~"$metric"'


def api_health() -> dict[str, Any]:
    """Whether the service answers, how fast, and what its processes take."""
    rows = [
        [
            Panel("Servers up", ((f"sum(up{{{_I}}})", "up"),), kind="stat", width=4),
            Panel("Requests", ((_rate(_REQUESTS, ""), "requests"),), "reqps", "stat", 5),
            Panel(
                "Failing",
                ((f"({_FAILED} or vector(0)) / {_rate(_REQUESTS, '')}", "share"),),
                "percentunit",
                "stat",
                5,
            ),
            Panel("p99", ((_quantile(0.99), "p99"),), "s", "stat", 5),
            Panel("Log waiting", ((f"sum({_now('log_waiting_bytes')})", "waiting"),), "bytes", "stat", 5),
        ],
        [
            Panel("Requests by route", ((_rate(_REQUESTS, "route"), "{{route}}"),), "reqps", width=12),
            Panel(
                "Answers by status",
                ((_rate(_REQUESTS, "status"), "{{status}}"),),
                "reqps",
                width=12,
                words="4xx: what clients sent was refused. 5xx: the service failed.",
            ),
        ],
        [
            Panel(
                "Latency of predictions",
                tuple(
                    (_quantile(share), name) for share, name in ((0.5, "p50"), (0.9, "p90"), (0.99, "p99"))
                ),
                "s",
                width=12,
                words="Seconds in the server, from the last byte of the request.",
                low=0,
            ),
            Panel(
                "Processor time",
                ((_rate("modelwright_process_cpu_seconds", "role, slot"), _PROCESS),),
                "percentunit",
                width=6,
                words="1 is a core in use.",
                low=0,
            ),
            Panel(
                "Memory",
                ((f"sum by (role, slot) ({_now('process_resident_memory_bytes')})", _PROCESS),),
                "bytes",
                width=6,
                low=0,
            ),
        ],
        [
            Panel(
                "Undelivered predictions",
                ((_now("log_waiting_bytes"), "{{instance}}"),),
                "bytes",
                width=12,
                words="Full segments of the journals; what a worker writes to now is not counted.",
                low=0,
            ),
            Panel("Segments of the log", ((_now("log_segments"), "{{instance}}"),), width=6, low=0),
            Panel(
                "Open files",
                ((f"sum by (role) ({_now('process_open_fds')})", "{{role}}"),),
                width=6,
                low=0,
            ),
        ],
    ]
    return _dashboard("modelwright-api-health", "Modelwright: API health", rows, [_variable("instance")])


def model_performance() -> dict[str, Any]:
    """What the models answer, how good it is, and whether the world moved."""
    rows = [_standing(), _quality(), _answers(), _drift()]
    variables = [_variable("instance"), _variable("name"), _variable("metric", "modelwright_model_quality")]
    return _dashboard("modelwright-model-performance", "Modelwright: model performance", rows, variables)


def _standing() -> list[Panel]:
    live = "{{name}} v{{version}}: {{estimator}}"
    return [
        Panel("Live", ((_now("model_info", _N), live),), kind="table", width=10),
        Panel(
            "Alarms raised", ((f"sum by (kind) ({_now('alarms', _N)})", "{{kind}}"),), kind="stat", width=5
        ),
        Panel(
            "Samples waiting",
            ((f"sum({_now('new_samples_pending', _N)})", "samples"),),
            kind="stat",
            width=4,
        ),
        Panel(
            "Newest retraining",
            ((f"max by (state) ({_now('latest_job', _N)}) == 1", "{{state}}"),),
            kind="stat",
            width=5,
        ),
    ]


def _quality() -> list[Panel]:
    return [
        Panel(
            "Live quality",
            (
                (_now("live_quality", _QUALITY), _METRIC),
                (_now("live_quality_low", _QUALITY), f"{_METRIC} (low)"),
                (_now("live_quality_high", _QUALITY), f"{_METRIC} (high)"),
            ),
            width=12,
            words="On the newest labelled predictions, with the 95 % interval.",
        ),
        Panel(
            "Estimated without labels",
            ((_now("live_quality_estimate", _QUALITY), _METRIC),),
            width=6,
            words="From the model's own confidences: as good as these are calibrated.",
        ),
        Panel(
            "At training",
            ((_now("model_quality", f'{_I}, name=~"$name", metric=~"$metric"'), _METRIC),),
            width=6,
            words="On held-out rows.",
        ),
    ]


def _answers() -> list[Panel]:
    return [
        Panel(
            "Answers",
            ((_rate("modelwright_predictions", "name, answer", _N), "{{name}} {{answer}}"),),
            "reqps",
            width=12,
            low=0,
        ),
        Panel("Labelled predictions", ((_now("live_labelled_rows", _N), _MODEL),), width=6, low=0),
        Panel(
            "Share that has a label",
            ((_now("label_coverage_ratio", _N), _MODEL),),
            "percentunit",
            width=6,
            low=0,
            high=1,
        ),
    ]


def _drift() -> list[Panel]:
    return [
        Panel(
            "Drift, the ten columns that moved most",
            ((f"topk(10, {_now('drift_psi', _N)})", "{{name}} {{feature}}"),),
            kind="bargauge",
            width=12,
            words="Population stability index against training: 0.2 is the default alarm.",
            low=0,
        ),
        Panel(
            "Drift of the answers",
            ((_now("prediction_drift_psi", _N), "{{name}} {{model}}"),),
            width=6,
            low=0,
        ),
        Panel(
            "Monitored",
            (
                (_rate("modelwright_monitored_predictions", "name", _N), "{{name}} looked at"),
                (_rate("modelwright_monitor_skipped_predictions", "name", _N), "{{name}} skipped"),
            ),
            "reqps",
            width=6,
            low=0,
        ),
    ]


def _variable(label: str, metric: str = "") -> dict[str, Any]:
    metric = metric or ("modelwright_model_info" if label == "name" else "up")
    query = f"label_values({metric}{{{_J}}}, {label})"
    return {
        "name": label,
        "label": label,
        "type": "query",
        "datasource": SOURCE,
        "definition": query,
        "query": {"query": query, "refId": "A"},
        "includeAll": True,
        "multi": True,
        "allValue": ".*",
        "current": {"selected": True, "text": "All", "value": "$__all"},
        "refresh": 2,
        "sort": 1,
    }


def _dashboard(
    uid: str, title: str, rows: list[list[Panel]], variables: list[dict[str, Any]]
) -> dict[str, Any]:
    panels: list[dict[str, Any]] = []
    top = 0
    for row in rows:
        height = 4 if all(panel.kind in {"stat", "table"} for panel in row) else 8
        left = 0
        for panel in row:
            place = {"x": left, "y": top, "w": panel.width, "h": height}
            panels.append(_panel(len(panels) + 1, panel, place))
            left += panel.width
        assert left == _WIDTH, (title, row[0].title, left)  # noqa: S101 - a row that is not full looks torn
        top += height
    return {
        "uid": uid,
        "title": title,
        "tags": ["modelwright"],
        "schemaVersion": _SCHEMA,
        "version": 1,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "timezone": "browser",
        "templating": {"list": variables},
        "annotations": {"list": []},
        "panels": panels,
    }


def _panel(number: int, panel: Panel, place: dict[str, int]) -> dict[str, Any]:
    ends = {name: value for name, value in (("min", panel.low), ("max", panel.high)) if value is not None}
    found: dict[str, Any] = {
        "id": number,
        "title": panel.title,
        "description": panel.words,
        "type": panel.kind,
        "datasource": SOURCE,
        "gridPos": place,
        "targets": [
            {
                "refId": chr(ord("A") + slot),
                "datasource": SOURCE,
                "expr": query,
                "legendFormat": legend or "__auto",
                **({"instant": True, "range": False} if panel.kind in {"table", "bargauge"} else {}),
            }
            for slot, (query, legend) in enumerate(panel.queries)
        ],
        "fieldConfig": {"defaults": {"unit": panel.unit, **ends}, "overrides": []},
        "options": _OPTIONS[panel.kind],
    }
    if panel.kind == "table":
        found["transformations"] = [
            {"id": "labelsToFields", "options": {"mode": "columns"}},
            {"id": "merge", "options": {}},
        ]
    return found


_OPTIONS: dict[str, dict[str, Any]] = {
    "timeseries": {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}},
    "stat": {"reduceOptions": {"calcs": ["lastNotNull"]}, "colorMode": "value", "graphMode": "area"},
    "bargauge": {
        "reduceOptions": {"calcs": ["lastNotNull"]},
        "orientation": "horizontal",
        "displayMode": "basic",
    },
    "table": {"showHeader": True},
}
