"""``modelwright demo``: a group, since there is more than one thing to show."""

from __future__ import annotations

import click

from modelwright.cli.demo_loop import loop


@click.group("demo")
def command() -> None:
    """Show the product at work, with everything real but the world."""


command.add_command(loop)
