"""What came of a training, the same for ``train``, ``up`` and ``serve``: for people and for programs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from modelwright.cli.context import bundle_path
from modelwright.errors import ExitCode, ModelwrightError

if TYPE_CHECKING:
    from modelwright.cli.terminal import Terminal
    from modelwright.project.settings import Settings
    from modelwright.store.ports import Store
    from modelwright.store.records import ReleaseRecord, VersionRecord


class Rejected(ModelwrightError):
    """The gate refused the version that these inputs make."""

    code = ExitCode.REJECTED


def rejected(version: VersionRecord, live: ReleaseRecord | None) -> Rejected:
    """The error for a version that was refused.

    Args:
        version: The refused one.
        live: What answers all the same.
    """
    still = f"Version {live.version} still answers." if live else "Nothing is served."
    return Rejected(
        f"The gate rejected version {version.number} of {version.project}.",
        f"{still} Improve the data or the candidates, or change the floors in the project file.",
        details=version.decision.reasons,
    )


def registered(store: Store, project: str, number: int) -> VersionRecord:
    """The record of a version that was there a moment ago."""
    version = store.versions.get(project, number)
    if version is None:
        raise ModelwrightError(
            f"Version {number} of {project} is not in the store any more.", "Run the command again."
        )
    return version


def finish(terminal: Terminal, version: VersionRecord, settings: Settings) -> None:
    """End a command that does not serve: the summary, or where everything is."""
    terminal.result(summary(version, settings), lambda: show_places(terminal, version, settings))


def summary(record: VersionRecord, settings: Settings, url: str | None = None) -> dict[str, Any]:
    """The machine-readable summary of a version; its keys are relied on from outside."""
    return {
        "project": record.project,
        "version": record.number,
        "decision": record.decision.verdict.value,
        "metrics": {
            name: {"value": metric.value, "low": metric.low, "high": metric.high}
            for name, metric in record.metrics.items()
        },
        "data": data_of(record, settings),
        "dataset_md5": record.dataset_md5,
        "bundle": str(bundle_path(settings, record)),
        "run_id": record.run_id,
        "url": url,
    }


def report_path(settings: Settings, record: VersionRecord) -> Path:
    """Where the report of a version lies."""
    return settings.work_dir / "reports" / f"v{record.number}" / "report.html"


def data_of(record: VersionRecord, settings: Settings) -> str:
    """What a version was trained on, for people; empty where nobody kept that."""
    from modelwright.train import recipe

    kept = recipe.read(settings.work_dir, record.number)
    return "" if kept is None else ", ".join(each.origin or each.path for each in kept.sources)


def show_places(terminal: Terminal, record: VersionRecord, settings: Settings) -> None:
    """Say which data it was, and where the bundle, the report and the experiment are."""
    data = data_of(record, settings)
    if data:
        terminal.print(f"  data        {data}, md5 {record.dataset_md5}")
    terminal.print(f"  bundle      {bundle_path(settings, record)}")
    report = report_path(settings, record)
    if report.is_file():
        terminal.print(f"  report      file://{quote(str(report))}")
    terminal.print(f"  experiment  {experiment(settings)}")


def experiment(settings: Settings) -> str:
    """How to look at the experiment: an address, or the command that opens it."""
    uri = str(settings.tracking_uri)
    if uri.startswith(("http://", "https://")):
        return uri
    return f"mlflow ui --backend-store-uri '{uri}'"
