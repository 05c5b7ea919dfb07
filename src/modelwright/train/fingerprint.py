"""What went into a version, as one hash: nothing changed if it is the same.

Imports no training library, so that ``up`` can tell in milliseconds that there is nothing to do.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from modelwright import __version__
from modelwright.data.image_files import images_md5
from modelwright.data.version import dataset_md5
from modelwright.project.load import Project
from modelwright.project.model import SqlSource
from modelwright.project.sources import MADE, SAMPLE, SYNTHETIC, is_path

LIBRARIES = (
    "numpy",
    "scikit-learn",
    "xgboost-cpu",
    "xgboost",
    "lightgbm",
    "skl2onnx",
    "onnxmltools",
    "onnx",
    "onnxruntime",
    "optuna",
    "scipy",
    "torch",
    "pandas",
    "pyarrow",
    "mlflow",
    "dvc",
)
# Keys that change how a version is described, served, watched or replaced, and nothing of the version itself.
_ELSEWHERE = {"about", "monitor", "retrain"}


def environment() -> dict[str, str]:
    """Versions of Python, of this package and of the libraries that shape a model."""
    found = {"python": ".".join(map(str, sys.version_info[:3])), "modelwright": __version__}
    for name in LIBRARIES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def fingerprint(project: Project) -> str:
    """The fingerprint that a version trained now would have.

    Empty where that cannot be known without reading the source anew: a query, an object store, a
    source that is not there yet.

    Raises:
        ModelwrightError: The data cannot be read.
    """
    md5 = md5_of(project)
    return fingerprint_of(project, md5) if md5 else ""


def md5_of(project: Project) -> str:
    """The content hash of the project's data as it is now, images included; empty where ``fingerprint`` is.

    Raises:
        ModelwrightError: The data cannot be read.
    """
    digests = []
    for source in sources(project):
        path = _local(source, project)
        if path is None or not path.exists():
            return ""
        digests.append(dataset_md5(path, cache=project.working if project.working.is_dir() else None))
    return combined(digests, images=images_of(digests, project))


def images_of(digests: list[str], project: Project, files: Iterable[Path] | None = None) -> str:
    """One content hash for the images that the rows of sources point to; empty without any.

    Args:
        digests: Of the sources.
        project: Whose.
        files: The images, where they were read; by default those that a training read from these sources.
    """
    return images_md5(combined(digests), project_dir=project.directory, working=project.working, files=files)


def fingerprint_of(project: Project, md5: str, *, libraries: Mapping[str, str] | None = None) -> str:
    """The fingerprint of a version trained on the data with this content hash.

    Args:
        project: What to train.
        md5: Of the data.
        libraries: As ``environment`` gave them; by default as it gives them now.
    """
    file = shaping(project.file.model_dump(mode="json"))
    code = project.features_path.read_bytes() if project.features_path is not None else b""
    encoders = _encoders(project)
    parts = {
        **({"encoders": encoders} if encoders else {}),
        "data": md5,
        "project": file,
        "features": hashlib.sha256(code).hexdigest(),
        "environment": environment() if libraries is None else dict(libraries),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def shaping(file: Mapping[str, Any]) -> dict[str, Any]:
    """What shapes a version of a project file given as plain values, every default spelt out.

    Where the data came from does not matter, what is in it does.
    """
    kept = {key: value for key, value in file.items() if key not in _ELSEWHERE}
    kept["serve"] = {"threshold": file["serve"]["threshold"]}
    if kept.get("models"):
        kept["models"] = {name: _without_source(model) for name, model in kept["models"].items()}
    return _without_source(kept)


def _encoders(project: Project) -> dict[str, str]:
    """The content hashes of encoders that the project names, by path; what is not there has none."""
    parts = [project.file.features, *(model.features for model in project.file.models.values())]
    files = {each.encoder_file for features in parts for each in features.values()}
    paths = {path for path in files if path is not None}
    found = {path: project.resolve(path) for path in sorted(paths)}
    return {
        path: hashlib.sha256(file.read_bytes()).hexdigest() for path, file in found.items() if file.is_file()
    }


def sources(project: Project) -> list[str | SqlSource]:
    """The project's data sources, each once, the first model's first."""
    file = project.file
    if not file.models:
        return [file.data.source]
    found: list[str | SqlSource] = []
    for model in file.models.values():
        source = (model.data or file.data).source
        if source not in found:
            found.append(source)
    return found


def combined(digests: list[str], *, images: str = "") -> str:
    """One content hash for several sources and the images they point to; a single one stands for itself."""
    digests = [*digests, images] if images else digests
    if len(digests) == 1:
        return digests[0]
    return hashlib.md5("\n".join(digests).encode(), usedforsecurity=False).hexdigest()


def _local(source: str | SqlSource, project: Project) -> Path | None:
    if isinstance(source, SqlSource):
        return None
    if source.startswith(SAMPLE):
        return project.directory / "data" / f"{source.removeprefix(SAMPLE)}.csv"
    if source.startswith(SYNTHETIC):
        return project.directory / MADE
    return project.resolve(source) if is_path(source) else None


def _without_source(section: Mapping[str, Any]) -> dict[str, Any]:
    data = section.get("data")
    if not isinstance(data, Mapping):
        return dict(section)
    return {**section, "data": {key: value for key, value in data.items() if key != "source"}}
