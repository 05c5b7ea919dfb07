"""All that a report of a version tells, as plain data kept beside its plots (``report.json``).

Pages and cards are drawn from it at the training and at any time later, when neither the rows nor
the trained models are there any more.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from modelwright.errors import ExitCode, ModelwrightError, StorageFailure
from modelwright.files import write_whole
from modelwright.schema.columns import TableSchema
from modelwright.schema.metrics import Metric, Parity, Task
from modelwright.train.outcome import Outcome
from modelwright.train.package import Made
from modelwright.train.report.importance import Importance
from modelwright.train.report.insight import Curve, Insight, Mistake, Segment
from modelwright.train.segments import segment_names

FILE = "report.json"
FORMAT = 1
WRITING = "writing the report"


class NoReport(ModelwrightError):
    """A version has no report, or one that cannot be read."""

    code = ExitCode.USAGE


class ModelFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One model of the version.

    Attributes:
        name: "model" where there is one.
        how: How candidates competed, in words.
        balanced: Whether classes were weighted.
        data: About the rows (``Prepared.summary``).
        notes: Warnings about them, sentences.
        columns: What a client sends.
        plots: Files beside this one, in the order to look at them.
        groups: A clustering's groups in words, each with its share of the held-out rows.
    """

    name: str
    task: Task
    winner: str
    metric: str
    how: str
    balanced: bool
    threshold: float | None
    labels: tuple[str, ...]
    metrics: dict[str, Metric]
    parity: Parity
    leaderboard: tuple[dict[str, Any], ...]
    data: dict[str, Any]
    notes: tuple[str, ...]
    columns: TableSchema
    plots: tuple[str, ...]
    importances: tuple[Importance, ...]
    curves: tuple[Curve, ...]
    mistakes: tuple[Mistake, ...]
    segments: tuple[Segment, ...]
    groups: tuple[tuple[str, float], ...] = ()


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """One version.

    Attributes:
        about: What people wrote of it in the project file.
        reasons: Of the gate's decision.
        experiment: How to look at the MLflow run.
    """

    format: int = FORMAT
    project: str
    version: int
    created: str
    accepted: bool
    reasons: tuple[str, ...]
    about: dict[str, str]
    dataset_md5: str
    git_commit: str
    content_hash: str
    run_id: str
    experiment: str
    bundle: str
    libraries: dict[str, str]
    models: tuple[ModelFacts, ...]


def facts(
    outcome: Outcome,
    models: Sequence[Made],
    insights: Sequence[Insight],
    plots: Sequence[Sequence[Path]],
    origin: dict[str, Any],
) -> Facts:
    """Put together what is told of a version.

    Args:
        outcome: What came of the training.
        models: Its models.
        insights: Of each.
        plots: Of each, files.
        origin: ``created``, ``git_commit``, ``libraries``, ``about``.
    """
    folder = outcome.report.parent
    return Facts(
        project=outcome.project,
        version=outcome.version,
        created=origin["created"],
        accepted=outcome.accepted,
        reasons=outcome.decision.reasons,
        about=origin["about"],
        dataset_md5=outcome.dataset_md5,
        git_commit=origin["git_commit"],
        content_hash=outcome.content_hash,
        run_id=outcome.run_id,
        experiment=outcome.experiment,
        bundle=str(outcome.bundle),
        libraries=origin["libraries"],
        models=tuple(
            _of_model(made, insight, [str(plot.relative_to(folder)) for plot in drawn])
            for made, insight, drawn in zip(models, insights, plots, strict=True)
        ),
    )


def _of_model(made: Made, insight: Insight, plots: Sequence[str]) -> ModelFacts:
    prepared, winner = made.prepared, made.contest.winner
    assert winner.parity is not None  # noqa: S101 - a winner was proven
    return ModelFacts(
        name=prepared.part.name,
        task=prepared.part.task,
        winner=winner.candidate.name,
        metric=prepared.material.metric,
        how=prepared.material.plan.words,
        balanced=prepared.material.weights is not None,
        threshold=winner.threshold,
        labels=prepared.label_names or tuple(map(str, prepared.material.labels)),
        metrics=winner.metrics,
        parity=winner.parity,
        leaderboard=made.contest.leaderboard,
        data=prepared.summary,
        notes=prepared.warnings,
        columns=prepared.inputs,
        plots=tuple(plots),
        importances=insight.importances,
        curves=insight.curves,
        mistakes=insight.mistakes,
        segments=insight.segments,
        groups=_groups(made),
    )


def _groups(made: Made) -> tuple[tuple[str, float], ...]:
    winner = made.contest.winner
    names, labels = segment_names(winner, made.prepared.proof.encoder), winner.answers.labels
    if not names or labels is None:
        return ()
    shares = np.bincount(labels, minlength=len(names)) / max(1, len(labels))
    return tuple(zip(names, shares.tolist(), strict=True))


def keep(found: Facts, folder: Path) -> None:
    """Write the facts into ``folder``.

    Raises:
        StorageFailure: They cannot be written.
    """
    write_whole(folder / FILE, msgspec.json.format(msgspec.json.encode(found), indent=1), WRITING)


def kept(folder: Path, version: int) -> Facts:
    """The facts of a version, from its folder.

    Raises:
        NoReport: They are not there, damaged, or of a later release of the product.
    """
    file = folder / FILE
    try:
        return msgspec.json.decode(file.read_bytes(), type=Facts)
    except FileNotFoundError:
        raise NoReport(
            f"There are no facts for a report of version {version} here ({file}).",
            "They are kept where a version is trained, by releases that have this command: run it on that "
            "machine, or train again.",
        ) from None
    except OSError as error:
        raise StorageFailure.from_os_error(error, "reading the facts of a report") from error
    except msgspec.MsgspecError as error:
        raise NoReport(
            f"The facts for the report of version {version} cannot be read ({file}): {error}.",
            "Restore the file from a backup, or train again.",
        ) from error
