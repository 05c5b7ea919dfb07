"""A version made again from what was recorded, and compared with the one that was registered.

Nothing is registered, tracked or released: the second bundle is written to a place of its own and its
content hash compared. The hash covers every file of a bundle (graphs, schema, encoding, profile of
the data), so the same hash means the same answers.
"""

from __future__ import annotations

import dataclasses
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from modelwright.bundle.format import Manifest, ModelEntry
from modelwright.bundle.read import BundleInvalid, verify
from modelwright.bundle.write import write_bundle
from modelwright.data.load import read_table
from modelwright.data.pictures import image_folders
from modelwright.data.recorded import bring_back
from modelwright.data.version import DatasetVersion
from modelwright.project.load import FILE, Project
from modelwright.project.model import Feature, ProjectFile, SqlSource
from modelwright.project.settings import Settings
from modelwright.store.errors import UnknownVersion
from modelwright.store.ports import Store
from modelwright.store.records import VersionRecord
from modelwright.train import recipe
from modelwright.train.changes import changed_libraries
from modelwright.train.fingerprint import combined, environment, fingerprint_of, images_of, sources
from modelwright.train.package import Origin, contents
from modelwright.train.parts import Part, parts_of
from modelwright.train.prepare import Dataset
from modelwright.train.progress import Progress, Silent, Stage
from modelwright.train.raw import derive_source
from modelwright.train.recipe import RecipeInvalid, Source
from modelwright.train.recover import recovered
from modelwright.train.session import Read, make

_OURS = ("sklearn", "xgboost", "lightgbm")


@dataclass(frozen=True)
class Reproduction:
    """What came of making a version again.

    Attributes:
        project, version: Which one.
        same: Whether the bundle is the same.
        recorded, found: Content hash of the registered bundle, and of the one made now.
        origin: Where the project file and ``features.py`` were taken from.
        changed: What is not as it was at the training, sentences.
        differences: Where the bundles differ, sentences.
        seconds: How long it took.
    """

    project: str
    version: int
    same: bool
    recorded: str
    found: str
    origin: str
    changed: tuple[str, ...]
    differences: tuple[str, ...]
    seconds: float


@dataclass(frozen=True)
class Making:
    """What a version is made again from.

    Attributes:
        project: The project as it was, in a folder of its own.
        rows: The data, by the project's source.
        origin: Where all that was taken from, for people.
        machine: Kind of processor and system it was trained on; empty if nobody noted it.
        images: Content hash of the images that its rows point to; empty without any.
        directory: Where the project's folder was; empty if nobody noted it.
    """

    project: Project
    rows: Mapping[str, Source]
    origin: str
    machine: str
    images: str = ""
    directory: str = ""


def reproduce(
    project: Project,
    version: int,
    *,
    store: Store,
    settings: Settings,
    progress: Progress | None = None,
    keep: Path | None = None,
) -> Reproduction:
    """Make ``version`` again and compare.

    Args:
        project: Whose version.
        version: Its number.
        store: Where it is registered.
        settings: Working folder.
        progress: Told what happens.
        keep: Where to leave the bundle made now; by default it is thrown away.

    Raises:
        UnknownVersion: There is none of that number.
        NotRecorded: Nobody kept what it was made from, and it cannot be found out.
        DataGone: Its data is nowhere any more.
        ModelwrightError: Training failed.
    """
    started = time.time()
    record = store.versions.get(project.name, version)
    if record is None:
        latest = store.versions.latest(project.name)
        raise UnknownVersion(project.name, version, None if latest is None else latest.number)
    with tempfile.TemporaryDirectory(prefix="modelwright-again-") as folder:
        place = Path(folder)
        making = making_of(project, record, settings, place)
        changed = tuple(_changed(making, record, project))
        manifest = _made(making, project, record, keep or place / "bundle", progress or Silent())
    same = manifest.content_hash == record.content_hash
    return Reproduction(
        project=project.name,
        version=version,
        same=same,
        recorded=record.content_hash,
        found=manifest.content_hash,
        origin=making.origin,
        changed=changed,
        differences=() if same else tuple(_differences(settings.work_dir / record.bundle, manifest)),
        seconds=time.time() - started,
    )


def making_of(project: Project, record: VersionRecord, settings: Settings, place: Path) -> Making:
    """What a version was made from, its files in ``place``.

    Raises:
        NotRecorded: Nobody kept it, and it cannot be found out.
        RecipeInvalid: What was kept is not understood, or is another version's.
    """
    kept = recipe.read(settings.work_dir, record.number)
    if kept is None:
        found = recovered(project, record, place)
        return Making(found.project, found.rows, found.origin, "")
    try:
        file = ProjectFile.model_validate(kept.file)
    except ValidationError as error:
        raise RecipeInvalid(
            f"The project file kept with version {record.number} is not understood by this release.",
            f"Use the release that trained it: pip install modelwright=={kept.libraries.get('modelwright')}",
            details=[str(line["msg"]) for line in error.errors()],
        ) from error
    features = recipe.folder_of(settings.work_dir, record.number) / recipe.FEATURES
    again = Project(
        file=file,
        path=place / FILE,
        directory=place,
        working=settings.work_dir,
        features_path=features if features.is_file() else None,
        lines={},
    )
    rows = {str(source): each for source, each in zip(sources(again), kept.sources, strict=True)}
    if combined([each.md5 for each in kept.sources], images=kept.images) != record.dataset_md5:
        raise RecipeInvalid(
            f"The recipe kept for version {record.number} names other data than the version itself.",
            "It belongs to another version of that number: restore the right one from a backup.",
        )
    return Making(again, rows, "what was kept at the training", kept.machine, kept.images, kept.directory)


def read_again(making: Making, project: Project) -> Read:
    """Gives a source's rows as they were at the training; raises ``DataGone`` where they are nowhere."""

    def read(source: str | SqlSource, part: Part, again: Project, progress: Progress) -> Dataset:
        progress.stage(Stage.READ)
        rows = making.rows[str(source)]
        path = again.directory / "rows" / rows.md5 / rows.name
        bring_back(rows.md5, path, project_dir=project.directory, present=project.directory / rows.path)
        loaded = read_table(source, base=again.directory, missing=part.data.missing, materialised=path)
        # Images are not brought back: they are where the rows' paths point, beside the data as it was,
        # which is elsewhere for a relative path once the project was moved.
        folders = image_folders(source, project.directory / rows.path, project.directory)
        origin = Path(rows.origin)
        folders += (origin if origin.is_dir() else origin.parent,) if origin.is_absolute() else ()
        return Dataset(DatasetVersion(rows.md5, path, path, 0, 0), loaded, folders)

    return read


def _made(
    making: Making, project: Project, record: VersionRecord, folder: Path, progress: Progress
) -> Manifest:
    again = dataclasses.replace(making.project, file=_with_encoders(making.project.file, project))
    models, _ = make(again, read=read_again(making, project), progress=progress, watch=lambda: None)
    progress.stage(Stage.WRITE)
    origin = Origin(
        project=record.project,
        version=record.number,
        dataset_md5=record.dataset_md5,
        git_commit=record.git_commit,
        run_id=record.run_id,
        libraries=environment(),
    )
    source = derive_source(making.project.features_path)
    return write_bundle(folder, contents(models, origin, derive_source=source))


def _with_encoders(file: ProjectFile, project: Project) -> ProjectFile:
    """The file with the encoders it names where they lie, as it is itself in another folder now."""

    def placed(features: dict[str, Feature]) -> dict[str, Feature]:
        return {
            name: feature
            if feature.encoder_file is None
            else feature.model_copy(update={"encoder": str(project.resolve(feature.encoder_file))})
            for name, feature in features.items()
        }

    models = {
        name: model.model_copy(update={"features": placed(model.features)})
        for name, model in file.models.items()
    }
    return file.model_copy(update={"features": placed(file.features), "models": models})


def _changed(making: Making, record: VersionRecord, project: Project) -> Iterator[str]:
    """What is not as it was: libraries, the machine, code that nobody keeps."""
    yield from changed_libraries(record.environment, environment())
    if making.machine and making.machine != recipe.machine():
        yield f"the machine was {making.machine}, is {recipe.machine()} now"
    if making.images and making.images not in _images_now(making, project):
        yield "image files that the rows point to have changed, of which only today's are there"
    for name in _own_candidates(making.project):
        yield f"the candidate '{name}' is code of its own package, of which only today's is there"
    placed = dataclasses.replace(making.project, directory=project.directory)  # where encoders lie
    again = fingerprint_of(placed, record.dataset_md5, libraries=record.environment)
    if again != record.fingerprint:
        yield (
            "the project file or features.py that was kept is not the one that was trained with, "
            "or this release reads it with other defaults"
        )


def _images_now(making: Making, project: Project) -> Iterator[str]:
    """Content hashes of the images: by their paths from where the project is, and from where it was."""
    md5s = [each.md5 for each in making.rows.values()]
    yield images_of(md5s, project)
    if making.directory:
        yield images_of(md5s, dataclasses.replace(project, directory=Path(making.directory)))


def _own_candidates(project: Project) -> Iterator[str]:
    for part in parts_of(project.file):
        for candidate in part.train.candidates:
            name = candidate if isinstance(candidate, str) else next(iter(candidate))
            if "." in name and name.partition(".")[0] not in _OURS:
                yield name


def _differences(recorded: Path, now: Manifest) -> Iterator[str]:
    """Where the bundle made now differs from the registered one."""
    try:
        then = verify(recorded)
    except BundleInvalid as error:
        yield f"The registered bundle cannot be looked into: {error.reason}"
        return
    models = {entry.name: entry for entry in then.models}
    for entry in now.models:
        yield from _of_model(models.get(entry.name), entry)
    for name in sorted({*then.files, *now.files}):
        if then.files.get(name) != now.files.get(name):
            where = "" if name in then.files and name in now.files else " (only one of them has it)"
            yield f"The bundles' {name} differ{where}."


def _of_model(then: ModelEntry | None, now: ModelEntry) -> Iterator[str]:
    if then is None:
        yield f"There was no model '{now.name}'."
        return
    if then.estimator != now.estimator:
        yield f"Model '{now.name}': {then.estimator} won then, {now.estimator} wins now."
    for name, metric in now.metrics.items():
        before = then.metrics.get(name)
        if before is not None and before.value != metric.value:
            yield f"Model '{now.name}': {name} was {before.value:.6g}, is {metric.value:.6g}."
