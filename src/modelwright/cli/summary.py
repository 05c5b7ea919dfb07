"""What came of a training, the same for ``train``, ``up`` and ``serve``: for people and for programs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from modelwright.cli.context import bundle_path

if TYPE_CHECKING:
    from modelwright.cli.terminal import Terminal
    from modelwright.project.settings import Settings
    from modelwright.store.records import VersionRecord


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
        "dataset_md5": record.dataset_md5,
        "bundle": str(bundle_path(settings, record)),
        "run_id": record.run_id,
        "url": url,
    }


def report_path(settings: Settings, record: VersionRecord) -> Path:
    """Where the report of a version lies."""
    return settings.work_dir / "reports" / f"v{record.number}" / "report.html"


def show_places(terminal: Terminal, record: VersionRecord, settings: Settings) -> None:
    """Say where the bundle, the report and the experiment are."""
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
