"""A rollout as rows of the store: each step is a release, and each decision an event before it.

What stands in the newest release is all there is to know of a rollout, so whoever goes on with it,
after any interruption and on whatever host, finds where it stands. A decision names the release that it
is about and is taken once; what follows from it names the release it was decided upon and is refused
by the store if a person, or another host, was faster (``Releases.append``'s ``after``).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import msgspec

from modelwright.errors import ModelwrightError
from modelwright.monitor.due import BY_STEPS, WAITING
from modelwright.monitor.rollout import (
    Decision,
    Plan,
    Seen,
    Word,
    judge_canary,
    judge_shadow,
    judge_watch,
)
from modelwright.store import clock
from modelwright.store.errors import IllegalMove
from modelwright.store.ports import Store
from modelwright.store.records import EventRecord, JobRecord, JobState, ReleaseRecord

ROLLOUT = "rollout"
"""Kind of the events that say what was decided about a step; also the key of a release's stage."""
REFUSED = "retrain_refused"
_HISTORY = 1_000


class Phase(StrEnum):
    """What a version that won its duel is doing."""

    SHADOW = "shadow"
    CANARY = "canary"
    WATCH = "watch"


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """Where a rollout stands, as its release says.

    Attributes:
        phase: What the version does.
        job: The retraining that made it.
        version: It.
        before: The champion it won against.
        began: When the rollout's first step began; in a watch, when it was promoted.
        step: Of a canary, from 0.
        plan: The rules.
    """

    phase: Phase
    job: str
    version: int
    before: int
    began: datetime
    step: int = 0
    plan: Plan


See = Callable[[Stage, ReleaseRecord], Seen]
"""What is known of a stage now."""
Sound = Callable[[int], None]
"""Raises ``ModelwrightError`` where a version's bundle is not the registered one."""


def stage_of(release: ReleaseRecord | None) -> Stage | None:
    """The stage that a release is, if it is one of a rollout."""
    told = None if release is None else release.settings.get(ROLLOUT)
    if told is None:
        return None
    try:
        return msgspec.convert(told, Stage)
    except msgspec.ValidationError:  # written by hand, or by another release of the product
        return None


def settings_of(stage: Stage) -> dict[str, Any]:
    """What a release says so that servers do what the stage asks for."""
    told: dict[str, Any] = {ROLLOUT: msgspec.to_builtins(stage)}
    if stage.phase is Phase.SHADOW:
        told["shadow"] = {"version": stage.version}
    if stage.phase is Phase.CANARY:
        rules = stage.plan.canary
        told["canary"] = {"version": stage.version, "share": rules.shares[stage.step], "by": rules.by}
    return told


def watched(plan: Plan, *, job: str, version: int, before: int) -> dict[str, Any]:
    """The settings of the release that promotes ``version``: its watch, if it is to be watched."""
    if plan.watch is None or version == before:
        return {}
    stage = Stage(phase=Phase.WATCH, job=job, version=version, before=before, began=clock.now(), plan=plan)
    return settings_of(stage)


def rollout_jobs(store: Store, project: str) -> list[tuple[JobRecord, EventRecord]]:
    """Jobs whose version won and is to be brought in by steps, with the event that says so, newest first."""
    told = {
        event.data.get("job"): event
        for event in reversed(store.events.list(project, kind=WAITING, limit=_HISTORY))
        if event.data.get("for") in BY_STEPS
    }
    jobs = store.jobs.list(project) if told else []
    return [(job, told[job.id]) for job in jobs if job.state is JobState.JUDGED and job.id in told]


def refuse(store: Store, job: JobRecord, reason: str) -> None:
    """End a judged job without a promotion; an event says why."""
    told = store.events.list(job.project, kind=REFUSED, limit=_HISTORY)
    if not any(event.data.get("job") == job.id for event in told):
        store.events.add(
            job.project,
            REFUSED,
            f"Version {job.version} was not promoted: {reason}" if job.version else reason,
            {"job": job.id, "version": job.version, "reason": reason},
        )
    try:
        store.jobs.move(job.id, JobState.REJECTED, error=reason)
    except IllegalMove:
        return  # cancelled a moment ago: that stands


class Pilot:
    """Brings versions that won to their users, and takes them back.

    Args:
        store: Where rollouts stand.
        project: Whose.
        see: Asked for what is known of a stage.
        sound: Asked before a version is made to answer.
    """

    def __init__(self, store: Store, project: str, *, see: See, sound: Sound) -> None:
        self._store = store
        self._project = project
        self._see = see
        self._sound = sound

    def turn(self) -> bool:
        """Do the next thing, if there is one; whether what is live changed.

        Raises:
            Superseded: Somebody else released something in between; look again.
            StoreUnavailable: The store is away; nothing is lost.
        """
        live = self._store.releases.current(self._project)
        if live is None:
            return False
        stage = stage_of(live)
        if stage is not None and stage.phase is not Phase.WATCH:
            return self._step(live, stage)
        self._settle(live, stage)
        if stage is not None and self._watch(live, stage):
            return True
        return self._begin(live, stage if stage is not None and self._decided(live) is None else None)

    def _step(self, live: ReleaseRecord, stage: Stage) -> bool:
        job = self._store.jobs.get(stage.job)
        if job is None or job.state is not JobState.JUDGED:
            self._release(
                live, live.version, f"The rollout of version {stage.version} was ended by hand.", stage
            )
            return True
        decision = self._decided(live) or self._decide(live, stage)
        if decision.word is Word.WAIT:
            return False
        if decision.word is Word.GO_ON:
            self._enter(live, msgspec.structs.replace(stage, step=stage.step + 1))
        elif decision.word is Word.PROMOTE and (damage := self._damage(stage.version)):
            self._end(live, stage, job, damage)
        elif decision.word is Word.PROMOTE:
            self._promote(live, stage, decision.reason)
        else:
            self._end(live, stage, job, decision.reason)
        return True

    def _promote(self, live: ReleaseRecord, stage: Stage, reason: str) -> None:
        settings = watched(stage.plan, job=stage.job, version=stage.version, before=live.version)
        made = self._release(live, stage.version, reason, stage, settings)
        self._settle(made, stage_of(made))

    def _end(self, live: ReleaseRecord, stage: Stage, job: JobRecord, reason: str) -> None:
        self._release(
            live, live.version, f"The rollout of version {stage.version} was stopped. {reason}", stage
        )
        refuse(self._store, job, reason)

    def _enter(self, live: ReleaseRecord, stage: Stage) -> None:
        self._release(live, live.version, _announced(stage, live.version), stage, settings_of(stage))

    def _begin(self, live: ReleaseRecord, watch: Stage | None) -> bool:
        """Begin the newest rollout that waits; those that cannot be begun any more are ended.

        While the champion is watched the newest goes on waiting: it won against a version that may yet
        be taken back.
        """
        begun = False
        for job, told in rollout_jobs(self._store, self._project):
            done = self._ended(job)
            if job.version == live.version:
                self._store.jobs.move(job.id, JobState.PROMOTED)
            elif done is not None:
                refuse(self._store, job, done.reason)
            elif self._was_begun(job):
                refuse(self._store, job, f"{live.actor} ended its rollout: {live.reason}")
            elif begun:
                refuse(self._store, job, "A newer version won as well.")
            elif told.data.get("champion") != live.version:
                refuse(
                    self._store,
                    job,
                    f"It won against version {told.data.get('champion')}, and version {live.version} "
                    "answers by now.",
                )
            elif watch is not None:
                self._wait(live, watch, job)
                begun = True
            else:
                plan = msgspec.convert(told.data["plan"], Plan)
                stage = Stage(
                    phase=Phase(plan.mode.value),
                    job=job.id,
                    version=job.version or 0,
                    before=live.version,
                    began=clock.now(),
                    plan=plan,
                )
                self._enter(live, stage)
                begun = True
        return begun and watch is None

    def _wait(self, live: ReleaseRecord, watch: Stage, job: JobRecord) -> None:
        """Say once that a rollout begins only when the champion's watch is over."""
        for event in self._store.events.list(self._project, kind=ROLLOUT, limit=_HISTORY):
            if event.data.get("job") == job.id and event.data.get("waits_for") == live.sequence:
                return
        reason = f"Version {live.version}, which it won against, is still watched and may be taken back."
        if watch.plan.watch is not None:
            over = watch.began + timedelta(seconds=watch.plan.watch.seconds)
            reason = f"{reason} Its watch is over on {over:%Y-%m-%d at %H:%M} UTC."
        self._store.events.add(
            self._project,
            ROLLOUT,
            f"The rollout of version {job.version} waits. {reason}",
            {
                "job": job.id,
                "version": job.version,
                "champion": live.version,
                "word": Word.WAIT.value,
                "reason": reason,
                "waits_for": live.sequence,
            },
        )

    def _ended(self, job: JobRecord) -> Decision | None:
        """That a rollout was stopped, if it was, and its job does not know it."""
        for event in self._store.events.list(self._project, kind=ROLLOUT, limit=_HISTORY):
            if event.data.get("job") == job.id and event.data.get("word") == Word.STOP:
                return Decision(word=Word.STOP, reason=str(event.data.get("reason", "")))
        return None

    def _was_begun(self, job: JobRecord) -> bool:
        """Whether it was brought in already, so that somebody must have released something else since."""
        stages = map(stage_of, self._store.releases.list(self._project, limit=_HISTORY))
        return any(stage is not None and stage.job == job.id for stage in stages)

    def _settle(self, live: ReleaseRecord, stage: Stage | None) -> None:
        """Write what follows from the release that is live, where whoever released it was killed."""
        if live.actor.startswith("watch:"):
            self._tell_once("rolled_back", live, f"Version {live.version} answers again. {live.reason}")
        job = None if stage is None else self._store.jobs.get(stage.job)
        if stage is None or job is None or not live.actor.startswith("rollout:"):
            return
        if job.state is JobState.JUDGED:
            self._store.jobs.move(job.id, JobState.PROMOTED, version=live.version)
        self._tell_once("promoted", live, f"Version {live.version} answers now: {live.reason}")

    def _tell_once(self, kind: str, live: ReleaseRecord, message: str) -> None:
        events = self._store.events.list(self._project, kind=kind, limit=20)
        if not any(event.data.get("release") == live.sequence for event in events):
            job = live.actor.partition(":")[2]
            self._store.events.add(
                self._project,
                kind,
                message,
                {"job": job, "version": live.version, "release": live.sequence, "actor": live.actor},
            )

    def _watch(self, live: ReleaseRecord, stage: Stage) -> bool:
        known = self._decided(live)
        if known is not None and known.word is not Word.STOP:
            return False
        decision = known or self._decide(live, stage)
        if decision.word is not Word.STOP:
            return False
        damage = self._damage(stage.before)
        if damage:
            if known is None:
                self._store.events.add(
                    self._project,
                    "release_refused",
                    f"Version {stage.version} should be taken back, but version {stage.before} cannot "
                    f"answer: {damage}",
                    {"version": stage.before, "job": stage.job},
                )
            return False
        made = self._release(live, stage.before, decision.reason, stage, actor=f"watch:{stage.job}")
        self._settle(made, None)
        return True

    def _decided(self, live: ReleaseRecord) -> Decision | None:
        for event in self._store.events.list(self._project, kind=ROLLOUT, limit=_HISTORY):
            if event.data.get("release") == live.sequence:
                return Decision(word=Word(event.data["word"]), reason=str(event.data["reason"]))
        return None

    def _decide(self, live: ReleaseRecord, stage: Stage) -> Decision:
        """Judge, and write it down where something follows from it."""
        seen = self._see(stage, live)
        if stage.phase is Phase.SHADOW:
            decision = judge_shadow(stage.plan, seen)
        elif stage.phase is Phase.CANARY:
            decision = judge_canary(stage.plan, stage.step, seen)
        else:
            decision = judge_watch(stage.plan, seen)
        if decision.word is not Word.WAIT:
            self._store.events.add(
                self._project,
                ROLLOUT,
                f"{_outcome(stage, decision.word)} {decision.reason}",
                {
                    "job": stage.job,
                    "version": stage.version,
                    "champion": stage.before,
                    "release": live.sequence,
                    "phase": stage.phase.value,
                    "step": stage.step,
                    "word": decision.word.value,
                    "reason": decision.reason,
                    "seen": msgspec.to_builtins(seen),
                },
            )
        return decision

    def _damage(self, version: int) -> str:
        try:
            self._sound(version)
        except ModelwrightError as error:
            return error.reason
        return ""

    def _release(  # noqa: PLR0917 - the parts of one row
        self,
        live: ReleaseRecord,
        version: int,
        reason: str,
        stage: Stage,
        settings: dict[str, Any] | None = None,
        actor: str = "",
    ) -> ReleaseRecord:
        return self._store.releases.append(
            self._project,
            version,
            reason=reason,
            actor=actor or f"rollout:{stage.job}",
            settings=settings,
            after=live.sequence,
        )


def _announced(stage: Stage, champion: int) -> str:
    if stage.phase is Phase.SHADOW:
        return f"Version {stage.version} answers on the side of version {champion}."
    share = stage.plan.canary.shares[stage.step]
    return (
        f"Version {stage.version} answers {share:.0%} of the {stage.plan.canary.by}s of version {champion}."
    )


def _outcome(stage: Stage, word: Word) -> str:
    who = f"Version {stage.version}"
    if stage.phase is Phase.WATCH:
        return f"{who} is taken back." if word is Word.STOP else f"{who} stays."
    if word is Word.STOP:
        return f"The rollout of version {stage.version} stops."
    return f"{who} goes on." if word is Word.GO_ON else f"{who} is promoted."
