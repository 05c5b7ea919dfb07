"""``modelwright approve [VERSION]``: a person's word on a retrained version that won its duel."""

from __future__ import annotations

import click

from modelwright.cli.terminal import Terminal
from modelwright.cli.verb import project_option, verb


@verb(
    "approve",
    examples=[
        ("modelwright approve", "the newest version that waits answers from now on"),
        ('modelwright approve 7 --reason "seen by the risk team"', ""),
        ('modelwright approve 7 --refuse --reason "learned from a bad week"', "it never answers"),
    ],
)
@click.argument("version", required=False, type=click.IntRange(1))
@project_option
@click.option("--refuse", is_flag=True, help="Say no: the champion stays.")
@click.option("--reason", default="", help="Why; kept with the release, or with the refusal.")
def command(
    terminal: Terminal, *, version: int | None, project: str | None, refuse: bool, reason: str
) -> None:
    """Let a waiting version answer, or refuse it.

    Versions wait for a person where the project file says `retrain: {promotion: approval}`.
    One in its shadow time or canary may be approved as well: it answers all at once, and is watched.
    Refusing it ends its rollout. `modelwright jobs` lists them with what came of their duels.
    """
    from modelwright.cli.actor import actor
    from modelwright.cli.context import nothing_trained, open_project, opened_store
    from modelwright.retrain.promotion import mirror_in_background, settle

    opened, settings = open_project(terminal, project)
    word = "refused" if refuse else "approved"
    with opened_store(settings, create=False) as store:
        if store is None:
            raise nothing_trained(opened)
        who = actor()
        changed = settle(
            store,
            opened.name,
            settings,
            version=version,
            approve=not refuse,
            reason=reason or f"{word} by {who}",
            actor=who,
        )
    if changed is not None:
        mirror_in_background(opened, settings)

    def show() -> None:
        if changed is None:
            terminal.print("Refused; the champion stays.")
        else:
            terminal.print(
                f"Version {changed.release.version} answers now; version {changed.previous} did before."
            )

    data = {
        "project": opened.name,
        "outcome": word,
        "version": None if changed is None else changed.release.version,
        "previous": None if changed is None else changed.previous,
    }
    terminal.result(data, show)
