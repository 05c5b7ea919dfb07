"""A trained version judged, written, recorded, registered and, if accepted, released."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from modelwright.bundle.format import Manifest
from modelwright.bundle.heap import give_back
from modelwright.bundle.write import write_bundle
from modelwright.errors import ModelwrightError, StorageFailure
from modelwright.project.load import Project
from modelwright.project.settings import Settings
from modelwright.schema.urls import mask_url
from modelwright.store.ports import Store
from modelwright.store.records import Decision, Verdict, VersionRecord
from modelwright.train import recipe
from modelwright.train.aliases import follow
from modelwright.train.fingerprint import combined, environment, fingerprint_of, images_of
from modelwright.train.gate import Judged, judge
from modelwright.train.git import commit_of
from modelwright.train.outcome import ModelOutcome, Outcome
from modelwright.train.package import Made, Origin, contents
from modelwright.train.progress import Progress, Stage
from modelwright.train.raw import derive_source
from modelwright.train.recipe import Source
from modelwright.train.record import record_candidates, record_model, record_training
from modelwright.train.report.facts import facts
from modelwright.train.report.insight import Insight
from modelwright.train.report.looking import look
from modelwright.train.report.plots import draw_plots
from modelwright.train.report.writing import write_report
from modelwright.train.track import Tracker
from modelwright.train.versus import Comparison, NotComparable, compare

_TOLD = 3


@dataclass
class Publisher:
    """Takes trained models to a registered version.

    Attributes:
        project, store, settings, progress: As given to the training.
        tracker: Open.
        sources: The data that was trained on.
        started: When the training began, seconds since the epoch.
        compare: Whether the gate compares with the champion.
    """

    project: Project
    store: Store
    settings: Settings
    progress: Progress
    tracker: Tracker
    sources: tuple[Source, ...]
    started: float
    compare: bool = True
    commit: str = field(init=False)
    dataset_md5: str = field(init=False, default="")
    images: str = field(init=False, default="")

    def __post_init__(self) -> None:
        self.commit = commit_of(self.project.directory)

    def publish(self, models: Sequence[Made], *, release: bool, actor: str) -> Outcome:
        """All steps from judging on.

        Raises:
            TrackingUnavailable: MLflow failed; the version is not registered.
            StorageFailure: The disk refused; the version is not registered.
            StoreUnavailable: The store did.
        """
        files = [path for made in models for path in made.prepared.image_files]
        md5s = [source.md5 for source in self.sources]
        self.images = images_of(md5s, self.project, files)
        self.dataset_md5 = combined(md5s, images=self.images)
        self.progress.stage(Stage.JUDGE)
        decision = self._judge(models)
        self.progress.stage(Stage.TRACK)
        version, folder = self._reserve()
        report = self.settings.work_dir / "reports" / f"v{version}"
        with self._swept(version, folder, report):
            return self._publish(models, decision, version, folder, report, release=release, actor=actor)

    def _publish(
        self,
        models: Sequence[Made],
        decision: Decision,
        version: int,
        folder: Path,
        report: Path,
        *,
        release: bool,
        actor: str,
    ) -> Outcome:
        insights = [look(made) for made in models]
        give_back()  # a large model was opened for it
        plots = self._draw(models, insights, report)
        parent = self._start_run(version, decision)
        winners = [
            record_candidates(
                self.tracker,
                parent,
                made,
                prefix=f"{made.prepared.part.name}: " if len(models) > 1 else "",
                plots=drawn,
                tags=self._tags(version),
            )
            for made, drawn in zip(models, plots, strict=True)
        ]
        self.progress.stage(Stage.WRITE)
        manifest = self._write(models, folder, version, run=winners[0])
        self._put_away(folder, version)
        _keep_learned(models, report)
        outcome = self._outcome(models, decision, manifest, folder, report, parent)
        write_report(facts(outcome, models, insights, plots, self._provenance(manifest)), report)
        self._record(models, decision, manifest, folder, parent, outcome.report)
        self.store.versions.add(self._registered(models, decision, manifest, folder))
        self.store.events.add(
            self.project.name, "version", _event(outcome), {"version": version, "run": winners[0]}
        )
        if release and outcome.accepted:
            self._release(version, decision, actor)
            return _released(outcome)
        return outcome

    @contextlib.contextmanager
    def _swept(self, version: int, *folders: Path) -> Iterator[None]:
        """Remove the folders of a version that came to nothing: on a full disk they would be in the way."""
        try:
            yield
        except BaseException:  # also an interruption must leave nothing behind
            with contextlib.suppress(ModelwrightError):
                if self.store.versions.get(self.project.name, version) is None:
                    for folder in folders:
                        shutil.rmtree(folder, ignore_errors=True)
            raise

    def _judge(self, models: Sequence[Made]) -> Decision:
        champion = self._champion() if self.compare else None
        judged = []
        for made in models:
            part, winner = made.prepared.part, made.contest.winner
            assert winner.parity is not None  # noqa: S101 - a winner was proven
            comparison, why_not = self._compare(made, champion)
            judged.append(
                Judged(
                    name=part.name if len(models) > 1 else "",
                    task=part.task,
                    metrics=winner.metrics,
                    parity=winner.parity,
                    floors=part.gate.floors,
                    margin=part.gate.non_inferiority,
                    comparison=comparison,
                    not_compared=why_not,
                    warnings=(*made.prepared.warnings, *([winner.choice.words] if winner.choice else [])),
                )
            )
        return judge(judged)

    def _champion(self) -> Path | None:
        current = self.store.releases.current(self.project.name)
        return None if current is None else self.settings.work_dir / current.bundle

    def _compare(self, made: Made, champion: Path | None) -> tuple[Comparison | None, str]:
        if champion is None:
            return None, ""
        try:
            answers = made.contest.winner.answers
            return compare(made.prepared, answers, champion, dataset_md5=self.dataset_md5), ""
        except NotComparable as error:
            return None, str(error)

    def _reserve(self) -> tuple[int, Path]:
        """The next number whose folder is free: a store that was lost counts from one again."""
        while True:
            number = self.store.versions.reserve(self.project.name)
            folder = self.settings.work_dir / "bundles" / f"v{number}"
            if not folder.exists():
                return number, folder

    def _draw(self, models: Sequence[Made], insights: Sequence[Insight], folder: Path) -> list[list[Path]]:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            return [
                draw_plots(made, insight, folder if len(models) == 1 else folder / f"model{place}")
                for place, (made, insight) in enumerate(zip(models, insights, strict=True), start=1)
            ]
        except OSError as error:
            raise StorageFailure.from_os_error(error, "drawing the plots") from error

    def _start_run(self, version: int, decision: Decision) -> str:
        tags = {**self._tags(version), "modelwright.decision": decision.verdict.value}
        answer = self.tracker.call(
            "start", name=f"version {version}", tags=tags, started=int(self.started * 1000)
        )
        return str(answer["run"])

    def _tags(self, version: int) -> dict[str, str]:
        tags = {
            "modelwright.project": self.project.name,
            "modelwright.version": str(version),
            "modelwright.release": environment()["modelwright"],
            "dataset_md5": self.dataset_md5,
            "git_commit": self.commit,
            "mlflow.source.name": self.project.path.name,
        }
        if self.commit:
            tags["mlflow.source.git.commit"] = self.commit.removesuffix("-dirty")
        return {name: value for name, value in tags.items() if value}

    def _write(self, models: Sequence[Made], folder: Path, version: int, *, run: str) -> Manifest:
        origin = Origin(
            project=self.project.name,
            version=version,
            dataset_md5=self.dataset_md5,
            git_commit=self.commit,
            run_id=run,
            libraries=environment(),
        )
        recipe.write(
            self.settings.work_dir,
            self.project,
            version=version,
            sources=self.sources,
            images=self.images,
            git_commit=self.commit,
            libraries=origin.libraries,
        )
        source = derive_source(self.project.features_path)
        return write_bundle(folder, contents(models, origin, derive_source=source))

    def _put_away(self, folder: Path, version: int) -> None:
        """Let servers on other machines have the bundle before anything says that it is there."""
        if self.settings.bundles_url:
            # Imported here: Arrow's file systems are needed where there is such a storage only.
            from modelwright.bundle.objects import address_of, push

            push(folder, address_of(self.settings.bundles_url, self.project.name, version))

    def _record(  # noqa: PLR0917 - the parts of one version
        self,
        models: Sequence[Made],
        decision: Decision,
        manifest: Manifest,
        folder: Path,
        parent: str,
        report: Path,
    ) -> None:
        """The training's run and the registered model."""
        first = models[0].prepared
        params = {
            "rows": str(first.summary["rows"]),
            "held_out": str(first.summary["test"]),
            "seed": str(first.material.seed),
            "metric": first.material.metric,
            "winner": ", ".join(made.contest.winner.candidate.name for made in models),
        }
        record_training(self.tracker, parent, models, files=[report], params=params)
        record_model(
            self.tracker,
            manifest.run_id,
            models,
            project=self.project.name,
            version=manifest.version,
            bundle=folder,
            derived=derive_source(self.project.features_path) is not None,
            tags={
                "modelwright.decision": decision.verdict.value,
                "modelwright.reason": decision.reasons[0] if decision.reasons else "",
                "modelwright.content_hash": manifest.content_hash,
                "dataset_md5": self.dataset_md5,
            },
        )
        self.tracker.call("end", run=parent, status="FINISHED")

    def _registered(
        self, models: Sequence[Made], decision: Decision, manifest: Manifest, folder: Path
    ) -> VersionRecord:
        several = len(models) > 1
        return VersionRecord(
            project=self.project.name,
            number=manifest.version,
            created=datetime.now(UTC),
            estimator=", ".join(made.contest.winner.candidate.name for made in models),
            metric=models[0].prepared.material.metric,
            metrics={
                (f"{entry.name}.{name}" if several else name): metric
                for entry in manifest.models
                for name, metric in entry.metrics.items()
            },
            parity={entry.name: entry.parity for entry in manifest.models},
            decision=decision,
            dataset_md5=self.dataset_md5,
            git_commit=self.commit,
            run_id=manifest.run_id,
            fingerprint=fingerprint_of(self.project, self.dataset_md5),
            content_hash=manifest.content_hash,
            bundle=str(folder.relative_to(self.settings.work_dir)),
            leaderboard=tuple(
                {"model": made.prepared.part.name, **row}
                for made in models
                for row in made.contest.leaderboard
            ),
            environment=manifest.libraries,
        )

    def _release(self, version: int, decision: Decision, actor: str) -> None:
        self.store.releases.append(
            self.project.name, version, reason=" ".join(decision.reasons[:_TOLD]), actor=actor
        )
        follow(
            self.store,
            self.project.name,
            uri=self.settings.tracking_uri,
            working=self.settings.work_dir,
            tracker=self.tracker,
        )

    def _outcome(  # noqa: PLR0917 - the parts of one version
        self,
        models: Sequence[Made],
        decision: Decision,
        manifest: Manifest,
        folder: Path,
        report: Path,
        parent: str,
    ) -> Outcome:
        return Outcome(
            project=self.project.name,
            version=manifest.version,
            decision=decision,
            models=tuple(
                ModelOutcome(
                    name=made.prepared.part.name,
                    task=made.prepared.part.task,
                    winner=made.contest.winner.candidate.name,
                    metric=made.prepared.material.metric,
                    metrics=made.contest.winner.metrics,
                    leaderboard=made.contest.leaderboard,
                )
                for made in models
            ),
            dataset_md5=self.dataset_md5,
            bundle=folder,
            content_hash=manifest.content_hash,
            run_id=manifest.run_id,
            tracking_uri=mask_url(self.settings.tracking_uri),
            experiment=_experiment(self.settings.tracking_uri, self.tracker.experiment, parent),
            report=report / "report.html",
            released=False,
            seconds=0.0,
        )

    def _provenance(self, manifest: Manifest) -> dict[str, Any]:
        return {
            "created": manifest.created,
            "git_commit": self.commit,
            "libraries": manifest.libraries,
            "about": self.project.file.about.model_dump(),
        }


def learned_file(report: Path, model: str) -> Path:
    """Where a version keeps which rows a model learned from: the array ``Prepared.learned``."""
    return report / "learned" / f"{model}.npy"


def _keep_learned(models: Sequence[Made], report: Path) -> None:
    try:
        for made in models:
            file = learned_file(report, made.prepared.part.name)
            file.parent.mkdir(parents=True, exist_ok=True)
            np.save(file, made.prepared.learned)
    except OSError as error:
        raise StorageFailure.from_os_error(error, "keeping which rows were learned from") from error


def _experiment(uri: str, experiment: str, run: str) -> str:
    if uri.startswith(("http://", "https://")):
        return f"{mask_url(uri).rstrip('/')}/#/experiments/{experiment}/runs/{run}"
    return f"mlflow ui --host 127.0.0.1 --backend-store-uri '{mask_url(uri)}'"


def _event(outcome: Outcome) -> str:
    why = outcome.decision.reasons[0] if outcome.decision.reasons else ""
    return f"Version {outcome.version} was trained and {outcome.decision.verdict.value}. {why}".strip()


def _released(outcome: Outcome) -> Outcome:
    from dataclasses import replace

    assert outcome.decision.verdict is Verdict.ACCEPTED  # noqa: S101 - the store refuses it otherwise
    return replace(outcome, released=True)
