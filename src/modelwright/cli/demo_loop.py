"""``modelwright demo loop``: a year in minutes of a service that looks after itself."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from modelwright.cli.progress import working
from modelwright.cli.terminal import Terminal, plain_table
from modelwright.cli.verb import verb
from modelwright.errors import ExitCode, ModelwrightError

if TYPE_CHECKING:
    from modelwright.cli.demo_worlds import World
    from modelwright.cli.demo_year import Account

_END = 30.0


class DemoFailed(ModelwrightError):
    """The year did not go as it should."""

    code = ExitCode.REJECTED


class PlaceTaken(ModelwrightError):
    """The folder for the demo is not empty."""

    code = ExitCode.USAGE


@verb(
    "loop",
    examples=[
        ("modelwright demo loop", "flowers; about two minutes, in modelwright-demo/iris"),
        ("modelwright demo loop fraud --port 5000", "payments, with the dashboard on port 5000"),
        ("modelwright demo loop fraud --sample 2023.csv --later 2024.csv", "payments of your own files"),
    ],
)
@click.argument("world", type=click.Choice(["iris", "fraud"]), default="iris", metavar="[iris|fraud]")
@click.option(
    "--into", type=click.Path(path_type=Path), metavar="DIR", help="Where; default modelwright-demo/WORLD."
)
@click.option(
    "--port", default=0, type=click.IntRange(0, 65535), help="Port of the server; 0 takes a free one."
)
@click.option("--sample", type=click.Path(path_type=Path), help="fraud: a file of payments to train on.")
@click.option("--later", type=click.Path(path_type=Path), help="fraud: a file of later payments.")
@click.option(
    "--calm",
    default=1_500,
    show_default=True,
    type=click.IntRange(1),
    metavar="ROWS",
    help="Rows of the calm season.",
)
@click.option(
    "--patience",
    default=90.0,
    show_default=True,
    type=click.FloatRange(1),
    metavar="SECONDS",
    help="How long a season is given to be noticed and answered.",
)
@click.option("--stay", is_flag=True, help="Go on serving after the year, until Ctrl+C.")
def loop(
    terminal: Terminal,
    *,
    world: str,
    into: Path | None,
    port: int,
    sample: Path | None,
    later: Path | None,
    calm: int,
    patience: float,
    stay: bool,
) -> None:
    """Live through a year in minutes.

    Trains a first version and serves it; then rows and their truths come over HTTP, season after season:
    as in training, in another mix, on another scale, with other labels. The service is left alone with
    it, and a table at the end says what it noticed, retrained and released, from its own event log.
    Exit status 5 if something was not as it should be.
    """
    from modelwright.cli.demo_worlds import fraud, iris
    from modelwright.cli.demo_year import Year
    from modelwright.cli.extras import need_training
    from modelwright.client.sync import Client
    from modelwright.project.load import load
    from modelwright.project.settings import resolve
    from modelwright.store.engine import open_store

    need_training()
    made = iris() if world == "iris" else fraud(sample, later)
    folder = _folder(into or Path("modelwright-demo") / world)
    made.write(folder)
    terminal.say(f"Training the first version in {folder} …")
    with working(terminal, "Training the first version"):
        _train(folder)
    settings = resolve(load(folder))
    with (
        _served(folder, port) as server,
        Client(server["url"]) as client,
        open_store(settings.store_url) as store,
    ):
        terminal.say(f"It answers. Look at it while the year goes by: {server['url']}/dashboard\n")
        year = Year(made, client, store, calm_rows=calm, patience=patience, tell=terminal.say)
        accounts = []
        with working(terminal, "Living through the year", len(made.seasons)) as work:
            for account in year.live():
                accounts.append(account)
                work.at(len(accounts))
        terminal.result(_as_json(accounts), lambda: _print(terminal, made, accounts, folder))
        sys.stdout.flush()
        if stay:
            terminal.say(f"Still serving at {server['url']}/dashboard. Stop with Ctrl+C.")
            with contextlib.suppress(KeyboardInterrupt):
                signal.pause()
    missing = [f"{account.season.name}: {each}" for account in accounts for each in account.missing]
    if missing:
        raise DemoFailed(
            "The year did not go as it should.", f"See: modelwright history {folder}", details=missing
        )


def _folder(folder: Path) -> Path:
    if folder.exists() and any(folder.iterdir()):
        raise PlaceTaken(f"{folder} is not empty.", "Remove it, or name another folder with --into.")
    return folder


def _train(folder: Path) -> None:
    """The first version, as a person would make it; what it says goes to standard error."""
    done = subprocess.run(
        [*_program(), "up", str(folder), "--no-serve", "--quiet"], stdout=sys.stderr, check=False
    )
    if done.returncode:
        raise DemoFailed("The first version could not be trained.", f"Try: modelwright up {folder}")


@contextlib.contextmanager
def _served(folder: Path, port: int) -> Iterator[dict[str, Any]]:
    """The server, which says where it answers; its log stands in the folder."""
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [*_program(), "serve", str(folder), "--port", str(port), "--json"],
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
        )
    try:
        yield _ready(process, folder)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_END)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _ready(process: subprocess.Popen[bytes], folder: Path) -> dict[str, Any]:
    """What a server says once it answers: one JSON document, which ends in a line of its own."""
    assert process.stdout is not None  # noqa: S101 - made with a pipe
    said = b""
    for line in process.stdout:
        said += line
        if line.rstrip() == b"}":
            found: dict[str, Any] = json.loads(said)
            return found
    raise DemoFailed("The server did not start.", f"See: {folder / 'server.log'}")


def _program() -> list[str]:
    return [sys.executable, "-m", "modelwright"]


def _as_json(accounts: list[Account]) -> list[dict[str, Any]]:
    return [
        {
            "season": account.season.name,
            "tale": account.season.tale,
            "rows": account.rows,
            "noticed": [
                {"kind": alarm.kind, "name": alarm.data.get("name"), "message": alarm.message}
                for alarm in account.alarms
            ],
            "jobs": [
                {
                    "trigger": job.trigger,
                    "reason": job.reason,
                    "state": job.state.value,
                    "version": job.version,
                }
                for job in account.jobs
            ],
            "missing": account.missing,
        }
        for account in accounts
    ]


def _print(terminal: Terminal, world: World, accounts: list[Account], folder: Path) -> None:
    from modelwright.cli.demo_year import summary

    terminal.print(f"\nWhat happened to '{world.name}' in its year, by its own event log:\n")
    titles = ("season", "rows", "noticed", "retrained for", "outcome", "as it should be")
    terminal.table(plain_table(titles, summary(accounts), right=("rows",)))
    terminal.print(f"\nAll of it: modelwright history {folder} --limit 200")
