"""What ``modelwright doctor`` looks at, each look a function that yields findings and never raises."""

from __future__ import annotations

import json
import os
import shutil
import socket
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from modelwright import __version__
from modelwright.cli.errors import EXTRAS
from modelwright.errors import ModelwrightError
from modelwright.figures import size
from modelwright.project.sources import SAMPLE, SYNTHETIC
from modelwright.schema.urls import mask_url

if TYPE_CHECKING:
    from modelwright.project.load import Project
    from modelwright.project.settings import Settings

Status = Literal["ok", "note", "problem"]

LITTLE_SPACE = 1 << 30
TOO_LITTLE_SPACE = 100 << 20
PATIENCE = 3.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at.

    Attributes:
        area: Which part it belongs to.
        status: "ok"; "note", which stops nothing; or "problem".
        text: What was found.
        remedy: What to do about it.
    """

    area: str
    status: Status
    text: str
    remedy: str = ""


def installation() -> Iterator[Finding]:
    """Which parts are installed, by the package's own list of what it needs."""
    python = ".".join(map(str, sys.version_info[:3]))
    yield Finding("installed", "ok", f"Python {python} ({sys.executable})")
    try:
        package = metadata.metadata("modelwright")
        needs = metadata.requires("modelwright") or []
    except metadata.PackageNotFoundError:
        yield Finding("installed", "ok", f"modelwright {__version__}, run from its source tree")
        for extra in dict.fromkeys(EXTRAS.values()):
            modules = sorted(module for module, brought_by in EXTRAS.items() if brought_by == extra)
            yield _extra(extra, {name: "" if find_spec(name) else None for name in modules})
        return
    yield Finding("installed", "ok", f"modelwright {package['Version']}")
    by_extra = _by_extra(needs)
    versions = {name: _version(name) for names in by_extra.values() for name in names}
    for extra in ["", *(package.get_all("Provides-Extra") or [])]:
        yield _extra(extra, {name: versions[name] for name in by_extra.get(extra, [])})


def _by_extra(needs: list[str]) -> dict[str, list[str]]:
    """Names of the packages needed, by the extra that brings them ("" for the core)."""
    found: dict[str, list[str]] = {}
    for need in needs:
        requirement, _, marker = need.partition(";")
        name = "".join(
            letter if letter.isalnum() or letter in "-_." else " " for letter in requirement
        ).split()[0]
        extra = ""
        if "extra ==" in marker:
            extra = marker.partition("extra ==")[2].strip().strip("\"'").rstrip("\"')")
        elif "sys_platform" in marker and sys.platform == "win32":
            continue
        found.setdefault(extra, []).append(name)
    return found


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _extra(extra: str, versions: dict[str, str | None]) -> Finding:
    missing = [name for name, version in versions.items() if version is None]
    title = extra or "core"
    if not missing:
        listed = ", ".join(f"{name} {version}".strip() for name, version in versions.items())
        return Finding("installed", "ok", f"{title}: {listed}")
    if not extra:
        return Finding(
            "installed",
            "problem",
            f"core: {', '.join(missing)} missing",
            "Install again: pip install modelwright",
        )
    what = {"train": "to train", "parquet": "for Parquet files", "postgres": "for PostgreSQL"}.get(extra, "")
    return Finding(
        "installed",
        "note",
        f"{title}: not complete ({', '.join(missing)} missing)",
        f"Only if you need it{' ' + what if what else ''}: pip install 'modelwright[{extra}]'",
    )


def places(project: Project, settings: Settings) -> Iterator[Finding]:
    """Whether the folders can be written and the disk has room."""
    for title, folder in (("project folder", project.directory), ("working folder", settings.work_dir)):
        there = _nearest(folder)
        try:
            with tempfile.TemporaryFile(dir=there):
                pass
        except OSError as error:
            yield Finding(
                "writable",
                "problem",
                f"{title} {folder} cannot be written: {error.strerror}",
                "Give yourself the right to write there, or set MODELWRIGHT_WORK_DIR to another folder.",
            )
        else:
            made = "" if folder.exists() else " (made when needed)"
            yield Finding("writable", "ok", f"{title} {folder}{made}")
    free = shutil.disk_usage(_nearest(settings.work_dir)).free
    text = f"disk: {size(free)} free"
    if free < TOO_LITTLE_SPACE:
        yield Finding("writable", "problem", text, "Free some space: training and the log need it.")
    elif free < LITTLE_SPACE:
        yield Finding("writable", "note", text, "That is little: free some space before training.")
    else:
        yield Finding("writable", "ok", text)


def _nearest(folder: Path) -> Path:
    """The folder, or the first one above it that exists."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder


def data(project: Project) -> Iterator[Finding]:
    """Whether the data is where the project says."""
    source = project.file.data.source
    if not isinstance(source, str):
        yield _database(source.url)
    elif source.startswith(SYNTHETIC):
        yield Finding("data", "ok", f"{source}: rows that a program of the project makes, not real ones")
    elif source.startswith(SAMPLE):
        there = _version("scikit-learn") is not None
        yield (
            Finding("data", "ok", source)
            if there
            else Finding(
                "data", "problem", f"{source} needs scikit-learn", "pip install 'modelwright[train]'"
            )
        )
    elif "://" in source:
        installed = not source.startswith("s3://") or _version("dvc-s3") is not None
        yield (
            Finding("data", "note", f"{mask_url(source)} is read when training")
            if installed
            else Finding(
                "data", "problem", f"{mask_url(source)} needs more parts", "pip install 'modelwright[s3]'"
            )
        )
    else:
        path = project.resolve(source)
        if not path.exists():
            line = project.lines.get("data.source", 0)
            yield Finding(
                "data",
                "problem",
                f"{path} does not exist",
                f"Put it there, or correct data.source (line {line}).",
            )
        elif not os.access(path, os.R_OK):
            yield Finding("data", "problem", f"{path} cannot be read", "Give yourself the right to read it.")
        else:
            yield Finding("data", "ok", f"{path}{_size(path)}")


def _size(path: Path) -> str:
    return f", {size(path.stat().st_size)}" if path.is_file() else " (folder)"


def _database(url: str) -> Finding:
    from sqlalchemy import create_engine
    from sqlalchemy.exc import SQLAlchemyError

    try:
        engine = create_engine(url)
        with engine.connect():
            pass
        engine.dispose()
    except (SQLAlchemyError, ImportError, ValueError) as error:
        return Finding(
            "data",
            "problem",
            f"{mask_url(url)} cannot be reached: {mask_url(str(error).splitlines()[0])}",
            "Start the database, correct data.source, or install its driver.",
        )
    return Finding("data", "ok", f"{mask_url(url)} answers")


def store(project: Project, settings: Settings) -> Iterator[Finding]:
    """Whether the store answers and can be written, what is live, and whether that is whole."""
    from modelwright.monitor.aliases import can_follow, lag
    from modelwright.store.engine import open_store
    from modelwright.store.errors import StoreTooOld

    where = mask_url(settings.store_url)
    path = Path(settings.store_url.removeprefix("sqlite:///"))
    if settings.store_url.startswith("sqlite:///") and not path.exists():
        yield Finding("store", "ok", f"{where} (made by the first training)")
        return
    try:
        with open_store(settings.store_url, migrate=False) as opened:
            opened.ping()
            yield Finding("store", "ok", f"{where} answers and can be written")
            release = opened.releases.current(project.name)
            behind = lag(opened, project.name)
    except StoreTooOld as error:
        yield Finding("store", "note", error.reason, error.instruction)
        return
    except ModelwrightError as error:
        yield Finding("store", "problem", error.reason, error.instruction)
        return
    if release is None:
        yield Finding("store", "note", "no version is live", "Train one with: modelwright up")
        return
    yield _live(settings.work_dir / release.bundle, release.version)
    if behind is not None and (can_follow() or behind.told.release):
        yield Finding(
            "tracking",
            "note",
            behind.sentence,
            "It follows by itself where a server or worker runs and MLflow is installed. By hand: "
            "modelwright worker --once",
        )


def _live(path: Path, version: int) -> Finding:
    from modelwright.bundle.read import verify

    try:
        verify(path)
    except ModelwrightError as error:
        return Finding(
            "store", "problem", f"version {version} is live, but: {error.reason}", error.instruction
        )
    return Finding("store", "ok", f"version {version} is live and its bundle is whole")


def tracking(settings: Settings) -> Iterator[Finding]:
    """Whether MLflow's database or server is there."""
    uri = settings.tracking_uri
    if not uri.startswith(("http://", "https://")):
        yield Finding("tracking", "ok", f"{mask_url(uri)} (MLflow's own database)")
        return
    answer = _get(uri.rstrip("/") + "/version")
    if answer is None:
        yield Finding(
            "tracking",
            "problem",
            f"{mask_url(uri)} does not answer",
            "Start the MLflow server, or correct MODELWRIGHT_TRACKING_URI.",
        )
    else:
        yield Finding("tracking", "ok", f"{mask_url(uri)} answers (MLflow {answer[:20].strip()})")


def port(settings: Settings) -> Iterator[Finding]:
    """Whether the server could listen."""
    where = f"{settings.host}:{settings.port}"
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((settings.host, settings.port))
    except OSError as error:
        if _is_ours(where):
            yield Finding("port", "ok", f"{where} is in use by a Modelwright server")
            return
        yield Finding(
            "port",
            "problem",
            f"{where} cannot be used: {error.strerror}",
            "Stop what uses it, or choose another by --port, MODELWRIGHT_PORT or serve.port.",
        )
    else:
        yield Finding("port", "ok", f"{where} is free")


def _is_ours(where: str) -> bool:
    answer = _get(f"http://{where}/health")
    try:
        return answer is not None and "status" in json.loads(answer)
    except (ValueError, TypeError):
        return False


def _get(url: str) -> str | None:
    try:
        with urllib.request.urlopen(url, timeout=PATIENCE) as answer:  # noqa: S310 - http(s), from the settings
            return str(answer.read(10_000), "utf-8", "replace")
    except (OSError, ValueError, urllib.error.URLError):
        return None
