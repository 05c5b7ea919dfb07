"""``modelwright top``: what a running server does now, as ``htop`` shows a machine."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

import click

from modelwright.cli.asking import SERVER, api_key_option
from modelwright.cli.terminal import Terminal
from modelwright.cli.verb import verb

if TYPE_CHECKING:
    from modelwright.cli.topview.reading import Reading

_SHORTEST = 0.2


@verb(
    "top",
    examples=[
        ("modelwright top", f"the server at {SERVER}"),
        ("modelwright top http://127.0.0.1:8080 --every 5", "another one, looked at every five seconds"),
        ("modelwright top --once", "one look, then end: for a script or a pipe"),
        ("MODELWRIGHT_API_KEY=… modelwright top https://models.example.org", "where a key is needed"),
    ],
)
@click.argument("url", default=SERVER, metavar="[URL]")
@click.option(
    "--every",
    default=2.0,
    show_default=True,
    type=click.FloatRange(_SHORTEST),
    metavar="SECONDS",
    help="Time between two looks.",
)
@click.option("--once", is_flag=True, help="Look once and end, as on a pipe.")
@api_key_option
def command(terminal: Terminal, *, url: str, every: float, once: bool, api_key: str | None) -> None:
    """Show what a running server does now.

    Requests, errors and latency a second by route, what is answered, the processes and the prediction
    log, from the server's own metrics. Ctrl+C ends it. Where the server asks for keys, one with the scope
    'read' will do.
    """
    from modelwright.cli.topview.reading import Between, read
    from modelwright.cli.topview.view import facts, view

    before = read(url, api_key)
    time.sleep(every if not once else min(every, 1.0))
    after = read(url, api_key)
    found = facts(Between(before, after))
    if once or terminal.json or not sys.stdout.isatty():
        terminal.result(found, lambda: _print(terminal, view(found, url)))
        return
    _watch(terminal, url, api_key, every, after, found)


def _print(terminal: Terminal, shown: Any) -> None:
    console = terminal.console()
    with console.capture() as captured:
        console.print(shown)
    terminal.print("\n".join(line.rstrip() for line in captured.get().splitlines()))


def _watch(  # noqa: PLR0917 - where it was before it goes on
    terminal: Terminal, url: str, key: str | None, every: float, latest: Reading, found: dict[str, Any]
) -> None:
    from rich.live import Live
    from rich.text import Text

    from modelwright.cli.topview.reading import Between, NotAnswering, read
    from modelwright.cli.topview.view import facts, view

    with Live(view(found, url), console=terminal.console(), screen=True, auto_refresh=False) as live:
        while True:
            time.sleep(every)
            try:
                reading = read(url, key)
            except NotAnswering as error:  # it may be starting anew: say so, and go on looking
                live.update(Text(str(error), style="red"), refresh=True)
                continue
            live.update(view(facts(Between(latest, reading)), url), refresh=True)
            latest = reading
