"""What an older version was made from, where nobody kept it: looked for, and proven by its fingerprint.

A version's fingerprint covers its data, project file, ``features.py`` and libraries. So the project as
it is now, or as git has it at the version's commit, is the right one exactly if the fingerprint fits.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from modelwright.data.remote import PREFIX as REMOTE
from modelwright.data.remote import object_name
from modelwright.data.version import dataset_md5
from modelwright.errors import ExitCode, ModelwrightError
from modelwright.project.load import FEATURES, FILE, Project, load
from modelwright.project.mistakes import ProjectInvalid
from modelwright.project.model import SqlSource
from modelwright.project.sources import SAMPLE
from modelwright.store.records import VersionRecord
from modelwright.train.fingerprint import combined, fingerprint_of, sources
from modelwright.train.git import content_at
from modelwright.train.recipe import Source

_CSV = ".csv"


class NotRecorded(ModelwrightError):
    """Nobody kept what a version was made from, and it cannot be found out."""

    code = ExitCode.DATA


@dataclass(frozen=True)
class Recovered:
    """What was found: the project, its data by source, and where from."""

    project: Project
    rows: dict[str, Source]
    origin: str


def recovered(project: Project, record: VersionRecord, place: Path) -> Recovered:
    """The project that ``record`` was made from.

    Args:
        project: As it is now.
        record: The version.
        place: A folder of ours for what git has.

    Raises:
        NotRecorded: Neither fits.
    """
    for candidate, origin in _candidates(project, record, place):
        if fingerprint_of(candidate, record.dataset_md5, libraries=record.environment) == record.fingerprint:
            return Recovered(candidate, _rows(candidate, record, project.directory), origin)
    commit = record.git_commit or "none, it was not in git"
    raise NotRecorded(
        f"Version {record.number} was trained before recipes were kept, "
        "and the project file or features.py has changed since.",
        "Put both back as they were, then try again; later versions keep their own.",
        details=[f"git commit at the training: {commit}"],
    )


def _candidates(project: Project, record: VersionRecord, place: Path) -> Iterator[tuple[Project, str]]:
    again = _moved(project, place)
    yield again, "the project as it is now, which fits the version's fingerprint"
    commit = record.git_commit.removesuffix("-dirty")
    if not commit:
        return
    file = content_at(project.directory, commit, project.path.name)
    if file is None:
        return
    folder = place / "git"
    folder.mkdir()
    (folder / FILE).write_bytes(file)
    code = content_at(project.directory, commit, FEATURES)
    if code is not None:
        (folder / FEATURES).write_bytes(code)
    try:
        yield load(folder), f"git commit {commit}, which fits the version's fingerprint"
    except ProjectInvalid:  # of a release that allowed other things
        return


def _moved(project: Project, place: Path) -> Project:
    return Project(
        file=project.file,
        path=place / FILE,
        directory=place,
        working=project.working,
        features_path=project.features_path,
        lines={},
    )


def _rows(project: Project, record: VersionRecord, here: Path) -> dict[str, Source]:
    """The data by source; several are known only together, by the hash over theirs."""
    found = sources(project)
    if len(found) == 1:
        return {str(found[0]): _source(found[0], record.dataset_md5)}
    places = [here / _source(source, "").path for source in found]
    digests = [dataset_md5(path) if path.exists() else "" for path in places]
    if combined(digests) != record.dataset_md5:
        raise NotRecorded(
            f"Version {record.number} was trained on several sources before recipes were kept, "
            "and they have changed since.",
            "Put them back as they were, then try again; later versions keep their own.",
        )
    return {str(each): _source(each, md5) for each, md5 in zip(found, digests, strict=True)}


def _source(source: str | SqlSource, md5: str) -> Source:
    """Where the project had it: the form of the rows is told by the name."""
    if isinstance(source, SqlSource):
        return Source(name="extract.parquet", md5=md5, path="data/extract.parquet")
    if source.startswith(SAMPLE):
        name = source.removeprefix(SAMPLE) + _CSV
    elif source.startswith(REMOTE):
        name = object_name(source)
    else:
        return Source(name=Path(source).name, md5=md5, path=source)
    return Source(name=name, md5=md5, path=f"data/{name}")
