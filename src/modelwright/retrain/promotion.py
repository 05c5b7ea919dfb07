"""Which version answers: promoted after a duel, approved by a person, taken back. Each is one release row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from modelwright.bundle.read import BundleInvalid, verify
from modelwright.errors import ExitCode, ModelwrightError
from modelwright.monitor.aliases import can_follow, start
from modelwright.monitor.due import WAITING
from modelwright.monitor.releasing import refuse, stage_of, watched
from modelwright.monitor.rollout import Plan
from modelwright.project.load import Project
from modelwright.project.settings import Settings
from modelwright.store.ports import Store
from modelwright.store.records import JobRecord, JobState, ReleaseRecord, VersionRecord

_HISTORY = 1_000


class NothingToRollBack(ModelwrightError):
    """There is no former champion."""

    code = ExitCode.USAGE


class NothingWaits(ModelwrightError):
    """No version waits for a person's word, or not this one."""

    code = ExitCode.USAGE


@dataclass(frozen=True)
class Changed:
    """Another version answers.

    Attributes:
        release: The new row.
        previous: The version that answered before.
    """

    release: ReleaseRecord
    previous: int


def former(store: Store, project: str) -> int | None:
    """The version that was champion before the present one, as if what was taken back had never been.

    After 1, 2, 3 and a rollback to 2, the former champion is 1.
    """
    line: list[int] = []
    for release in reversed(store.releases.list(project, limit=_HISTORY)):
        if release.version in line:
            del line[line.index(release.version) :]
        line.append(release.version)
    return line[-2] if len(line) > 1 else None


def roll_back(
    store: Store, project: str, settings: Settings, *, version: int | None, reason: str, actor: str
) -> Changed:
    """Let a former champion answer again.

    Args:
        store: The store.
        project: Its name.
        settings: Where bundles lie.
        version: Which; by default the one before the present champion.
        reason: Why.
        actor: Who says so.

    Raises:
        NothingToRollBack: There is no former champion, or ``version`` never was one, or it answers now.
        BundleInvalid: Its bundle was damaged since; the present champion stays.
    """
    releases = store.releases.list(project, limit=_HISTORY)
    if not releases:
        raise NothingToRollBack(
            f"Nothing of '{project}' was ever released.", "Train a version with: modelwright train"
        )
    live = releases[0].version
    wanted = former(store, project) if version is None else version
    if wanted is None:
        later = next((release.version for release in releases if release.version != live), None)
        raise NothingToRollBack(
            f"No champion came before version {live}.",
            "See all versions with: modelwright versions"
            if later is None
            else f"Version {later}, which answered last before it went back, answers again with: "
            f"modelwright promote {later}",
        )
    if wanted == live:
        raise NothingToRollBack(f"Version {live} answers now.", "Name another, or none for the one before.")
    if wanted not in {release.version for release in releases}:
        raise NothingToRollBack(
            f"Version {wanted} never was champion, so there is nothing to go back to.",
            f"To make it answer: modelwright promote {wanted}",
        )
    verified(store, project, settings, wanted)
    release = store.releases.append(project, wanted, reason=reason, actor=actor)
    store.events.add(
        project,
        "rolled_back",
        f"Version {wanted} answers again instead of version {live}: {reason}",
        {"version": wanted, "previous": live, "release": release.sequence, "actor": actor},
    )
    return Changed(release, live)


def verified(store: Store, project: str, settings: Settings, version: int) -> VersionRecord | None:
    """The version's record, its bundle checked to be the registered one; ``None`` where there is no record.

    Raises:
        BundleInvalid: It is gone, damaged, or another.
    """
    record = store.versions.get(project, version)
    if record is None:
        return None
    path = settings.work_dir / record.bundle
    if not path.exists():
        raise BundleInvalid(
            f"The bundle of version {version} is gone: there is nothing at {path}.",
            "Restore it from a backup, or name another version; see: modelwright versions",
        )
    if verify(path).content_hash != record.content_hash:
        raise BundleInvalid(
            f"The bundle at {path} is not the one that was registered.",
            "Restore it from where it was made, or train a new version.",
        )
    return record


def waiting(store: Store, project: str) -> list[JobRecord]:
    """Jobs whose version won and waits for a person's word, the newest first."""
    won = {event.data.get("job") for event in store.events.list(project, kind=WAITING, limit=_HISTORY)}
    return [job for job in store.jobs.list(project) if job.state is JobState.JUDGED and job.id in won]


def settle(
    store: Store,
    project: str,
    settings: Settings,
    *,
    version: int | None,
    approve: bool,
    reason: str,
    actor: str,
) -> Changed | None:
    """A person's word on a version that waits: it answers from now on, or never.

    Args:
        store: The store.
        project: Its name.
        settings: Where bundles lie.
        version: Which; by default the newest that waits.
        approve: Yes or no. Yes refuses those that have waited longer.
        reason: Why.
        actor: Who says so.

    Raises:
        NothingWaits: No version waits, or not this one.
        BundleInvalid: Its bundle was damaged since; the present champion stays.
    """
    jobs = waiting(store, project)
    job = next((job for job in jobs if version in (None, job.version)), None)
    if job is None or job.version is None:
        listed = ", ".join(str(job.version) for job in jobs)
        raise NothingWaits(
            f"Version {version} does not wait for approval." if version else "No version waits for approval.",
            f"Those that wait: {listed}." if listed else "See the jobs with: modelwright jobs",
        )
    before = store.releases.current(project)
    if not approve:
        refuse(store, job, reason)
        if before is not None and (stage := stage_of(before)) is not None and stage.job == job.id:
            ended = f"The rollout of version {job.version} was ended: {reason}"
            store.releases.append(project, before.version, reason=ended, actor=actor, after=before.sequence)
        return None
    verified(store, project, settings, job.version)
    release = store.releases.append(
        project,
        job.version,
        reason=reason,
        actor=actor,
        settings=_watch(store, job, before),
        after=None if before is None else before.sequence,
    )
    store.jobs.move(job.id, JobState.PROMOTED)
    store.events.add(
        project,
        "promoted",
        f"Version {job.version} answers now: {reason}",
        {"version": job.version, "job": job.id, "release": release.sequence, "actor": actor},
    )
    for older in jobs:
        if older.id != job.id and older.created < job.created:
            refuse(store, older, f"Version {job.version} was approved instead.")
    return Changed(release, before.version if before is not None else 0)


def _watch(store: Store, job: JobRecord, before: ReleaseRecord | None) -> dict[str, Any]:
    """The watch that the job's plan asks for after the promotion."""
    for event in store.events.list(job.project, kind=WAITING, limit=_HISTORY):
        if before is not None and event.data.get("job") == job.id and "plan" in event.data:
            plan = msgspec.convert(event.data["plan"], Plan)
            return watched(plan, job=job.id, version=job.version or 0, before=before.version)
    return {}


def mirror_in_background(project: Project, settings: Settings) -> None:
    """Let MLflow's aliases follow, in a process of its own; without MLflow a worker elsewhere does."""
    if can_follow():
        start(str(project.path), work_dir=str(settings.work_dir), store_url=settings.store_url)
