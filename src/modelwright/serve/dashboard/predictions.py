"""The log: searched, filtered, paged through, and one prediction with everything it came from."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any
from urllib.parse import urlencode

from modelwright.bundle.answers import called as names_of
from modelwright.serve.dashboard import counts
from modelwright.serve.dashboard.pages import Look
from modelwright.serve.dashboard.render import NOTHING
from modelwright.serve.errors import NotFound, clip
from modelwright.store.errors import UnknownPrediction
from modelwright.store.lineage import Lineage, meant, trace
from modelwright.store.records import PredictionRecord

ROWS = 50
KINDS = {
    "": "all",
    "labelled": "with their label",
    "unlabelled": "without a label",
    "warned": "with a warning",
    "refused": "refused",
}
_FILTERS = ("show", "version", "answer", "since", "until")


def view(look: Look) -> dict[str, Any]:
    """A page of the log."""
    store, project, query = look.store, look.room.project, look.query
    filters = {name: query[name].strip() for name in _FILTERS if query.get(name, "").strip()}
    asked = query.get("id", "").strip()
    found_id, near = meant(store, project, asked) if asked else (None, [])
    if asked and found_id is None and store.predictions.get(project, asked) is not None:
        found_id = asked
    mistakes, arguments = _arguments(filters, query)
    rows: list[PredictionRecord] = []
    if not asked and not mistakes:
        try:
            rows = list(store.predictions.history(project, limit=ROWS + 1, **arguments))
        except UnknownPrediction:
            mistakes.append("The page you came from is not in the log any more; this is its beginning.")
            arguments.pop("before")
            rows = list(store.predictions.history(project, limit=ROWS + 1, **arguments))
    more, rows = len(rows) > ROWS, rows[:ROWS]
    labels = store.labels.latest(project, [row.id for row in rows])
    return {
        "rows": rows,
        "labels": labels,
        "called": called(look, rows),
        "filters": filters,
        "asked": asked,
        "found_id": found_id,
        "near": near,
        "mistakes": mistakes,
        "kinds": KINDS,
        "versions": [record.number for record in store.versions.list(project, limit=200)],
        "answers": counts.known_answers(store, project, look.now),
        "older": urlencode({**filters, "before": rows[-1].id}) if more and rows else "",
        "newest": urlencode(filters),
        "paged": "before" in query,
        "total": sum(each.answered + each.refused for each in counts.totals(store, project).values()),
    }


def one(look: Look) -> dict[str, Any]:
    """One prediction and its lineage."""
    id = str(look.path["id"])
    found = trace(look.store, look.room.project, id)
    if found is None:
        raise NotFound(
            f"There is no prediction {clip(id)!r} in the log.",
            "It may be on its way for a moment, or have been removed by the log's retention.",
        )
    deployment = look.room.deployment
    loaded = [each for each in _answering(deployment) if each.version == found.prediction.version]
    return {
        "found": found,
        "answers": answers_of(found.prediction),
        "inputs": _inputs(found),
        "called": called(look, [found.prediction]),
        "correctable": found.prediction.status < 400,
        "explainable": bool(loaded) and found.prediction.status < 400,
        "known_labels": list(loaded[0].bundle.manifest.models[0].labels)[:200] if loaded else [],
        "duels": [
            event
            for event in look.store.events.list(look.room.project, kind="duel", limit=200)
            if event.data.get("version") == found.prediction.version
        ],
    }


def answers_of(record: PredictionRecord) -> list[tuple[str, dict[str, Any]]]:
    """Each model's answer, by the model's name; "" where there is one model."""
    outputs = record.outputs
    if not isinstance(outputs, dict) or record.status >= 400:
        return []
    several = outputs.get("outputs")
    if isinstance(several, dict):
        return [(name, answer) for name, answer in several.items() if isinstance(answer, dict)]
    return [("", outputs)]


def brief(inputs: Any, most: int = 8) -> list[tuple[str, str]]:
    """A row in a few words: names with values, both short; "" for what has no name."""
    if isinstance(inputs, dict):
        found = [(_short(name), _short(value)) for name, value in islice(inputs.items(), most)]
    elif isinstance(inputs, list):
        found = [("", _short(value)) for value in inputs[:most]]
    else:
        return [("", _short(inputs))]
    return [*found, ("", "…")] if len(inputs) > most else found


def called(look: Look, records: Sequence[PredictionRecord]) -> dict[str, str]:
    """What people call labels: as the version that answers says, and as these answers do."""
    found: dict[str, str] = {}
    for record in records:
        for model, answer in answers_of(record):
            if not model and answer.get("prediction_name") is not None:
                found[str(answer.get("prediction"))] = str(answer["prediction_name"])
    deployment = look.room.deployment
    models = deployment.bundle.manifest.models if deployment is not None else ()
    for entry in models if len(models) == 1 else ():
        found |= names_of(entry)
    return found


def _short(value: Any) -> str:
    text = f"{value:g}" if isinstance(value, float) else NOTHING if value is None else str(value)
    return text if len(text) <= 24 else f"{text[:21]}…"


def _answering(deployment: Any) -> list[Any]:
    if deployment is None:
        return []
    return [each for each in (deployment, deployment.canary, deployment.shadow) if each is not None]


def _inputs(found: Lineage) -> list[tuple[str, Any]]:
    inputs = found.prediction.inputs
    if isinstance(inputs, dict):
        return list(inputs.items())
    if isinstance(inputs, list):
        return [(str(place), value) for place, value in enumerate(inputs, start=1)]
    return [("", inputs)]


def _arguments(filters: dict[str, str], query: Any) -> tuple[list[str], dict[str, Any]]:
    """What the log is asked, and what in the address could not be understood."""
    mistakes: list[str] = []
    found: dict[str, Any] = {}
    show = filters.get("show", "")
    if show in {"labelled", "unlabelled"}:
        found["labelled"] = show == "labelled"
    elif show in {"refused", "warned"}:
        found[show] = True
    if "version" in filters:
        if filters["version"].isascii() and filters["version"].isdigit() and len(filters["version"]) < 10:
            found["version"] = int(filters["version"])
        else:
            mistakes.append("A version is a number.")
    if "answer" in filters:
        found["answer"] = filters["answer"]
    for name in ("since", "until"):
        if name in filters:
            try:
                time = datetime.fromisoformat(filters[name])
                found[name] = time if time.tzinfo else time.replace(tzinfo=UTC)
            except ValueError:
                mistakes.append(f"'{name}' is no time; write it like 2026-11-21T14:30.")
    if query.get("before"):
        found["before"] = query["before"]
    return mistakes, found
