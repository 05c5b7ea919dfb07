"""``modelwright versions``: what was registered, how good it is, which one answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from modelwright.cli.terminal import Terminal, plain_table
from modelwright.cli.verb import project_argument, verb

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelwright.store.records import VersionRecord


@verb(
    "versions",
    examples=[
        ("modelwright versions", "of the project here, newest first"),
        ("modelwright versions examples/iris --reasons", "why each was accepted or rejected"),
        ("modelwright versions --json | jq '.[0].number'", "the newest version's number"),
    ],
)
@project_argument
@click.option(
    "--limit", default=20, show_default=True, type=click.IntRange(1), metavar="N", help="How many to list."
)
@click.option("--reasons", is_flag=True, help="Also say why the gate accepted or rejected each.")
def command(terminal: Terminal, path: str | None, limit: int, reasons: bool) -> None:
    """List the registered versions.

    Newest first, with the quality on held-out rows (95 % interval), what the gate said, and which
    version answers now.
    """
    from modelwright.cli.context import open_project, opened_store

    project, settings = open_project(terminal, path)
    with opened_store(settings, create=False) as store:
        records = [] if store is None else store.versions.list(project.name, limit=limit)
        release = None if store is None else store.releases.current(project.name)
    live = None if release is None else release.version

    def show() -> None:
        if not records:
            terminal.say(f"Project '{project.name}' has no version yet. Train one with: modelwright train")
            return
        _print(terminal, records, live, reasons=reasons)

    terminal.result([_as_json(record, live) for record in records], show)


def interval(metric: Any) -> str:
    """A metric with its interval: ``0.957 (0.913 to 0.991)``."""
    return f"{metric.value:.4g} ({metric.low:.4g} to {metric.high:.4g})"


def _print(terminal: Terminal, records: Sequence[VersionRecord], live: int | None, *, reasons: bool) -> None:
    rows = []
    for record in records:
        metric = record.metrics.get(record.metric)
        rows.append(
            (
                f"{record.number}",
                "live" if record.number == live else "",
                record.created.astimezone().strftime("%Y-%m-%d %H:%M"),
                record.estimator,
                f"{record.metric} {interval(metric)}" if metric else record.metric,
                record.decision.verdict.value,
            )
        )
    terminal.table(
        plain_table(("version", "", "created", "model", "quality", "gate"), rows, right=("version",))
    )
    for record in records if reasons else ():
        terminal.print()
        terminal.print(f"Version {record.number} was {record.decision.verdict.value}:")
        for reason in record.decision.reasons:
            terminal.print(f"  {reason}")


def _as_json(record: VersionRecord, live: int | None) -> dict[str, Any]:
    import msgspec

    return {
        "number": record.number,
        "live": record.number == live,
        "created": record.created.isoformat(),
        "estimator": record.estimator,
        "metric": record.metric,
        "metrics": msgspec.to_builtins(record.metrics),
        "verdict": record.decision.verdict.value,
        "reasons": list(record.decision.reasons),
        "dataset_md5": record.dataset_md5,
        "run_id": record.run_id,
        "bundle": record.bundle,
    }
