"""The first page: is it well, how busy is it, what answers, what happened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from modelwright.monitor.standing import LiveView, QualityView, StandingAlarm, live_view
from modelwright.schema.metrics import Metric
from modelwright.serve.dashboard import charts, counts, render
from modelwright.serve.dashboard.counts import RANGES, Stretch, range_called
from modelwright.serve.dashboard.pages import Look
from modelwright.serve.dashboard.reading import challengers, hidden_event, main_metric, open_work
from modelwright.store.ports import Store
from modelwright.store.records import JobState, ReleaseRecord, VersionRecord
from modelwright.store.summaries import Counted

_MOST_SERIES = 7
_FAILING = 0.01
_REFUSING = 0.25
_QUIET = 3600.0


@dataclass(frozen=True, slots=True)
class Word:
    """The state in a sentence: "good", "quiet", "warn" or "bad"."""

    level: str
    sentence: str
    more: str = ""


def view(look: Look) -> dict[str, Any]:
    """Everything the page shows."""
    store, project = look.store, look.room.project
    wanted = range_called(look.query.get("range", ""))
    shown = counts.stretch(store, project, wanted, look.now)
    found = signs(store, project, look.now, shown if wanted is RANGES[0] else None)
    release, hour = found.release, found.hour
    champion = None if release is None else store.versions.get(project, release.version)
    totals = counts.totals(store, project)
    work = open_work(store, project)
    return {
        "ranges": RANGES,
        "range": wanted,
        "word": state(found, look.now),
        "release": release,
        "champion": champion,
        "live": found.live,
        "quality": _quality(found.live, champion),
        "metric": main_metric(champion),
        "challengers": challengers(store, project, release),
        "busy": counts.busy(store, project, look.now),
        "hour": hour,
        "latency": counts.latency(hour),
        "totals": totals,
        "total": sum(each.answered + each.refused for each in totals.values()),
        "newest": found.newest,
        "pending": store.samples.pending(project),
        "work": work,
        "events": [event for event in store.events.list(project, limit=20) if not hidden_event(event)][:8],
        "answers_chart": answers_chart(shown, wanted.step),
        "latency_chart": latency_chart(shown, wanted.step),
    }


def brief(store: Store, project: str, now: datetime) -> dict[str, Any]:
    """A project in a few figures, for the list of all."""
    release = store.releases.current(project)
    champion = None if release is None else store.versions.get(project, release.version)
    return {
        "word": state(signs(store, project, now), now),
        "release": release,
        "metric": main_metric(champion),
        "busy": counts.busy(store, project, now),
        "total": sum(each.answered + each.refused for each in counts.totals(store, project).values()),
    }


@dataclass(frozen=True, slots=True)
class Signs:
    """What the state is judged by.

    Attributes:
        release: What answers.
        hour: The last hour's counts.
        newest: When the last row came.
        failed: What the last retraining said, if it failed.
        live: What the monitors see; ``None`` before they began.
    """

    release: ReleaseRecord | None
    hour: Counted
    newest: datetime | None
    failed: str | None
    live: LiveView | None


def signs(store: Store, project: str, now: datetime, shown: Stretch | None = None) -> Signs:
    """The signs, read; ``shown`` spares reading the last hour's counts again."""
    newest = next(iter(store.predictions.history(project, limit=1)), None)
    last = next(iter(store.jobs.list(project, limit=1)), None)
    return Signs(
        release=store.releases.current(project),
        hour=(shown or counts.stretch(store, project, RANGES[0], now)).whole,
        newest=newest.time if newest is not None else None,
        failed=last.error if last is not None and last.state is JobState.FAILED else None,
        live=live_view(store, project),
    )


def state(found: Signs, now: datetime) -> Word:
    """How the project is, in a sentence: the first that holds, the worst first."""
    if found.release is None:
        return Word(
            "quiet",
            "Nothing answers yet.",
            "Train a version with 'modelwright train', or promote one that is there.",
        )
    who, hour = f"Version {found.release.version}", found.hour
    rows = max(1, hour.answered + hour.refused)
    alarms = found.live.alarms if found.live is not None else ()
    words = (
        (
            hour.failed / rows > _FAILING,
            Word(
                "bad",
                f"{who} answers, but {render.percent(hour.failed / rows)} of the last hour's rows failed.",
            ),
        ),
        (bool(alarms), Word("warn", f"{who} answers, and {_alarms_told(len(alarms))}", _first_of(alarms))),
        (
            found.failed is not None,
            Word("warn", f"{who} answers. The last retraining failed.", found.failed or ""),
        ),
        (
            hour.refused / rows > _REFUSING,
            Word(
                "warn",
                f"{who} answers, and refused {render.percent(hour.refused / rows)} of the last hour's rows.",
                "What was wrong with each is in the prediction log.",
            ),
        ),
        (found.newest is None, Word("quiet", f"{who} is ready. Nobody has asked it anything yet.")),
        (
            found.newest is not None and (now - found.newest).total_seconds() > _QUIET,
            Word("quiet", f"{who} is ready. The last question came {render.ago(found.newest, now)}."),
        ),
    )
    return next(
        (word for holds, word in words if holds), Word("good", f"{who} answers, and nothing is wrong.")
    )


def _alarms_told(count: int) -> str:
    return "an alarm stands." if count == 1 else f"{count} alarms stand."


def _first_of(alarms: Sequence[StandingAlarm]) -> str:
    return alarms[0].message if alarms else ""


def answers_chart(shown: Stretch, step: int) -> charts.Chart:
    """Rows a step: by class of the first model where it has classes, and what was refused."""
    frequent = _frequent(shown.whole)
    series: list[tuple[str, list[float | None]]] = []
    for name in frequent:
        series.append((name, [_of_class(each, name) for each in shown.steps]))
    rest: list[float | None] = [
        each.answered - sum(_of_class(each, name) for name in frequent) for each in shown.steps
    ]
    if any(rest) or not frequent:
        series.append(("other answers" if frequent else "answered", rest))
    series.append(("refused", [float(each.refused) for each in shown.steps]))
    return charts.over_time(shown.starts, step, series, word=render.count)


def latency_chart(shown: Stretch, step: int) -> charts.Chart:
    """The bounds that half and nearly all answers kept."""
    series: list[tuple[str, list[float | None]]] = [
        (f"{name} of answers", [counts.latency(each)[key] for each in shown.steps])
        for name, key in (("50 %", "p50"), ("95 %", "p95"))
    ]
    return charts.over_time(shown.starts, step, series, lines=True, word=render.seconds)


def _quality(live: LiveView | None, champion: VersionRecord | None) -> tuple[str, Metric, QualityView] | None:
    """The metric that picked the champion, or the first there is, on labelled predictions."""
    for each in live.quality if live is not None else ():
        if champion is not None and each.version == champion.number and each.metrics:
            name = champion.metric if champion.metric in each.metrics else next(iter(each.metrics))
            return name, each.metrics[name], each
    return None


def _frequent(whole: Counted) -> list[str]:
    classes: dict[str, int] = {}
    for spread in list(whole.answers.values())[:1]:
        classes = spread.classes
    chosen = sorted(classes, key=lambda name: -classes[name])[:_MOST_SERIES]
    return sorted(chosen)  # so that a class keeps its colour while the counts change


def _of_class(step: Counted, name: str) -> float:
    for spread in list(step.answers.values())[:1]:
        return float(spread.classes.get(name, 0))
    return 0.0
