"""From what a person names (projects, bundles) to what a server is told."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from modelwright.bundle.format import MANIFEST
from modelwright.errors import ExitCode, ModelwrightError
from modelwright.project.durations import seconds
from modelwright.project.load import Project
from modelwright.project.settings import Settings
from modelwright.serve.auth.local import may_start
from modelwright.serve.settings import Limits, ServeSettings, Target
from modelwright.serve.tracing import traces_wanted

if TYPE_CHECKING:
    from modelwright.serve.tls import Certificate

_MOST_WORKERS = 4


class SameName(ModelwrightError):
    """Two things to be served have one name."""

    code = ExitCode.USAGE


def is_bundle(path: Path) -> bool:
    """Whether a folder looks like a bundle."""
    return (path / MANIFEST).is_file()


def project_target(project: Project, settings: Settings) -> Target:
    """The champion of a project, and every later one."""
    kept = project.file.serve.keep_images
    return Target(
        name=project.name,
        project=project.name,
        work_dir=str(settings.work_dir),
        store_url=settings.store_url,
        project_file=str(project.path),
        new_classes=project.file.retrain.new_classes,
        bundles_url=settings.bundles_url,
        request_log=str(project.resolve(log)) if (log := project.file.serve.request_log) else "",
        images="" if kept is None else _images(settings.work_dir),
        images_seconds=0.0 if kept is None else seconds(kept),
    )


def _images(work_dir: Path) -> str:
    # Imported here: a project's server is planned without NumPy, which its children load.
    from modelwright.bundle.kept import FOLDER

    return str(work_dir / FOLDER)


def bundle_target(path: Path) -> Target:
    """A bundle by itself, under its project's name.

    Raises:
        BundleInvalid: It does not verify.
    """
    # Imported here: a project's server is planned without NumPy and ONNX Runtime, which its children load.
    from modelwright.bundle.read import verify

    manifest = verify(path)
    return Target(
        name=manifest.project, project=manifest.project, bundle=str(path.resolve()), version=manifest.version
    )


def stored_target(address: str, work_dir: Path) -> Target:
    """A bundle in object storage by itself, fetched and verified.

    Raises:
        BundleInvalid: There is none, or it does not verify.
        ObjectsUnavailable: The storage cannot be reached.
    """
    from modelwright.bundle.objects import pulled

    return bundle_target(pulled(address, work_dir))


def serve_settings(
    targets: Sequence[Target],
    settings: Settings,
    *,
    port: int | None = None,
    sync: bool = True,
    keep_days: float | None = None,
    keep_rows: int | None = None,
    drain_seconds: float = 20.0,
    limits: Limits = Limits(),  # noqa: B008 - an immutable value
    auth: str | None = None,
    insecure: bool = False,
    origins: Sequence[str] = (),
    certificate: str = "",
    private_key: str = "",
    hsts: str | None = None,
    sagemaker: bool = False,
    retrain_threshold: int | None = None,
    traces: bool = False,
    monitor: bool = True,
) -> ServeSettings:
    """What a server of ``targets`` is told.

    Args:
        targets: What to serve, the first one also at the root.
        settings: How this process runs.
        port: Instead of the settings' port; 0 takes a free one.
        sync: Whether an answer waits for the disk.
        keep_days, keep_rows: Retention of the prediction log; all is kept by default.
        drain_seconds: How long requests in flight may take when the server stops.
        limits: What a client may ask for.
        auth: Instead of the settings' word: "off", "keys", "oidc" or "keys,oidc".
        insecure: Serve beyond this machine without asking who it is.
        origins: Web pages that may send requests.
        certificate, private_key: Files for TLS.
        hsts: How long browsers are to insist on HTTPS: "auto" (the default), "off", or a length of time.
        sagemaker: ``/invocations`` speaks SageMaker's protocol, not MLflow's.
        retrain_threshold: New samples that start a retraining.
        traces: Send OpenTelemetry traces, whatever ``MODELWRIGHT_TRACES`` says.
        monitor: Watch drift and quality.

    Raises:
        SameName: Two targets have one name.
        AuthMisconfigured: Authentication cannot be set up so.
        Exposed: Strangers could ask.
        TlsUnusable: The certificate and its key cannot be used.
        HstsUnclear: ``hsts`` is no length of time, or there is no TLS.
        TracesMisconfigured: Traces cannot be sent as it was asked for.
        MissingExtra: Traces are wanted, and what sends them is not installed.
    """
    _refuse_same_names(target.name for target in targets)
    auth = _checked_auth(settings.auth if auth is None else auth)
    may_start(settings.host, auth=auth != "off", insecure=insecure)
    shown = _shown(certificate, private_key)
    port = settings.port if port is None else port
    given = settings.entry("workers").source != "default"
    return ServeSettings(
        targets=tuple(targets),
        work_dir=str(settings.work_dir),
        store_url=settings.store_url,
        host=settings.host,
        port=port,
        workers=settings.workers if given else min(_MOST_WORKERS, len(os.sched_getaffinity(0))),
        sync=sync,
        log_level=settings.log_level,
        log_format=settings.log_format,
        keep_days=keep_days,
        keep_rows=keep_rows,
        drain_seconds=drain_seconds,
        limits=limits,
        auth=auth,
        insecure=insecure,
        origins=tuple(origins),
        certificate=certificate,
        private_key=private_key,
        hsts=_insisted(hsts, shown, port),
        sagemaker=sagemaker,
        retrain_threshold=retrain_threshold,
        traces=traces_wanted(os.environ, asked=traces),
        monitor=monitor,
    )


def _checked_auth(auth: str) -> str:
    """How to authenticate, in one word; found wrong here and not in a worker."""
    asked = auth.strip().lower() or "off"
    if asked == "off":
        return asked
    # Imported here: cryptography takes its time, and most servers on a person's machine need none.
    from modelwright.serve.auth.settings import auth_settings

    return asked if auth_settings(os.environ, auth=asked).on else "off"


def _shown(certificate: str, private_key: str) -> Certificate | None:
    """What is known of the certificate; found wrong here and not in a worker."""
    if not (certificate or private_key):
        return None
    # Imported here: OpenSSL takes its time, and most servers on a person's machine need none.
    from modelwright.serve.tls import look_at

    return look_at(certificate, private_key)


def _insisted(hsts: str | None, shown: Certificate | None, port: int) -> int:
    if hsts is None and shown is None:
        return 0
    from modelwright.serve.tls import AUTO, hsts_seconds

    return hsts_seconds(AUTO if hsts is None else hsts, shown, port)


def _refuse_same_names(names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise SameName(
                f"Two of what is to be served are called '{name}'.",
                "Serve them apart, on two ports: requests tell models apart by name.",
            )
        seen.add(name)
