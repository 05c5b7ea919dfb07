"""A job from its data to its end, each step written down before the next begins.

Whoever takes up a job that was left anywhere finds what is done and goes on from there: the data by
the job's note, the version by the fingerprint of those data, the duel by its event, the promotion by
its release. So no step is done twice, whenever the one before was killed.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from modelwright.bundle.read import open_bundle
from modelwright.errors import ExitCode, ModelwrightError
from modelwright.monitor.due import TAKEN_UP, WAITING
from modelwright.monitor.releasing import refuse, watched
from modelwright.monitor.rollout import Mode, Plan
from modelwright.project.load import Project
from modelwright.project.settings import Settings
from modelwright.retrain.additions import additions
from modelwright.retrain.dataset import Note, assemble, with_data
from modelwright.retrain.plans import plan_of
from modelwright.retrain.promotion import verified
from modelwright.retrain.tidy import remove_old_data
from modelwright.retrain.verdict import Verdict, verdict
from modelwright.store import clock
from modelwright.store.errors import Superseded
from modelwright.store.ports import Store
from modelwright.store.records import JobRecord, JobState, ReleaseRecord, VersionRecord
from modelwright.store.records import Verdict as GateVerdict
from modelwright.train.aliases import follow
from modelwright.train.errors import TrackingUnavailable
from modelwright.train.fingerprint import fingerprint
from modelwright.train.progress import Progress, Silent
from modelwright.train.run import train_project
from modelwright.train.track import tracking

_HISTORY = 1_000
_NEXT = {
    Mode.APPROVAL: "waits for: modelwright approve {}",
    Mode.SHADOW: "answers on the side first, once a server's keeper sees to it.",
    Mode.CANARY: "answers a growing share first, once a server's keeper sees to it.",
}


class NoChampion(ModelwrightError):
    """Nothing answers yet, so nothing can be replaced."""

    code = ExitCode.USAGE

    def __init__(self, project: str) -> None:
        super().__init__(
            f"Project '{project}' has no champion that a retrained version could meet.",
            "Train and release a first one with: modelwright train",
        )


class JobLost(ModelwrightError):
    """Another took the job, or it was cancelled."""

    code = ExitCode.BUSY


@dataclass(frozen=True)
class Steps:
    """The steps of one job.

    Attributes:
        project, settings, store: Whose.
        job: As it was taken.
        progress: Told what happens.
        still_mine: Whether the job is still this process's; asked before what cannot be undone.
    """

    project: Project
    settings: Settings
    store: Store
    job: JobRecord
    progress: Progress
    still_mine: Callable[[], bool]

    def run(self) -> JobState:
        """Go on from where the job stands; the state it ends in.

        Raises:
            NoChampion: There is nothing to replace.
            JobLost: It is not ours any more.
            ModelwrightError: Data, training, disk or store failed; the champion is as it was.
        """
        champion = self._champion()
        note = self._data(champion)
        project = with_data(self.project, note)
        job = self.job
        if job.state is JobState.TRAINING:
            version = self._version(project)
            if version is None:
                self.store.jobs.move(job.id, JobState.JUDGED)
                return self._refused("Nothing is new since a version was trained: its data, settings "
                                           "and libraries are the same.")  # fmt: skip
            self.store.samples.mark_used(self.project.name, note.samples, version.number)
            self._insist()
            self.store.jobs.move(job.id, JobState.JUDGED, version=version.number)
        else:
            found = self.store.versions.get(self.project.name, job.version or 0)
            if found is None:
                return self._refused("Nothing is new since a version was trained.")
            version = found
        return self._judged(project, version, note)

    def _champion(self) -> ReleaseRecord:
        found = self.store.releases.current(self.project.name)
        if found is None:
            raise NoChampion(self.project.name)
        return found

    def _data(self, champion: ReleaseRecord) -> Note:
        labels, taken = self.store.labels.count(self.project.name), clock.now()
        note = assemble(
            self.project,
            open_bundle(self.settings.work_dir / champion.bundle),
            additions(self.store, self.project.name, per_client=self.project.file.retrain.per_client),
            job=self.job.id,
            work_dir=self.settings.work_dir,
            labels_seen=labels,
        )
        if not self._told(TAKEN_UP):
            self.store.events.add(
                self.project.name,
                TAKEN_UP,
                f"{len(note.ids):,} labelled rows were added to {note.base_rows:,} of the base data."
                if note.ids
                else "No labelled rows were there to add to the base data.",
                {
                    "job": self.job.id,
                    "source": note.source,
                    "added": len(note.ids),
                    "left_out": [list(item) for item in note.left_out[:100]],
                    "labels": note.labels_seen,
                    "taken": taken.isoformat(),
                },
            )
        return note

    def _told(self, kind: str) -> bool:
        events = self.store.events.list(self.project.name, kind=kind, limit=_HISTORY)
        return any(event.data.get("job") == self.job.id for event in events)

    def _version(self, project: Project) -> VersionRecord | None:
        """The job's version, trained now unless it was; ``None`` where an older one is the same."""
        mark = fingerprint(project)
        known = self.store.versions.by_fingerprint(project.name, mark) if mark else None
        if known is not None:
            return known if known.created >= self.job.created else None
        outcome = train_project(
            project,
            store=self.store,
            progress=self.progress,
            settings=self.settings,
            release=False,
            actor=self._actor,
            compare=False,
        )
        return self.store.versions.get(project.name, outcome.version)

    @property
    def _actor(self) -> str:
        return f"retrain:{self.job.id}"

    def _insist(self) -> None:
        if not self.still_mine():
            raise JobLost(f"Job {self.job.id} was cancelled or taken by another.", "See: modelwright jobs")

    def _judged(self, project: Project, version: VersionRecord, note: Note) -> JobState:
        mine = [
            release
            for release in self.store.releases.list(project.name, limit=_HISTORY)
            if release.actor == self._actor
        ]
        if mine:  # killed after the promotion
            return self._promoted(version, mine[0])
        if version.decision.verdict is GateVerdict.REJECTED:
            return self._refused(version.decision.reasons[0])
        while True:
            champion = self._champion()
            word = verdict(
                project,
                self.settings,
                self.store,
                job=self.job,
                version=version,
                champion=champion,
                note=note,
            )
            try:
                state = self._act(project, version, champion, word)
            except Superseded:
                continue  # another version answers by now: that is whom it has to meet
            self._record(version, word, state)
            return state

    def _act(
        self, project: Project, version: VersionRecord, champion: ReleaseRecord, word: Verdict
    ) -> JobState:
        """Do what a duel's outcome asks for."""
        if not word.promote:
            return self._refused(word.reasons[0])
        plan = plan_of(project.file)
        if plan.mode is not Mode.AUTOMATIC:
            return self._wait(version, champion, word, plan)
        self._insist()
        verified(self.store, project.name, self.settings, version.number)
        release = self.store.releases.append(
            project.name,
            version.number,
            reason=" ".join(word.reasons),
            actor=self._actor,
            settings=watched(plan, job=self.job.id, version=version.number, before=champion.version),
            after=champion.sequence,
        )
        return self._promoted(version, release)

    def _promoted(self, version: VersionRecord, release: ReleaseRecord) -> JobState:
        if not self._told("promoted"):
            self.store.events.add(
                self.project.name,
                "promoted",
                f"Version {version.number} answers now: {release.reason}",
                {"job": self.job.id, "version": version.number, "release": release.sequence},
            )
        self.store.jobs.move(self.job.id, JobState.PROMOTED, version=version.number)
        return JobState.PROMOTED

    def _wait(self, version: VersionRecord, champion: ReleaseRecord, word: Verdict, plan: Plan) -> JobState:
        if not self._told(WAITING):
            self.store.events.add(
                self.project.name,
                WAITING,
                f"Version {version.number} won and {_NEXT[plan.mode].format(version.number)}",
                {
                    "job": self.job.id,
                    "version": version.number,
                    "champion": champion.version,
                    "reasons": list(word.reasons),
                    "for": plan.mode.value,
                    "plan": msgspec.to_builtins(plan),
                },
            )
        return JobState.JUDGED

    def _refused(self, reason: str) -> JobState:
        job = self.store.jobs.get(self.job.id) or self.job
        refuse(self.store, job, reason)
        return JobState.REJECTED

    def _record(self, version: VersionRecord, word: Verdict, state: JobState) -> None:
        """The duel beside the version's run in MLflow; what goes wrong there is told and stops nothing."""
        events = self.store.events.list(self.project.name, limit=_HISTORY)
        mine = [event for event in events if event.data.get("job") == self.job.id]
        content = {event.kind: event.data for event in mine if event.kind.startswith("duel")}
        outcome = {JobState.PROMOTED: "promoted", JobState.JUDGED: "waiting"}.get(state, "refused")
        try:
            with (
                tempfile.TemporaryDirectory() as folder,
                tracking(
                    self.settings.tracking_uri, experiment=self.project.name, working=self.settings.work_dir
                ) as tracker,
            ):
                file = Path(folder) / "duel.json"
                file.write_text(json.dumps(content, default=str), encoding="utf-8")
                tracker.call(
                    "log",
                    run=version.run_id,
                    params={},
                    metrics=_metrics(content.get("duel", {})),
                    tags={"modelwright.duel": outcome, "modelwright.duel.reason": word.reasons[0]},
                    files=[(str(file), "duel")],
                )
                follow(
                    self.store,
                    self.project.name,
                    uri=self.settings.tracking_uri,
                    working=self.settings.work_dir,
                    tracker=tracker,
                )
        except TrackingUnavailable as error:
            self.store.events.add(self.project.name, "tracking", error.reason, {"job": self.job.id})


def _metrics(duel: dict[str, object]) -> list[tuple[str, float, int]]:
    found: list[tuple[str, float, int]] = []
    models = duel.get("models")
    for name, numbers in (models if isinstance(models, dict) else {}).items():
        gain = numbers.get("gain") or {}
        values = {"rows": numbers.get("rows"), "p": numbers.get("p"), "gain": gain.get("value")}
        values |= {"gain_low": gain.get("low"), "gain_high": gain.get("high")}
        found += [
            (f"duel.{name}.{key}", float(value), 0) for key, value in values.items() if value is not None
        ]
    return found


def run_job(
    project: Project,
    settings: Settings,
    store: Store,
    job: JobRecord,
    *,
    progress: Progress | None = None,
    still_mine: Callable[[], bool] = lambda: True,
) -> JobState:
    """Bring a job that was taken to its end; see ``Steps``. Then old jobs' data files go."""
    state = Steps(project, settings, store, job, progress or Silent(), still_mine).run()
    remove_old_data(project, store, settings.work_dir, keep=project.file.retrain.keep_data)
    return state
