"""A bundle rendered as a Python package: text and bytes by path, the same for the same version."""

from __future__ import annotations

import csv
import io
import json
import keyword
import re
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec

from modelwright import __version__
from modelwright.bundle.format import SCHEMA, BundleSchema, Manifest
from modelwright.deploy.python_package import core
from modelwright.deploy.writing import bring
from modelwright.errors import ExitCode, MissingExtra, ModelwrightError, StorageFailure
from modelwright.schema.columns import Kind

PORT = 8002
_TEMPLATES = {
    "pyproject.toml": "pyproject.toml",
    "setup.py": "setup.py",
    "MANIFEST.in": "MANIFEST.in",
    "README.md": "README.md",
    "LICENSE": "LICENSE",
    "tox.ini": "tox.ini",
    "Procfile": "Procfile",
    "{module}/__init__.py": "module/__init__.py",
    "{module}/predict.py": "module/predict.py",
    "{module}/service.py": "module/service.py",
    "tests/test_prediction.py": "tests/test_prediction.py",
    "tests/test_service.py": "tests/test_service.py",
}


class PlaceTaken(ModelwrightError):
    """There is something else where the package would be written."""

    code = ExitCode.USAGE


class NotPackaged(ModelwrightError):
    """A version of a kind that has no package."""

    code = ExitCode.USAGE


@dataclass(frozen=True)
class Version:
    """What a package is made of.

    Attributes:
        manifest: Of the bundle.
        bundle: Its folder.
        missing: Spellings of a missing value in text files.
        held_out: Labelled rows that the model did not learn from, for the package's own tests.
        training: The project's own files by name: what the package is trained from.
    """

    manifest: Manifest
    bundle: Path
    missing: Sequence[str]
    held_out: Sequence[Mapping[str, Any]]
    training: Mapping[str, bytes]

    @property
    def distribution(self) -> str:
        """Its name for ``pip``."""
        return f"{self.manifest.project.lower().replace('_', '-')}-model"

    @property
    def module(self) -> str:
        """Its name for ``import``."""
        name = re.sub(r"\W", "_", self.distribution)
        return f"model_{name}" if name[0].isdigit() or keyword.iskeyword(name) else name

    @property
    def number(self) -> str:
        """Its version: that of the model."""
        return f"{self.manifest.version}.0.0"


def render(version: Version) -> dict[str, bytes]:
    """The package's files by path.

    Raises:
        NotPackaged: The version has several models, or its answers have no truth to be tested by.
    """
    if len(version.manifest.models) != 1:
        raise NotPackaged(
            "A package answers with one model, and this version has several.",
            "Serve it with: modelwright serve",
        )
    words = _words(version)
    found = {
        name.format(module=version.module): _filled(template, words).encode()
        for name, template in _TEMPLATES.items()
    }
    inside = version.module
    found[f"{inside}/VERSION"] = f"{version.number}\n".encode()
    found[f"{inside}/py.typed"] = b""
    for path in sorted(version.bundle.rglob("*")):
        if path.is_file():
            found[f"{inside}/bundle/{path.relative_to(version.bundle).as_posix()}"] = path.read_bytes()
    for name, text in core.sources(version.module, __version__).items():
        found[f"{inside}/core/{name}"] = text.encode()
    found["tests/held_out.csv"] = _csv(version.held_out)
    found |= {f"training/{name}": content for name, content in version.training.items()}
    return dict(sorted(found.items()))


def write(folder: Path, version: Version, *, replace: bool = False) -> list[Path]:
    """Write the package.

    Args:
        folder: Where to; made where it is not there.
        version: What of.
        replace: Write over an earlier package of the same name; its other files stay.

    Raises:
        PlaceTaken: The folder holds something.
        StorageFailure: The disk refused.
    """
    content = render(version)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        ours = (folder / version.module / "VERSION").is_file()
        if not (replace and ours):
            raise PlaceTaken(
                f"{folder} is there already and {'holds a package' if ours else 'holds something else'}.",
                "Write over it with --replace." if ours else "Name another folder with --output.",
            )
    doing = f"writing the package to {folder}"
    bring(content, folder, doing)
    written = [folder / name for name in content]
    try:
        _remove_others(folder / version.module, set(written))
    except OSError as error:
        raise StorageFailure.from_os_error(error, doing) from error
    return written


def _remove_others(module: Path, written: Set[Path]) -> None:
    """Take away what an earlier version's package had and this one has not."""
    for path in sorted(module.rglob("*"), reverse=True):  # what is in a folder before the folder
        if not path.is_dir() or path.is_symlink():
            if path not in written:
                path.unlink()
        elif not any(path.iterdir()):
            path.rmdir()


def _words(version: Version) -> dict[str, Any]:
    (entry,) = version.manifest.models
    created = datetime.fromisoformat(version.manifest.created)
    metric = entry.metrics.get("accuracy") or entry.metrics.get("r2")
    return {
        "project": version.manifest.project,
        "distribution": version.distribution,
        "module": version.module,
        "number": version.number,
        "model_version": version.manifest.version,
        "estimator": entry.estimator,
        "task": entry.task.value,
        "target": entry.target,
        "missing": json.dumps(["", *version.missing]),
        "epoch": int(created.timestamp()),
        "port": PORT,
        "release": __version__,
        "dataset_md5": version.manifest.dataset_md5,
        "git_commit": version.manifest.git_commit,
        "rows": len(version.held_out),
        "training": sorted(version.training),
        "images": _has_images(version.bundle),
        "least": round(metric.low, 4) if metric else 0.0,
        "example": repr(_without(version.held_out[0] if version.held_out else {}, entry.target)),
    }


def _without(row: Mapping[str, Any], target: str) -> dict[str, Any]:
    """A row as an example that people read: without its target and its images."""
    return {
        name: value
        for name, value in row.items()
        if name != target and not str(value).startswith("data:image/")
    }


def _has_images(bundle: Path) -> bool:
    """Whether the models see images, which need Pillow."""
    schema = msgspec.json.decode((bundle / SCHEMA).read_bytes(), type=BundleSchema)
    return any(column.kind is Kind.IMAGE for column in schema.inputs)


def _filled(name: str, words: Mapping[str, Any]) -> str:
    try:
        from jinja2 import Environment, StrictUndefined
    except ModuleNotFoundError:
        raise MissingExtra("jinja2", "train") from None
    text = files(__package__).joinpath("templates", *f"{name}.j2".split("/")).read_text(encoding="utf-8")
    # Python, TOML and INI are rendered, no markup: nothing is to be escaped.
    environment = Environment(undefined=StrictUndefined, keep_trailing_newline=True)  # noqa: S701
    return environment.from_string(text).render(words)


def _csv(rows: Sequence[Mapping[str, Any]]) -> bytes:
    text = io.StringIO()
    if rows:
        writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return text.getvalue().encode()
