"""What a person may change here. Each change is checked, done in the store, and leaves an event."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelwright.errors import ModelwrightError
from modelwright.serve.dashboard.house import Room
from modelwright.serve.dashboard.reading import open_work
from modelwright.serve.errors import BadBody, NotFound, ServeError
from modelwright.store.records import JobState, Truth, VersionRecord
from modelwright.store.truths import OPERATOR

if TYPE_CHECKING:
    from modelwright.store.ports import Store

_LONGEST_REASON = 1_000
_HISTORY = 1_000


class Conflict(ServeError):
    """What was asked for does not fit how things stand now."""

    status = 409


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants done.

    Attributes:
        room: In which project.
        actor: Who, for the record.
        fields: The form.
        path: The parts of the address.
    """

    room: Room
    actor: str
    fields: Mapping[str, str]
    path: Mapping[str, Any]

    def reason(self) -> str:
        """Why; every action asks for it.

        Raises:
            BadBody: It is missing or too long.
        """
        told = self.fields.get("reason", "").strip()
        if not told or len(told) > _LONGEST_REASON:
            raise BadBody(
                f"A reason of at most {_LONGEST_REASON} characters is needed.",
                kind="missing",
                loc=("reason",),
            )
        return told

    def number(self, name: str) -> int:
        """A whole number above 0 of the form or the address.

        Raises:
            BadBody: It is none.
        """
        text = str(self.path.get(name, self.fields.get(name, "")))
        if not (text.isascii() and text.isdigit() and 0 < len(text) < 10):
            raise BadBody(f"'{name}' must be a whole number.", kind="int_parsing", loc=(name,))
        return int(text)


@dataclass(frozen=True, slots=True)
class Done:
    """What was done: the words for whoever did it, and the page to go on to."""

    words: str
    to: str


Action = Callable[["Store", Wish], Done]


def promote(store: Store, wish: Wish) -> Done:
    """Let a version answer everybody; one that was champion before is rolled back to."""
    project, number, reason = wish.room.project, wish.number("number"), wish.reason()
    _registered(store, wish.room, number)
    releases = store.releases.list(project, limit=_HISTORY)
    live = releases[0].version if releases else None
    beside = {key: value for key, value in (releases[0].settings if releases else {}).items() if value}
    if live == number and not beside:
        raise Conflict(f"Version {number} answers already.")
    back = live != number and any(release.version == number for release in releases)
    waits = next((job for job in open_work(store, project).waiting if job.version == number), None)
    release = store.releases.append(project, number, reason=reason, actor=wish.actor)
    if waits is not None:
        store.jobs.move(waits.id, JobState.PROMOTED)
    instead = f" instead of version {live}" if live is not None and live != number else ""
    store.events.add(
        project,
        "rolled_back" if back else "promoted",
        f"Version {number} answers {'again' if back else 'now'}{instead}: {reason}",
        _data(wish, version=number, previous=live, release=release.sequence),
    )
    return Done(f"Version {number} answers from now on.", "versions")


def canary(store: Store, wish: Wish) -> Done:
    """Let a version answer a share of the clients beside the champion."""
    project, number, reason = wish.room.project, wish.number("number"), wish.reason()
    share = _share(wish.fields.get("share", ""))
    record = _registered(store, wish.room, number)
    live = store.releases.current(project)
    if live is None:
        raise Conflict("Nothing answers yet, so there is nothing a canary could stand beside.")
    if live.version == number:
        raise Conflict(f"Version {number} answers everybody already.")
    if record.decision.verdict.value != "accepted":
        raise Conflict(f"The gate rejected version {number}, so it may not answer.")
    settings = {**live.settings, "canary": {"version": number, "share": share}}
    release = store.releases.append(project, live.version, reason=reason, actor=wish.actor, settings=settings)
    store.events.add(
        project,
        "canary",
        f"Version {number} answers {100 * share:g} % of the clients beside version {live.version}: {reason}",
        _data(wish, version=number, champion=live.version, share=share, release=release.sequence),
    )
    return Done(f"Version {number} answers {100 * share:g} % of the clients from now on.", "versions")


def end_canary(store: Store, wish: Wish) -> Done:
    """Let the champion answer everybody again."""
    project, reason = wish.room.project, wish.reason()
    live = store.releases.current(project)
    if live is None or not live.settings.get("canary"):
        raise Conflict("No canary is out.")
    number = live.settings["canary"].get("version")
    settings = {key: value for key, value in live.settings.items() if key != "canary"}
    release = store.releases.append(project, live.version, reason=reason, actor=wish.actor, settings=settings)
    store.events.add(
        project,
        "canary_ended",
        f"Version {number} is no canary any more; version {live.version} answers everybody: {reason}",
        _data(wish, version=number, champion=live.version, release=release.sequence),
    )
    return Done(f"Version {live.version} answers everybody again.", "versions")


def refuse(store: Store, wish: Wish) -> Done:
    """Say no to a version that waits for a person's word."""
    project, number, reason = wish.room.project, wish.number("number"), wish.reason()
    job = next((each for each in open_work(store, project).waiting if each.version == number), None)
    if job is None:
        raise Conflict(f"Version {number} does not wait for approval.")
    store.events.add(
        project,
        "retrain_refused",
        f"Version {number} was not promoted: {reason}",
        _data(wish, job=job.id, version=number, reason=reason),
    )
    store.jobs.move(job.id, JobState.REJECTED, error=reason)
    return Done(f"Version {number} never answers; the champion stays.", "versions")


def cancel(store: Store, wish: Wish) -> Done:
    """End a retraining that is not at its end."""
    reason, id = wish.reason(), str(wish.path["id"])
    job = store.jobs.get(id)
    if job is None or job.project != wish.room.project:
        raise NotFound("There is no such retraining.")
    store.jobs.move(id, JobState.CANCELLED, error=f"Cancelled: {reason}")
    store.events.add(
        wish.room.project, "retrain_cancelled", f"A retraining was cancelled: {reason}", _data(wish, job=id)
    )
    return Done("The retraining was cancelled.", f"jobs/{id}")


def retrain(store: Store, wish: Wish) -> Done:
    """Ask for a retraining."""
    reason = wish.reason()
    job = store.jobs.add(wish.room.project, trigger="manual", reason=reason, settings={"client": wish.actor})
    store.events.add(
        wish.room.project, "retrain_asked", f"A retraining was asked for: {reason}", _data(wish, job=job.id)
    )
    return Done("The retraining waits for a worker.", f"jobs/{job.id}")


def label(store: Store, wish: Wish) -> Done:
    """Say what was true of a prediction; it counts over what others said."""
    project, id, reason = wish.room.project, str(wish.path["id"]), wish.reason()
    record = store.predictions.get(project, id)
    if record is None or record.status >= 400:
        raise NotFound("There is no such answer in the log.")
    target = _target(wish)
    recorded = store.labels.record(project, [Truth(id, target)], client=f"{OPERATOR}{wish.actor}")
    outcome = recorded[0].outcome.value
    store.events.add(
        project,
        "label",
        f"The truth of prediction {id} is {target!r}, says {wish.actor}: {reason}",
        _data(wish, prediction=id, target=target, outcome=outcome, version=record.version),
    )
    words = {"duplicate": "That was its label already."}.get(outcome, "The label is kept, and counts.")
    return Done(words, f"predictions/{id}")


def threshold(store: Store, wish: Wish) -> Done:
    """Set a threshold while the service runs, or take it back."""
    from modelwright.monitor.thresholds import change, read_value

    name, reason = wish.fields.get("name", ""), wish.reason()
    value = read_value(wish.fields.get("value", ""))
    change(store, wish.room.project, wish.room.file, {name: value}, actor=wish.actor, reason=reason)
    words = f"{name} is as the project file says." if value is None else f"{name} is {value} from now on."
    return Done(words, "settings")


ACTIONS: Mapping[str, Action] = {
    "/versions/{number}/promote": promote,
    "/versions/{number}/canary": canary,
    "/versions/{number}/refuse": refuse,
    "/versions/end-canary": end_canary,
    "/jobs/{id}/cancel": cancel,
    "/jobs/retrain": retrain,
    "/predictions/{id}/label": label,
    "/settings/threshold": threshold,
}
"""Address after the project's own → what is done."""


def _registered(store: Store, room: Room, number: int) -> VersionRecord:
    """The version, its bundle checked to be the registered one where it lies here."""
    record = store.versions.get(room.project, number)
    if record is None:
        raise NotFound(f"There is no version {number}.")
    if room.work_dir is not None:
        # Imported here: reading bundles loads ONNX Runtime, which a dashboard without a server may not need.
        from modelwright.bundle.read import verify

        path = room.work_dir / record.bundle
        if Path(path).exists() and record.content_hash and verify(path).content_hash != record.content_hash:
            raise Conflict(
                f"The bundle of version {number} is not the one that was registered.",
                "Restore it from where it was made, or train a new version.",
            )
    return record


def _target(wish: Wish) -> Any:
    """The truth as the target column holds it."""
    text = wish.fields.get("target", "").strip()
    if not text:
        raise BadBody("The truth is needed.", kind="missing", loc=("target",))
    deployment = wish.room.deployment
    if deployment is None:
        return text
    from modelwright.serve.targets import checked_target

    return checked_target(deployment.bundle.manifest.models, text, ("target",), text=True)


def _share(text: str) -> float:
    try:
        percent = float(text)
    except ValueError:
        percent = 0.0
    if not 0 < percent <= 50:
        raise BadBody("The share must be above 0 and at most 50 per cent.", kind="range", loc=("share",))
    return percent / 100


def _data(wish: Wish, **more: Any) -> dict[str, Any]:
    return {"actor": wish.actor, "by": "dashboard", **more}


def refused_by_store(error: ModelwrightError) -> ServeError | None:
    """A refusal of the store's own (a rejected version, an illegal move) as one over HTTP."""
    if isinstance(error, ServeError):
        return error
    from modelwright.store.errors import StoreUnavailable

    return None if isinstance(error, StoreUnavailable) else Conflict(error.reason, error.instruction)
