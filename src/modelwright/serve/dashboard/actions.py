"""What a person may change here. Each change is checked, done in the store, and leaves an event."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from modelwright.errors import ModelwrightError
from modelwright.monitor import releasing
from modelwright.monitor.due import WAITING
from modelwright.monitor.releasing import ROLLOUT, stage_of
from modelwright.monitor.rollout import Plan
from modelwright.serve.dashboard.house import Room
from modelwright.serve.dashboard.reading import challengers, open_work
from modelwright.serve.errors import BadBody, NotFound, ServeError
from modelwright.store.records import JobRecord, JobState, ReleaseRecord, Truth, VersionRecord
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
    before = releases[0] if releases else None
    live = before.version if before is not None else None
    if before is not None and live == number and not challengers(store, project, before):
        raise Conflict(f"Version {number} answers already.")
    back = live != number and any(release.version == number for release in releases)
    job = open_work(store, project).of_version(number)
    release = store.releases.append(
        project,
        number,
        reason=reason,
        actor=wish.actor,
        settings=_watch(store, job, before),
        after=before.sequence if before is not None else None,
    )
    if job is not None:
        store.jobs.move(job.id, JobState.PROMOTED)
    instead = f" instead of version {live}" if live is not None and live != number else ""
    store.events.add(
        project,
        "rolled_back" if back else "promoted",
        f"Version {number} answers {'again' if back else 'now'}{instead}: {reason}",
        _data(wish, version=number, previous=live, release=release.sequence),
    )
    return Done(f"Version {number} answers from now on.", "versions")


def canary(store: Store, wish: Wish) -> Done:
    """Let a version answer a share of the clients beside the champion, until a person says otherwise."""
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
    if stage_of(live) is not None:
        raise Conflict(
            "A rollout is under way, which decides by itself who answers.",
            "Promote or refuse its version first.",
        )
    settings = {**live.settings, "canary": {"version": number, "share": share}}
    release = store.releases.append(
        project, live.version, reason=reason, actor=wish.actor, settings=settings, after=live.sequence
    )
    store.events.add(
        project,
        "canary",
        f"Version {number} answers {100 * share:g} % of the clients beside version {live.version}: {reason}",
        _data(wish, version=number, champion=live.version, share=share, release=release.sequence),
    )
    return Done(f"Version {number} answers {100 * share:g} % of the clients from now on.", "versions")


def end_canary(store: Store, wish: Wish) -> Done:
    """Let the champion answer everybody again; a rollout of the canary's ends with it."""
    project, reason = wish.room.project, wish.reason()
    live = store.releases.current(project)
    if live is None or not live.settings.get("canary"):
        raise Conflict("No canary is out.")
    number = live.settings["canary"].get("version")
    settings = {key: value for key, value in live.settings.items() if key not in {"canary", ROLLOUT}}
    release = store.releases.append(
        project, live.version, reason=reason, actor=wish.actor, settings=settings, after=live.sequence
    )
    store.events.add(
        project,
        "canary_ended",
        f"Version {number} is no canary any more; version {live.version} answers everybody: {reason}",
        _data(wish, version=number, champion=live.version, release=release.sequence),
    )
    return Done(f"Version {live.version} answers everybody again.", "versions")


def refuse(store: Store, wish: Wish) -> Done:
    """Say no to a version that waits for a person's word, or is brought in by steps."""
    project, number, reason = wish.room.project, wish.number("number"), wish.reason()
    job = open_work(store, project).of_version(number)
    if job is None:
        raise Conflict(f"Version {number} does not wait for approval.")
    releasing.refuse(store, job, reason)
    live = store.releases.current(project)
    stage = stage_of(live)
    if live is not None and stage is not None and stage.job == job.id:
        ended = f"The rollout of version {number} was ended: {reason}"
        store.releases.append(project, live.version, reason=ended, actor=wish.actor, after=live.sequence)
    store.events.add(
        project,
        "refused",
        f"{wish.actor} refused version {number}: {reason}",
        _data(wish, job=job.id, version=number, reason=reason),
    )
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
    from modelwright.monitor.due import Wish as Retraining
    from modelwright.monitor.due import ask

    asked = Retraining("manual", wish.reason())
    job, made = ask(store, wish.room.project, asked, settings={"client": wish.actor, **_data(wish)})
    words = "The retraining waits for a worker." if made else "One was asked for already, and is not over."
    return Done(words, f"jobs/{job.id}")


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


def _watch(store: Store, job: JobRecord | None, before: ReleaseRecord | None) -> dict[str, Any]:
    """The watch that a retrained version's plan asks for after its promotion."""
    for event in store.events.list(job.project, kind=WAITING, limit=_HISTORY) if job is not None else ():
        if (
            before is not None
            and job is not None
            and event.data.get("job") == job.id
            and "plan" in event.data
        ):
            plan = msgspec.convert(event.data["plan"], Plan)
            return releasing.watched(plan, job=job.id, version=job.version or 0, before=before.version)
    return {}


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
