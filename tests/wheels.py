"""Wheels for a machine without a package index: made again of what is installed here."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
import zipfile
from collections.abc import Iterable
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


def closure(requirements: Iterable[str]) -> list[importlib.metadata.Distribution]:
    """What is installed of these requirements, and of all that they ask for in turn."""
    found: dict[str, importlib.metadata.Distribution] = {}
    pending = [(Requirement(line), "") for line in requirements]
    seen = set()
    while pending:
        wanted, extra = pending.pop()
        key = (canonicalize_name(wanted.name), *sorted(wanted.extras))
        if key in seen or (wanted.marker and not wanted.marker.evaluate({"extra": extra})):
            continue
        seen.add(key)
        found[key[0]] = importlib.metadata.distribution(wanted.name)
        lines = found[key[0]].requires or ()
        pending += [(Requirement(line), each) for line in lines for each in ("", *wanted.extras)]
    return list(found.values())


def repacked(distribution: importlib.metadata.Distribution, folder: Path) -> Path:
    """The wheel of an installed distribution; its commands are made anew where it is installed."""
    about = distribution.read_text("WHEEL") or ""
    tags = [line.removeprefix("Tag: ").split("-") for line in about.splitlines() if line.startswith("Tag: ")]
    tag = "-".join(".".join(sorted(set(part))) for part in zip(*tags, strict=True))
    name = canonicalize_name(distribution.metadata["Name"]).replace("-", "_")
    wheel = folder / f"{name}-{distribution.version}-{tag}.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for file in distribution.files or ():
            place = Path(str(distribution.locate_file(file)))
            if ".." not in file.parts and file.suffix != ".pyc" and place.is_file():
                archive.write(place, str(file))
    return wheel


def own_wheel(repository: Path, folder: Path) -> Path:
    """This checkout's wheel."""
    build = [
        sys.executable,
        "-m",
        "build",
        "--wheel",
        "--no-isolation",
        "--outdir",
        str(folder),
        str(repository),
    ]
    done = subprocess.run(build, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return next(folder.glob("modelwright-*.whl"))
