"""``modelwright data``: a group of its own, since looking at data is more than one verb."""

from __future__ import annotations

import click

from modelwright.cli.data_show import show


@click.group("data")
def command() -> None:
    """Look at a project's data."""


command.add_command(show)
