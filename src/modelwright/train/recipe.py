"""What a version was made from, kept beside it, so that it can be made again.

A folder a version, ``recipes/v<N>`` in the working folder: ``recipe.json`` and, where the project has
one, its ``features.py`` as it was. The rows themselves are in DVC's cache, named here by their hash.
The project file is kept with every default spelt out: a later release may have others. Passwords of
database addresses are masked; making a version again asks no database.
"""

from __future__ import annotations

import platform
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from modelwright.errors import ExitCode, ModelwrightError
from modelwright.files import replacing, write_whole
from modelwright.project.load import Project
from modelwright.schema.urls import mask_url

FORMAT = 1
RECIPE = "recipe.json"
FEATURES = "features.py"


class RecipeInvalid(ModelwrightError):
    """What was kept of a version's making cannot be read."""

    code = ExitCode.BUNDLE


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """One of the data sources.

    Attributes:
        name: Of the file or folder that was versioned; its ending tells the form.
        md5: Of its content, as DVC computes it.
        path: Where it was, relative to the project's folder.
        origin: Where it came from, for people; empty in recipes of releases that did not keep it.
    """

    name: str
    md5: str
    path: str
    origin: str = ""


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that determines a version, but for the rows and ``features.py`` themselves.

    Attributes:
        format: Of this file.
        project, version: Whose it is.
        file: The project file, defaults spelt out.
        sources: The data, in the order of the project's sources.
        images: One content hash of the images that the rows point to, which DVC does not keep.
        git_commit: Of the project at training; empty outside git.
        libraries: Versions of Python and of what shapes a model.
        machine: Kind of processor and system: results of floating point may differ between kinds.
        directory: Where the project's folder was, from which paths of images start; empty in recipes of
            releases that did not keep it.
    """

    format: int = FORMAT
    project: str
    version: int
    file: dict[str, Any]
    sources: tuple[Source, ...]
    git_commit: str
    libraries: dict[str, str]
    machine: str
    images: str = ""
    directory: str = ""


def folder_of(work_dir: Path, version: int) -> Path:
    """Where the recipe of ``version`` lies."""
    return work_dir / "recipes" / f"v{version}"


def machine() -> str:
    """The kind of processor and system, for example "x86_64 Linux"."""
    return f"{platform.machine()} {platform.system()}"


def source_of(path: Path, md5: str, origin: str, project: Project) -> Source:
    """A source that came from ``origin`` and was versioned at ``path``, inside the project."""
    place = path.absolute().relative_to(project.directory.absolute()).as_posix()
    return Source(name=path.name, md5=md5, path=place, origin=origin)


def plain_file(project: Project) -> dict[str, Any]:
    """The project file as plain values, passwords masked."""
    masked: dict[str, Any] = _masked(project.file.model_dump(mode="json"))
    return masked


def write(
    work_dir: Path,
    project: Project,
    *,
    version: int,
    sources: Sequence[Source],
    git_commit: str,
    libraries: dict[str, str],
    images: str = "",
) -> None:
    """Keep what ``version`` is made from.

    Raises:
        StorageFailure: The disk refused.
    """
    folder = folder_of(work_dir, version)
    recipe = Recipe(
        project=project.name,
        version=version,
        file=plain_file(project),
        sources=tuple(sources),
        git_commit=git_commit,
        libraries=libraries,
        machine=machine(),
        images=images,
        directory=str(project.directory.absolute()),
    )
    doing = "keeping what the version was made from"
    code = project.features_path
    if code is not None:
        with replacing(folder / FEATURES, doing) as draft:
            shutil.copyfile(code, draft)
    # last: where it is, all of it is
    encoded = msgspec.json.format(msgspec.json.encode(recipe), indent=2)
    write_whole(folder / RECIPE, encoded, doing)


def read(work_dir: Path, version: int) -> Recipe | None:
    """What was kept of ``version``; ``None`` if nothing was (older releases kept nothing).

    Raises:
        RecipeInvalid: It is damaged, or of a newer release.
    """
    path = folder_of(work_dir, version) / RECIPE
    try:
        recipe = msgspec.json.decode(path.read_bytes(), type=Recipe)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as error:
        raise RecipeInvalid(f"{path} cannot be read: {error}.", "Restore it from a backup.") from error
    if recipe.format > FORMAT:
        raise RecipeInvalid(
            f"{path} was written by a newer release of Modelwright.",
            "Upgrade this installation: pip install --upgrade modelwright",
        )
    return recipe


def _masked(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _masked(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_masked(each) for each in value]
    return mask_url(value) if isinstance(value, str) and "://" in value else value
