"""What differs between what a version was trained from and what would be trained from now.

Imports no training library: ``up`` tells before it starts one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from modelwright.project.load import Project
from modelwright.project.model import SqlSource
from modelwright.project.sources import SAMPLE, SYNTHETIC
from modelwright.store.records import VersionRecord
from modelwright.train import recipe
from modelwright.train.fingerprint import combined, environment, images_of, md5_of, shaping, sources

_NAMED = 4


def changes_since(record: VersionRecord, project: Project, work_dir: Path) -> list[str]:
    """What is not as it was when ``record`` was trained, each as the end of a sentence.

    Empty where nothing is known to differ.

    Args:
        record: The version.
        project: As it is now.
        work_dir: Where recipes are kept.

    Raises:
        ModelwrightError: The data or the recipe cannot be read.
    """
    kept = recipe.read(work_dir, record.number)
    return [
        *_of_data(record, project, kept),
        *([] if kept is None else _of_file(kept, project)),
        *([] if kept is None else _of_features(recipe.folder_of(work_dir, record.number), project)),
        *changed_libraries(record.environment, environment()),
    ]


def changed_libraries(then: Mapping[str, str], now: Mapping[str, str]) -> Iterator[str]:
    """Python, this package and libraries that have another version now, by name."""
    for name in sorted({*then, *now}):
        was, found = then.get(name), now.get(name)
        if was != found:
            before = f"was {was}" if was else "was not installed"
            yield f"{name} {before}, {f'is {found}' if found else 'is not installed'} now"


def _of_data(record: VersionRecord, project: Project, kept: recipe.Recipe | None) -> Iterator[str]:
    md5 = md5_of(project)
    if md5 and md5 != record.dataset_md5:
        digests = [] if kept is None else [source.md5 for source in kept.sources]
        if digests and combined(digests, images=images_of(digests, project)) == md5:
            yield "image files that the rows point to changed"
            return
        yield f"the data changed ({', '.join(_name(source) for source in sources(project))})"
    elif not md5:
        far = [_name(source) for source in sources(project) if _is_far(source)]
        if far:
            yield f"whether the data changed is known only when it is read ({', '.join(far)})"


def _is_far(source: str | SqlSource) -> bool:
    return isinstance(source, SqlSource) or "://" in source


def _name(source: str | SqlSource) -> str:
    if isinstance(source, SqlSource):
        return "a query"
    return source if source.startswith((SAMPLE, SYNTHETIC)) else Path(source).name


def _of_file(kept: recipe.Recipe, project: Project) -> Iterator[str]:
    then, now = (dict(_leaves(shaping(file))) for file in (kept.file, recipe.plain_file(project)))
    keys = [key for key in (*now, *(key for key in then if key not in now)) if then.get(key) != now.get(key)]
    if keys:
        more = f" and {len(keys) - _NAMED} more" if len(keys) > _NAMED else ""
        yield f"{project.path.name} changed ({', '.join(keys[:_NAMED])}{more})"


def _leaves(value: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for key, each in value.items():
        if isinstance(each, Mapping) and each:
            yield from _leaves(each, f"{before}{key}.")
        elif each is not None and each is not False and each not in ("", [], {}):  # what is not said
            yield f"{before}{key}", each


def _of_features(folder: Path, project: Project) -> Iterator[str]:
    kept = folder / recipe.FEATURES
    then = kept.read_bytes() if kept.is_file() else None
    now = None if project.features_path is None else project.features_path.read_bytes()
    if then != now:
        what = "is new" if then is None else "is gone" if now is None else "changed"
        yield f"{recipe.FEATURES} {what}"
