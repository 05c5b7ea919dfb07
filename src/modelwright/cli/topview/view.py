"""What ``modelwright top`` shows: what a server does now, from two readings of its metrics."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from modelwright.cli.topview.reading import Between, Labels, Reading
from modelwright.figures import duration, size

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

_ANSWERS = 6
_BAR = 24
_ROUTES = 12
_REQUESTS = "modelwright_requests_total"
_DURATION = "modelwright_request_duration_seconds"


def facts(between: Between) -> dict[str, Any]:
    """What is shown, for programs; rates are per second."""
    after = between.after
    return {
        "models": [_model(labels, after) for labels, _ in after.of("modelwright_model_info")],
        "requests": between.rate(_REQUESTS),
        "errors": between.rate(_REQUESTS, status="5"),
        "p50": between.quantile(_DURATION, 0.5),
        "p99": between.quantile(_DURATION, 0.99),
        "routes": list(_routes(between)),
        "log_bytes": after.sum("modelwright_log_journal_bytes"),
        "log_waiting_bytes": after.sum("modelwright_log_waiting_bytes"),
        "log_segments": after.sum("modelwright_log_segments"),
        "processes": list(_processes(between)),
    }


def _model(labels: Labels, after: Reading) -> dict[str, Any]:
    answers: defaultdict[str, float] = defaultdict(float)
    mine = {"name": labels["name"], "version": labels["version"], "model": labels["model"]}
    for found, value in after.of("modelwright_predictions_total", **mine):
        answers[found["answer"]] += value
    return {
        **{name: labels.get(name, "") for name in ("name", "version", "model", "task", "estimator")},
        "predictions": sum(answers.values()),
        "answers": {name: count for name, count in answers.items() if name},
    }


def _routes(between: Between) -> Iterator[dict[str, Any]]:
    busy = {labels["route"]: 0.0 for labels, _ in between.after.of(_REQUESTS)}
    for route in busy:
        busy[route] = between.rate(_REQUESTS, route=route)
    for route in sorted(busy, key=lambda route: (-busy[route], route)):
        yield {
            "route": route,
            "requests": busy[route],
            "refused": between.rate(_REQUESTS, status="4", route=route),
            "errors": between.rate(_REQUESTS, status="5", route=route),
            "p50": between.quantile(_DURATION, 0.5, route=route),
            "p99": between.quantile(_DURATION, 0.99, route=route),
        }


def _processes(between: Between) -> Iterator[dict[str, Any]]:
    after = between.after
    for labels, memory in after.of("modelwright_process_resident_memory_bytes"):
        mine = {"role": labels["role"], "slot": labels["slot"]}
        yield {
            **mine,
            "cpu": between.rate("modelwright_process_cpu_seconds_total", **mine),
            "memory_bytes": memory,
            "open_files": after.sum("modelwright_process_open_fds", **mine),
            "started": after.sum("modelwright_process_start_time_seconds", **mine),
        }


def view(found: dict[str, Any], url: str, *, now: float | None = None) -> RenderableType:
    """The screen."""
    from rich.console import Group
    from rich.text import Text

    parts: list[RenderableType] = [_head(found, url, now or time.time()), Text("")]
    for model in found["models"]:
        parts += [_model_line(model), *_answer_lines(model), Text("")]
    parts += [*_route_lines(found["routes"]), Text(""), _process_table(found["processes"]), Text("")]
    waiting = found["log_waiting_bytes"]
    held = f"{size(found['log_bytes'])} in {found['log_segments']:.0f} segments"
    late = (f", {size(waiting)} wait for the store", "bold yellow") if waiting else ""
    parts.append(Text.assemble(("journals of the prediction log: ", "dim"), held, late))
    return Group(*parts)


def _head(found: dict[str, Any], url: str, now: float) -> Any:
    from rich.text import Text

    started = [one["started"] for one in found["processes"] if one["started"]]
    up = f"up {duration(max(0.0, now - min(started)))}" if started else ""
    wrong = found["errors"] > 0
    return Text.assemble(
        (url, "bold"),
        f"  {up}\n",
        (f"{found['requests']:,.0f}", "bold"),
        " requests/s   ",
        (f"{found['errors']:,.1f}", "bold red" if wrong else "bold"),
        " errors/s   p50 ",
        (_latency(found["p50"]), "bold"),
        "   p99 ",
        (_latency(found["p99"]), "bold"),
    )


def _model_line(model: dict[str, Any]) -> Any:
    from rich.text import Text

    name = model["name"] if model["model"] in {"model", ""} else f"{model['name']}: {model['model']}"
    return Text.assemble(
        (name, "bold"),
        f" version {model['version']}  {model['estimator']}  {model['task']}   ",
        (f"{model['predictions']:,.0f}", "bold"),
        " predictions",
    )


def _answer_lines(model: dict[str, Any]) -> Iterator[Any]:
    from rich.text import Text

    answers = sorted(model["answers"].items(), key=lambda pair: -pair[1])
    total = sum(count for _, count in answers)
    width = max((len(name) for name, _ in answers[:_ANSWERS]), default=0)
    for name, count in answers[:_ANSWERS] if total else ():
        filled = round(_BAR * count / total)
        yield Text.assemble(
            f"  {name.ljust(width)}  ",
            ("█" * filled, "cyan"),
            ("░" * (_BAR - filled), "dim"),
            f" {count / total:6.1%}",
        )
    if len(answers) > _ANSWERS:
        yield Text(f"  and {len(answers) - _ANSWERS} more", style="dim")


def _table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    from modelwright.cli.terminal import plain_table

    return plain_table(titles, rows, right=titles[1:])


def _route_lines(routes: Sequence[dict[str, Any]]) -> Iterator[Any]:
    """Routes that are asked now, the busiest first; the others are only counted."""
    from rich.text import Text

    busy = [row for row in routes if row["requests"] > 0][:_ROUTES]
    yield _route_table(busy) if busy else Text("no requests now", style="dim")
    if len(busy) < len(routes):
        yield Text(f"and {len(routes) - len(busy)} more routes{' that are quiet' * bool(busy)}", style="dim")


def _route_table(routes: Sequence[dict[str, Any]]) -> Table:
    rows = [
        (
            row["route"],
            f"{row['requests']:,.1f}",
            f"{row['refused']:,.1f}",
            f"{row['errors']:,.1f}",
            _latency(row["p50"]),
            _latency(row["p99"]),
        )
        for row in routes
    ]
    return _table(("route", "requests/s", "refused/s", "errors/s", "p50", "p99"), rows)


def _process_table(processes: Sequence[dict[str, Any]]) -> Table:
    rows = [
        (
            row["role"] if row["role"] != "worker" else f"worker {row['slot']}",
            f"{row['cpu']:.0%}",
            size(row["memory_bytes"]),
            f"{row['open_files']:.0f}",
        )
        for row in processes
    ]
    return _table(("process", "cpu", "memory", "files"), rows)


def _latency(seconds: float | None) -> str:
    return "-" if seconds is None else duration(seconds)
