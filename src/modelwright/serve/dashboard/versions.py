"""All versions, one of them, two side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from modelwright.schema.catalogue import METRICS
from modelwright.schema.metrics import Metric
from modelwright.serve.dashboard import counts
from modelwright.serve.dashboard.markdown import html
from modelwright.serve.dashboard.pages import Look
from modelwright.serve.dashboard.reading import (
    challengers,
    hidden_event,
    main_metric,
    open_work,
    report_folder,
    roles_of,
)
from modelwright.serve.errors import NotFound, clip
from modelwright.store.records import EventRecord, VersionRecord

_MOST = 200
_DUEL = "duel"


def view(look: Look) -> dict[str, Any]:
    """The list, and two of them compared where the address names two."""
    store, project = look.store, look.room.project
    release = store.releases.current(project)
    beside = challengers(store, project, release)
    records = list(store.versions.list(project, limit=_MOST))
    former = {each.version for each in store.releases.list(project, limit=1_000)}
    asked = [value for key, value in _pairs(look) if key == "compare"]
    return {
        "records": records,
        "metrics": {record.number: main_metric(record) for record in records},
        "scale": _scale(records),
        "roles": roles_of(release, beside),
        "former": former,
        "release": release,
        "totals": counts.totals(store, project),
        "waiting": {job.version for job in open_work(store, project).waiting},
        "by_steps": {job.version for job in open_work(store, project).by_steps},
        "compared": _compared(look, asked),
    }


def one(look: Look) -> dict[str, Any]:
    """A version with all that is known of it."""
    store, project = look.store, look.room.project
    record = _version(look, str(look.path["number"]))
    release = store.releases.current(project)
    releases = [each for each in store.releases.list(project, limit=1_000) if each.version == record.number]
    folder = report_folder(look.room, record.number)
    beside = challengers(store, project, release)
    return {
        "record": record,
        "metric": main_metric(record),
        "metrics": metric_rows(record),
        "boards": boards(record),
        "role": roles_of(release, beside).get(record.number, ""),
        "release": release,
        "releases": releases,
        "served": counts.totals(store, project).get(record.number),
        "duels": _duels(look, record.number),
        "plots": []
        if folder is None
        else sorted(str(each.relative_to(folder)) for each in folder.rglob("*.png")),
        "report": folder is not None and (folder / "report.html").is_file(),
        "card": None if folder is None else _text(folder),
        "waiting": open_work(store, project).of_version(record.number),
        "events": [
            event
            for event in store.events.list(project, limit=500)
            if event.data.get("version") == record.number and not hidden_event(event)
        ][:20],
        "able": release is not None,
    }


@dataclass(frozen=True, slots=True)
class MetricRow:
    """A metric by name, with what people call better."""

    name: str
    metric: Metric
    higher: bool | None


def metric_rows(record: VersionRecord) -> list[MetricRow]:
    """A version's metrics, the one that picked it first."""
    names = sorted(record.metrics, key=lambda name: (name != record.metric, name))
    return [MetricRow(name, record.metrics[name], _higher(name)) for name in names]


def boards(record: VersionRecord) -> dict[str, list[dict[str, Any]]]:
    """The leaderboard of each model, in the order of training."""
    found: dict[str, list[dict[str, Any]]] = {}
    for row in record.leaderboard:
        found.setdefault(str(row.get("model", "")), []).append(row)
    return found


@dataclass(frozen=True, slots=True)
class Compared:
    """Two versions side by side.

    Attributes:
        one, other: The older and the newer.
        names: Metrics that either has.
        duels: Duels between the two.
        plots: Names of the plots that both, or one of them, have.
        has: Which version has which plots.
    """

    one: VersionRecord
    other: VersionRecord
    names: list[str]
    duels: list[EventRecord]
    plots: list[str]
    has: dict[int, set[str]]

    def better(self, name: str) -> int:
        """The version that is better by ``name``; 0 where neither is, or nobody can say."""
        mine, theirs, higher = self.one.metrics.get(name), self.other.metrics.get(name), _higher(name)
        if mine is None or theirs is None or higher is None or mine.value == theirs.value:
            return 0
        return self.one.number if (mine.value > theirs.value) == higher else self.other.number


def _compared(look: Look, asked: list[str]) -> Compared | str | None:
    """The two versions of the address; words where it does not name two."""
    if not asked:
        return None
    numbers = sorted({_version(look, each).number for each in asked})
    if len(numbers) != 2:
        return "Choose two versions to compare."
    one, other = (_version(look, str(number)) for number in numbers)
    has: dict[int, set[str]] = {}
    for number in numbers:
        folder = report_folder(look.room, number)
        has[number] = (
            set() if folder is None else {str(each.relative_to(folder)) for each in folder.rglob("*.png")}
        )
    names = [row.name for row in metric_rows(one)]
    names += [row.name for row in metric_rows(other) if row.name not in names]
    duels = [
        event
        for event in _duels(look, other.number) + _duels(look, one.number)
        if {event.data.get("version"), event.data.get("champion")} == set(numbers)
    ]
    return Compared(one, other, names, duels, sorted(has[numbers[0]] | has[numbers[1]]), has)


def _version(look: Look, number: str) -> VersionRecord:
    found = None
    if number.isascii() and number.isdigit() and len(number) < 10:
        found = look.store.versions.get(look.room.project, int(number))
    if found is None:
        raise NotFound(f"There is no version {clip(number)!r} of {look.room.project}.")
    return found


def _duels(look: Look, number: int) -> list[EventRecord]:
    events = look.store.events.list(look.room.project, kind=_DUEL, limit=500)
    return [event for event in events if event.data.get("version") == number]


def _scale(records: list[VersionRecord]) -> tuple[float, float]:
    """Least and most of the main metric's intervals, for the small pictures of them."""
    found = [metric for record in records if (metric := main_metric(record)) is not None]
    if not found:
        return 0.0, 1.0
    low, high = min(each.low for _, each in found), max(each.high for _, each in found)
    room = 0.05 * (high - low) or 0.05 * abs(high) or 1.0
    return low - room, high + room


def _higher(name: str) -> bool | None:
    bare = name.replace(":", ".").rpartition(".")[2].strip()  # of several models: "segment.f1"
    told = next((known[bare] for known in METRICS.values() if bare in known), None)
    return None if told is None else told.higher_is_better


def _text(folder: Any) -> Markup | None:
    card = folder / "model-card.md"
    try:
        return html(card.read_text(encoding="utf-8")) if card.is_file() else None
    except (OSError, UnicodeDecodeError):
        return None


def _pairs(look: Look) -> list[tuple[str, str]]:
    several = getattr(look.query, "multi_items", None)
    return several() if several is not None else list(look.query.items())
