"""From what a person names (projects, bundles) to what a server is told."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from modelwright.bundle.format import MANIFEST
from modelwright.errors import ExitCode, ModelwrightError
from modelwright.project.load import Project
from modelwright.project.settings import Settings
from modelwright.serve.settings import ServeSettings, Target

_MOST_WORKERS = 4


class SameName(ModelwrightError):
    """Two things to be served have one name."""

    code = ExitCode.USAGE


def is_bundle(path: Path) -> bool:
    """Whether a folder looks like a bundle."""
    return (path / MANIFEST).is_file()


def project_target(project: Project, settings: Settings) -> Target:
    """The champion of a project, and every later one."""
    return Target(name=project.name, project=project.name, work_dir=str(settings.work_dir))


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


def serve_settings(
    targets: Sequence[Target],
    settings: Settings,
    *,
    port: int | None = None,
    log_format: str = "text",
    sync: bool = True,
    retrain_threshold: int | None = None,
) -> ServeSettings:
    """What a server of ``targets`` is told.

    Args:
        targets: What to serve, the first one also at the root.
        settings: How this process runs.
        port: Instead of the settings' port; 0 takes a free one.
        log_format: "text" or "json".
        sync: Whether an answer waits for the disk.
        retrain_threshold: New samples that start a retraining.

    Raises:
        SameName: Two targets have one name.
    """
    _refuse_same_names(target.name for target in targets)
    given = settings.entry("workers").source != "default"
    return ServeSettings(
        targets=tuple(targets),
        work_dir=str(settings.work_dir),
        store_url=settings.store_url,
        host=settings.host,
        port=settings.port if port is None else port,
        workers=settings.workers if given else min(_MOST_WORKERS, len(os.sched_getaffinity(0))),
        sync=sync,
        log_level=settings.log_level,
        log_format=log_format,
        retrain_threshold=retrain_threshold,
    )


def _refuse_same_names(names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise SameName(
                f"Two of what is to be served are called '{name}'.",
                "Serve them apart, on two ports: requests tell models apart by name.",
            )
        seen.add(name)
