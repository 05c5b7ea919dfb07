"""From an answer back to where it came from: one walk, for the server's route and for the command line.

The walk crosses the store only. An answer names its version; the version names its decision, run,
data, commit and libraries; the releases say by which one the version was live at the time.
"""

from __future__ import annotations

from datetime import datetime
from difflib import SequenceMatcher
from typing import Any

import msgspec

from modelwright.schema.answers import GENERATION
from modelwright.store.ports import Store
from modelwright.store.records import LabelRecord, PredictionRecord, ReleaseRecord, VersionRecord

_PAGE = 100
_GENERATIONS = 1000
_AROUND = 40
_ALIKE = 0.8
_TOLD = 3
_LEAST_BEGINNING = 8


class Generation(msgspec.Struct, frozen=True, kw_only=True):
    """The online features that an answer was made with.

    Attributes:
        number: Of the generation.
        live: Whether it still is the one that is looked up in.
        as_of: The moment it was true of; empty if nobody said, or nobody knows any more.
        keys: How many keys it knew; 0 if nobody knows any more.
        written: When it came into the store, where that is known.
    """

    number: int
    live: bool
    as_of: str = ""
    keys: int = 0
    written: datetime | None = None


class Lineage(msgspec.Struct, frozen=True, kw_only=True):
    """Where an answer came from.

    Attributes:
        prediction: The answer with its input.
        label: The truth that counts, if one came.
        labels: Everything that was said of it, oldest first.
        version: What answered; ``None`` if the store has it no more.
        release: The release by which that version was live then; ``None`` for an answer by a
            challenger or a canary, or one from before the store's time.
        features: The generation of online features in which was looked up; ``None`` where nothing was.
    """

    prediction: PredictionRecord
    label: LabelRecord | None
    labels: tuple[LabelRecord, ...]
    version: VersionRecord | None
    release: ReleaseRecord | None
    features: Generation | None = None


def trace(store: Store, project: str, id: str) -> Lineage | None:
    """Walk back from the answer ``id``; ``None`` if it is not in the log (any more)."""
    prediction = store.predictions.get(project, id)
    if prediction is None:
        return None
    return Lineage(
        prediction=prediction,
        label=store.labels.latest(project, [id]).get(id),
        labels=tuple(store.labels.get(project, id)),
        version=store.versions.get(project, prediction.version),
        release=_release_at(store, project, prediction.version, prediction.time),
        features=_generation(store, prediction),
    )


def document(lineage: Lineage) -> dict[str, Any]:
    """``lineage`` as plain values: what ``GET /predictions/{id}`` and ``why --json`` give."""
    version, release = lineage.version, lineage.release
    return prediction_document(lineage.prediction, lineage.label) | {
        "labels": msgspec.to_builtins(lineage.labels),
        "lineage": {
            "version": None if version is None else version_document(version),
            "release": None if release is None else msgspec.to_builtins(release),
            **({} if lineage.features is None else {"features": msgspec.to_builtins(lineage.features)}),
        },
    }


def prediction_document(record: PredictionRecord, label: LabelRecord | None) -> dict[str, Any]:
    """An answer as plain values, with the truth that counts."""
    shown: dict[str, Any] = msgspec.to_builtins(record)
    shown["prediction_id"] = shown.pop("id")
    shown["model_version"] = shown.pop("version")
    shown["label"] = None if label is None else label.target
    return shown


def version_document(record: VersionRecord) -> dict[str, Any]:
    """A version as plain values, without where its files lie."""
    shown: dict[str, Any] = msgspec.to_builtins(record)
    shown["version"] = shown.pop("number")
    del shown["bundle"], shown["project"]
    return shown


def meant(store: Store, project: str, text: str) -> tuple[str | None, list[str]]:
    """The one id in the log that begins with ``text``, else ids that ``text`` may have been meant for.

    Candidates are its neighbours in the order of ids: a cut or mistyped id stands next to the right
    one unless its very beginning is wrong, and looking there costs two steps in the index.
    """
    text = text.strip()
    around = store.predictions.neighbours(project, text, limit=_AROUND)
    begun = [id for id in around if len(text) >= _LEAST_BEGINNING and id.startswith(text)]
    if len(begun) == 1:
        return begun[0], []
    alike = {id: SequenceMatcher(None, text, id, autojunk=False).ratio() for id in around}
    close = sorted((id for id in around if alike[id] >= _ALIKE), key=lambda id: -alike[id])
    return None, list(dict.fromkeys([*begun, *close]))[:_TOLD]


def _generation(store: Store, prediction: PredictionRecord) -> Generation | None:
    """What is known of the generation that an answer names: the live one, or what was told when it came."""
    number = prediction.outputs.get(GENERATION) if isinstance(prediction.outputs, dict) else None
    if not isinstance(number, int):
        return None
    live = store.online.current(prediction.project)
    if live is not None and live.sequence == number:
        return Generation(number=number, live=True, as_of=live.as_of, keys=live.keys, written=live.created)
    for event in store.events.list(prediction.project, kind="features", limit=_GENERATIONS):
        if event.data.get("generation") == number:
            told = event.data
            return Generation(
                number=number,
                live=False,
                as_of=told.get("as_of", ""),
                keys=told.get("keys", 0),
                written=event.time,
            )
    return Generation(number=number, live=False)


def _release_at(store: Store, project: str, version: int, time: datetime) -> ReleaseRecord | None:
    """The newest release of ``version`` that was there at ``time``; looks back as far as there are any."""
    seen, limit = 0, _PAGE
    while True:
        releases = store.releases.list(project, limit=limit)
        for release in releases[seen:]:
            if release.version == version and release.released <= time:
                return release
        if len(releases) < limit:
            return None
        seen, limit = limit, 2 * limit
