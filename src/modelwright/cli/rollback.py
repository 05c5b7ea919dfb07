"""``modelwright rollback [VERSION]``: a former champion answers again, at once."""

from __future__ import annotations

import click

from modelwright.cli.terminal import Terminal
from modelwright.cli.verb import project_option, verb


@verb(
    "rollback",
    examples=[
        ("modelwright rollback", "back to the version that answered before"),
        ('modelwright rollback 3 --reason "version 5 refuses good customers"', "back to version 3"),
        ("modelwright rollback -p examples/iris --json", ""),
    ],
)
@click.argument("version", required=False, type=click.IntRange(1))
@project_option
@click.option("--reason", default="", help="Why; kept with the release.")
def command(terminal: Terminal, version: int | None, project: str | None, reason: str) -> None:
    """Let a former champion answer again.

    Without VERSION, the one that was champion before the present one. Its bundle is verified first; a
    running server takes it up by itself, without a failed request. MLflow's alias follows in a moment.
    """
    from modelwright.cli.actor import actor
    from modelwright.cli.context import nothing_trained, open_project, opened_store
    from modelwright.retrain.promotion import mirror_in_background, roll_back

    opened, settings = open_project(terminal, project)
    with opened_store(settings, create=False) as store:
        if store is None:
            raise nothing_trained(opened)
        changed = roll_back(
            store,
            opened.name,
            settings,
            version=version,
            reason=reason or "rolled back by hand",
            actor=actor(),
        )
    mirror_in_background(opened, settings)
    release = changed.release
    data = {
        "project": opened.name,
        "version": release.version,
        "previous": changed.previous,
        "reason": release.reason,
    }
    terminal.result(
        data,
        lambda: terminal.print(
            f"Version {release.version} answers again; version {changed.previous} did before."
        ),
    )
