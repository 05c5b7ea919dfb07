"""``modelwright deploy``: files that other programs run this project by."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from modelwright.cli.terminal import Terminal
from modelwright.cli.verb import project_argument, verb

if TYPE_CHECKING:
    from modelwright.deploy.writing import Written


@click.group("deploy")
def command() -> None:
    """Write the files that other programs run a project by."""


@verb(
    "monitoring",
    examples=[
        ("modelwright deploy monitoring", "for the project here, into deploy/monitoring"),
        (
            "modelwright deploy monitoring examples/fraud --target 10.0.0.5:5000 --target 10.0.0.6:5000",
            "two servers",
        ),
        ("modelwright deploy monitoring --key-file /etc/prometheus/key", "where the servers ask for keys"),
    ],
)
@project_argument
@click.option("--output", metavar="FOLDER", help="Where to; by default deploy/monitoring in the project.")
@click.option(
    "--target", "targets", multiple=True, metavar="HOST:PORT", help="A server to watch; may be repeated."
)
@click.option("--https", is_flag=True, help="The servers speak TLS.")
@click.option(
    "--alertmanager", default="127.0.0.1:9093", show_default=True, metavar="HOST:PORT", help="Alertmanager."
)
@click.option(
    "--prometheus", default="http://127.0.0.1:9090", show_default=True, metavar="URL", help="For Grafana."
)
@click.option("--key-file", default="", metavar="FILE", help="Prometheus's key for the servers: scope read.")
@click.option("--retrain-key-file", default="", metavar="FILE", help="Alertmanager's key: scope retrain.")
@click.option(
    "--latency", default=0.25, show_default=True, type=click.FloatRange(0, min_open=True), metavar="SECONDS",
    help="Alert when the 99th percentile is above.",
)  # fmt: skip
@click.option(
    "--error-rate", default=0.01, show_default=True, type=click.FloatRange(0, 1), metavar="SHARE",
    help="Alert when a larger share of requests fails.",
)  # fmt: skip
@click.option("--quiet-for", default="1h", show_default=True, metavar="TIME", help="Alert after no request.")
@click.option("--interval", default="15s", show_default=True, metavar="TIME", help="Between two scrapes.")
@click.option(
    "--docs", default="", metavar="URL", help="Where this documentation is served: alerts link to it."
)
@click.option("--force", is_flag=True, help="Overwrite files that were changed by hand.")
def monitoring(
    terminal: Terminal,
    *,
    path: str | None,
    output: str | None,
    targets: tuple[str, ...],
    https: bool,
    alertmanager: str,
    prometheus: str,
    key_file: str,
    retrain_key_file: str,
    latency: float,
    error_rate: float,
    quiet_for: str,
    interval: str,
    docs: str,
    force: bool,
) -> None:
    """Write a monitoring set-up: Prometheus, Alertmanager, Grafana.

    Scrape and alert rules (down, failing, slow, quality under the project's floors, drift, the log's
    queue, silence, a failed retraining) with a test for each, routing that asks for a retraining, and
    dashboards of the service's health and the models' performance. Files you changed are kept.
    """
    from modelwright.cli.context import open_project
    from modelwright.deploy.monitoring.render import render
    from modelwright.deploy.monitoring.settings import MonitoringSettings, floors_of
    from modelwright.deploy.writing import write_files

    project, settings = open_project(terminal, path)
    floors, higher = floors_of(project.file)
    told = MonitoringSettings(
        project=project.name,
        targets=targets or (f"127.0.0.1:{settings.port}",),
        https=https,
        alertmanager=alertmanager,
        prometheus=prometheus,
        interval=interval,
        key_file=key_file,
        retrain_key_file=retrain_key_file,
        latency=latency,
        error_rate=error_rate,
        quiet=quiet_for,
        docs=docs.rstrip("/"),
        floors=floors,
        higher=higher,
    )
    folder = Path(output) if output else project.directory / "deploy" / "monitoring"
    done = write_files(render(told), folder, force=force)
    if not floors:
        terminal.warn(
            "The project file names no floor (gate.floors or retrain.quality), so no rule watches quality."
        )
    _tell(terminal, done)


def _tell(terminal: Terminal, done: Written) -> None:
    def show() -> None:
        for name in done.written:
            terminal.print(str(done.folder / name))
        if done.same:
            terminal.say(f"{len(done.same)} files were so already.")

    terminal.result(
        {"folder": str(done.folder.resolve()), "written": list(done.written), "unchanged": list(done.same)},
        show,
    )


command.add_command(monitoring)
