"""One check of a running service, told for programs, as a line of a log, and as a judgement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from modelwright.errors import ExitCode, ModelwrightError, StorageFailure
from modelwright.schema.urls import mask_url
from modelwright.train.evaluate import higher_is_better
from modelwright.train.live_check import Asked, Measured


class BelowFloor(ModelwrightError):
    """The service answers worse than it has to."""

    code = ExitCode.QUALITY


@dataclass(frozen=True)
class Report:
    """What is told of one check.

    Attributes:
        time: When it ended, RFC 3339.
        url: Of the service.
        commit: Of the project, or of the folder the rows are in; empty outside git.
        seed: Of the draw.
        asked, measured: What came of it.
    """

    time: str
    url: str
    commit: str
    seed: int
    asked: Asked
    measured: Measured

    @classmethod
    def of(cls, asked: Asked, measured: Measured, *, url: str, seed: int, commit: str) -> Report:
        """A report of a check that has just ended."""
        now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        return cls(now, mask_url(url), commit, seed, asked, measured)

    @property
    def milliseconds(self) -> tuple[float, float]:
        """Median and 95 % quantile of a request's time."""
        median, slow = np.quantile(self.asked.seconds, [0.5, 0.95]).tolist()
        return round(median * 1000, 3), round(slow * 1000, 3)

    @property
    def version(self) -> str:
        """Who answered; more than one where a release came in between."""
        return "+".join(map(str, self.asked.versions))

    def document(self) -> dict[str, Any]:
        """For programs."""
        median, slow = self.milliseconds
        return {
            "time": self.time,
            "url": self.url,
            "commit": self.commit,
            "versions": list(self.asked.versions),
            "rows": len(self.asked.answers),
            "refused": self.asked.refusals,
            "seed": self.seed,
            "metrics": msgspec.to_builtins(self.measured.metrics),
            "commonest": self.measured.commonest,
            "latency_ms": {"median": median, "p95": slow},
        }

    def line(self) -> str:
        """For the log: one line that a person reads and ``grep`` finds."""
        chief = _chief(self.measured)
        value = f"{self.measured.metrics[chief].value:.4f}" if chief else "nan"
        return (
            f"{self.time} commit={self.commit or '-'} version={self.version} {chief or 'accuracy'}={value} "
            f"n={len(self.asked.answers)} latency_ms={self.milliseconds[0]:g}\n"
        )


def _chief(measured: Measured) -> str:
    return next((name for name in ("accuracy", "rmse") if name in measured.metrics), "")


def append(path: Path, report: Report) -> None:
    """Add the report's line to a file, made where there is none.

    Raises:
        StorageFailure: The disk refused.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(report.line())
    except OSError as error:
        raise StorageFailure.from_os_error(error, f"appending to {path}") from error


def judge(report: Report, floors: Sequence[tuple[str, float]]) -> None:
    """Whether the service is good enough.

    Args:
        report: What it did.
        floors: Least (or most) values by metric; where there are none, it must not be worse than
            always giving the commonest label.

    Raises:
        BelowFloor: It is not.
    """
    failed = [sentence for name, floor in floors if (sentence := _missed(report.measured, name, floor))]
    if not floors:
        failed = _guessing(report.measured)
    if failed:
        raise BelowFloor(
            f"The service at {report.url} (version {report.version}) answers worse than it has to.",
            "Compare with 'modelwright versions': where those numbers are good, what is sent is not what "
            "was trained on. 'modelwright drift FILE' tells which column, 'modelwright rollback' goes back.",
            details=failed,
        )


def _missed(measured: Measured, name: str, floor: float) -> str:
    metric = measured.metrics.get(name)
    if metric is None:
        return f"'{name}' cannot be measured on these rows, so its floor of {floor:g} is not met."
    up = higher_is_better(measured.task, name)
    if (metric.value >= floor) if up else (metric.value <= floor):
        return ""
    word = "below the floor" if up else "above the limit"
    return f"{name} {metric.value:.4g} [{metric.low:.4g}, {metric.high:.4g}] is {word} of {floor:g}."


def _guessing(measured: Measured) -> list[str]:
    """What is said where the answers are surely worse than the simplest guess."""
    accuracy = measured.metrics.get("accuracy")
    if accuracy is None or measured.commonest is None or accuracy.high >= measured.commonest:
        return []
    return [
        f"accuracy {accuracy.value:.4g} [{accuracy.low:.4g}, {accuracy.high:.4g}] is worse than always "
        f"answering the commonest label, which would be right in {measured.commonest:.4g}."
    ]
