"""``modelwright bundle``: a bundle examined without its project."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from modelwright.cli.progress import working
from modelwright.cli.terminal import Terminal
from modelwright.cli.verb import verb

if TYPE_CHECKING:
    from modelwright.bundle.format import Manifest


@click.group("bundle")
def command() -> None:
    """Examine a bundle."""


@verb(
    "verify",
    examples=[
        ("modelwright bundle verify .modelwright/bundles/v3", ""),
        ("modelwright bundle verify v3 --json | jq -r .content_hash", ""),
    ],
)
@click.argument("path", type=click.Path(path_type=Path))
def verify(terminal: Terminal, path: Path) -> None:
    """Check a bundle from its first byte to its last.

    Format, seal and every checksum; nothing in it is executed. Exit status 6 where something is
    wrong.
    """
    from modelwright.bundle import read

    with working(terminal, f"Verifying {path}"):
        manifest = read.verify(path)
    terminal.result(_as_json(path, manifest), lambda: _print(terminal, path, manifest))


command.add_command(verify)


def _print(terminal: Terminal, path: Path, manifest: Manifest) -> None:
    terminal.print(f"{path} is whole: {len(manifest.files) + 1} files, every checksum right.")
    terminal.print()
    lines = [
        ("project", f"{manifest.project}, version {manifest.version}"),
        ("format", str(manifest.format)),
        ("made", manifest.created),
        ("data", f"md5 {manifest.dataset_md5}"),
        ("run", manifest.run_id or "not tracked"),
        ("commit", manifest.git_commit or "outside git"),
        ("content", manifest.content_hash),
    ]
    for entry in manifest.models:
        target = f" of '{entry.target}'" if entry.target else ""
        quality = ", ".join(f"{name} {metric.value:.4g}" for name, metric in list(entry.metrics.items())[:4])
        lines.append(("model", f"{entry.name}: {entry.task.value}{target} by {entry.estimator}"))
        if quality:
            lines.append(("", quality))
        lines.append(
            (
                "",
                f"parity: {entry.parity.labels_differ} of {entry.parity.rows:,} rows differ, "
                f"by {entry.parity.max_difference:.2g} at most",
            )
        )
    for title, value in lines:
        terminal.print(f"  {title:<8} {value}")


def _as_json(path: Path, manifest: Manifest) -> dict[str, Any]:
    import msgspec

    return {"path": str(path), "valid": True, **msgspec.to_builtins(manifest)}
