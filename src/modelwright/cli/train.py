"""``modelwright train``: train the candidates, judge the winner, register it as a version."""

from __future__ import annotations

import click

from modelwright.cli.terminal import Terminal
from modelwright.cli.verb import project_argument, verb


@verb(
    "train",
    examples=[
        ("modelwright train", "the project here; an accepted version is released"),
        ("modelwright train examples/titanic --no-promote", "register it, let the champion answer"),
        ("modelwright train --data new.csv", "other data of the same form"),
        ("modelwright train --from-number 8", "in a new store: go on after an earlier one's version 7"),
        ("modelwright train --json | jq .metrics", "for scripts"),
    ],
)
@project_argument
@click.option("--data", metavar="SOURCE", help="Train on this data instead of the project's own.")
@click.option("--no-promote", is_flag=True, help="Register the version, but do not make it champion.")
@click.option("--from-number", type=click.IntRange(1), metavar="N", help="Number the version N or higher.")
def command(
    terminal: Terminal, *, path: str | None, data: str | None, no_promote: bool, from_number: int | None
) -> None:
    """Train the candidates and register the winner.

    A version that reaches its floors, answers as the trained model did and is not worse than the
    champion becomes champion; one that does not is registered as rejected and never served.
    """
    from modelwright.cli.context import open_project, opened_store
    from modelwright.cli.summary import finish, registered, rejected
    from modelwright.cli.training import run_training, show_outcome

    project, settings = open_project(terminal, path)
    with opened_store(settings) as store:
        assert store is not None  # noqa: S101 - it is made where it is not there
        if from_number is not None:
            store.versions.count_from(project.name, from_number)
        outcome = run_training(
            terminal, project, settings, store, data=data, release=not no_promote, actor="train"
        )
        show_outcome(terminal, outcome)
        version = registered(store, project.name, outcome.version)
        live = store.releases.current(project.name)
    if not terminal.json:
        state = "champion" if outcome.released else outcome.decision.verdict.value
        terminal.print(f"{outcome.project} version {outcome.version}: {state}")
    finish(terminal, version, settings)
    if not outcome.accepted:
        raise rejected(version, live)
