"""``modelwright serve``: what was released, or bundles by name, over HTTP until told to stop."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from modelwright.cli.terminal import Terminal
from modelwright.cli.verb import verb

if TYPE_CHECKING:
    from modelwright.project.settings import Settings
    from modelwright.serve.launch import Readiness
    from modelwright.serve.settings import Target


@verb(
    "serve",
    examples=[
        ("modelwright serve examples/iris", "the version that was released last, and every later one"),
        ("modelwright serve --port 8080 --workers 4", "the project here, four processes"),
        ("modelwright serve --bundle .modelwright/bundles/v3", "this bundle, whatever is released"),
        (
            "modelwright serve --bundle s3://bucket/models/iris/v3",
            "one in object storage, fetched and checked",
        ),
        ("modelwright serve fraud iris", "two projects in one server, the first also at the root"),
    ],
)
@click.argument("paths", nargs=-1, metavar="[PATH]...")
@click.option(
    "--bundle",
    "bundles",
    multiple=True,
    metavar="DIR",
    help="Serve this bundle (also s3://…); may be repeated.",
)
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on; 0 takes a free one.")
@click.option("--host", help="Address to listen on. Default: this machine only.")
@click.option(
    "--workers", type=click.IntRange(1, 64), help="Server processes. Default: a core each, up to four."
)
@click.option("--log-format", type=click.Choice(["text", "json"]), help="Form of the log. Default: text.")
@click.option(
    "--durability",
    type=click.Choice(["disk", "memory"]),
    default="disk",
    help="What an answer waits for: its log entry on the disk, or handed to the system only.",
)
@click.option("--keep-days", type=click.FloatRange(min=0, min_open=True), help="Delete older predictions.")
@click.option("--keep-rows", type=click.IntRange(1), help="Delete all but the newest so many predictions.")
@click.option("--drain", type=click.FloatRange(0, 3600), default=20.0, help="Seconds to finish when stopped.")
@click.option("--max-rows", type=click.IntRange(1), default=10_000, help="Most rows of one request.")
@click.option("--max-body", type=click.IntRange(1), default=32, help="Largest body, MiB.")
@click.option(
    "--max-waiting",
    type=click.IntRange(1),
    default=100_000,
    help="Most samples, and labels without a prediction, that wait of one client.",
)
@click.option("--auth", metavar="HOW", help="Who may ask: off, keys, oidc, or keys,oidc.")
@click.option("--insecure", is_flag=True, help="Serve other machines without asking who they are.")
@click.option("--cors", "origins", multiple=True, metavar="ORIGIN", help="A web page's origin that may ask.")
@click.option("--tls-cert", default="", metavar="FILE", help="Certificate chain, PEM: serve HTTPS.")
@click.option("--tls-key", default="", metavar="FILE", help="Its private key, PEM.")
@click.option(
    "--hsts",
    metavar="TIME",
    help="How long browsers insist on HTTPS: off, auto, or a time such as 30d. Default: auto.",
)
@click.option("--traces", is_flag=True, help="Send OpenTelemetry traces, as OTEL_* variables say.")
@click.option("--no-retrain", is_flag=True, help="Start no retraining; jobs wait for 'modelwright worker'.")
@click.option("--no-monitor", is_flag=True, help="Watch neither drift nor quality here.")
def command(
    terminal: Terminal,
    *,
    paths: tuple[str, ...],
    bundles: tuple[str, ...],
    port: int | None,
    host: str | None,
    workers: int | None,
    log_format: str | None,
    durability: str,
    keep_days: float | None,
    keep_rows: int | None,
    drain: float,
    max_rows: int,
    max_body: int,
    max_waiting: int,
    auth: str | None,
    insecure: bool,
    origins: tuple[str, ...],
    tls_cert: str,
    tls_key: str,
    hsts: str | None,
    traces: bool,
    no_retrain: bool,
    no_monitor: bool,
) -> None:
    """Serve released versions over HTTP.

    A project's server follows its releases: 'modelwright promote' reaches it within two seconds,
    without a failed request. Ctrl+C finishes the requests under way and stops. In a SageMaker
    container, with nothing named, it serves /opt/ml/model on port 8080.
    """
    import msgspec

    from modelwright.serve.container import sagemaker_container
    from modelwright.serve.launch import serve
    from modelwright.serve.plan import serve_settings
    from modelwright.serve.settings import MEGABYTE, Limits

    container = None if paths or bundles else sagemaker_container(os.environ)
    if container is not None:
        bundles, host, insecure = (str(container.bundle),), host or "0.0.0.0", True  # noqa: S104
        port, workers = port or container.port, workers or container.workers
    flags: dict[str, object] = {
        "port": port or None,
        "host": host,
        "workers": workers,
        "log_format": log_format,
    }
    targets, settings, threshold = _targets(terminal, paths, bundles, flags)
    if no_retrain:
        targets = [msgspec.structs.replace(target, retrain=False) for target in targets]
    told = serve_settings(
        targets,
        settings,
        port=port,
        sync=durability == "disk",
        keep_days=keep_days,
        keep_rows=keep_rows,
        drain_seconds=drain,
        limits=Limits(rows=max_rows, body_bytes=max_body * MEGABYTE, waiting_per_client=max_waiting),
        auth=auth,
        insecure=insecure,
        origins=origins,
        certificate=tls_cert,
        private_key=tls_key,
        hsts=hsts,
        sagemaker=container is not None,
        retrain_threshold=threshold,
        traces=traces,
        monitor=not no_monitor,
    )
    serve(told, on_ready=lambda ready: _tell(terminal, ready))


def _targets(
    terminal: Terminal, paths: tuple[str, ...], bundles: tuple[str, ...], flags: dict[str, object]
) -> tuple[list[Target], Settings, int | None]:
    """What was named, the settings of the first project (or of this folder), and its retraining threshold."""
    from modelwright.cli.context import open_project
    from modelwright.project.settings import resolve
    from modelwright.serve.plan import bundle_target, is_bundle, project_target, stored_target

    targets: list[Target] = []
    settings: Settings | None = None
    threshold: int | None = None
    for path in paths or ([] if bundles else [None]):
        if path is not None and is_bundle(Path(path)):
            targets.append(bundle_target(Path(path)))
            continue
        project, own = open_project(terminal, path, flags)
        targets.append(project_target(project, own))
        if settings is None:
            settings, threshold = own, project.file.retrain.new_samples
    settings = settings or resolve(flags=flags)
    for bundle in bundles:
        stored = bundle.startswith("s3://")
        targets.append(stored_target(bundle, settings.work_dir) if stored else bundle_target(Path(bundle)))
    return targets, settings, threshold


def _tell(terminal: Terminal, ready: Readiness) -> None:
    def show() -> None:
        served = ", ".join(f"{name} version {version}" for name, version in ready.versions.items())
        terminal.print(f"Serving {served} at {ready.url}")
        if ready.curl:
            terminal.print(f"\nTry it:\n  {ready.curl}")
        terminal.print(f"\nDashboard: {ready.url}/dashboard   API: {ready.url}/docs   Stop: Ctrl+C")

    data = {"url": ready.url, "versions": ready.versions, "curl": ready.curl}
    terminal.result(data, show)
    sys.stdout.flush()
