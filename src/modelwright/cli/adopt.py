"""A bare data file becomes a project: its columns are looked at and a project file is written."""

from __future__ import annotations

import re
from pathlib import Path

from modelwright.errors import ExitCode, ModelwrightError
from modelwright.project.load import FILE, load
from modelwright.project.write import AlreadyThere
from modelwright.schema.metrics import Task


class CannotAdopt(ModelwrightError):
    """A project cannot be made of this data file without being told more."""

    code = ExitCode.USAGE


class NoSuchColumn(ModelwrightError):
    """The data has no column of the name that was given."""

    code = ExitCode.DATA


def is_data(where: str) -> bool:
    """Whether ``where`` names data rather than a project.

    That is ``sklearn:NAME``, a file that is not YAML (also one that is not there, going by its name),
    or a folder with Parquet files and no project file.
    """
    path = Path(where)
    if where.startswith("sklearn:"):
        return True
    if path.is_dir():
        return not (path / FILE).exists() and any(path.glob("*.parquet"))
    return path.suffix.lower() not in ("", ".yaml", ".yml")


def adopt(where: str, *, target: str | None, task: Task | None, name: str | None) -> Path:
    """The project file for the data at ``where``: the one beside it, or a new one.

    Args:
        where: A data file; the project file is written into its folder. ``sklearn:NAME`` becomes a
            folder of that name here.
        target: Column to predict; none for a clustering.
        task: What to do; guessed from the target where not given.
        name: Project name; made of the file's name where not given.

    Raises:
        NoSuchColumn: The target is none of the data's columns.
        CannotAdopt: No target was given, or the folder has a project for other data.
        ModelwrightError: The data cannot be read or does not validate; nothing was written.
    """
    target = target or None  # an empty word is none
    folder = (
        Path(where.removeprefix("sklearn:"))
        if where.startswith("sklearn:")
        else Path(where).absolute().parent
    )
    source = where if where.startswith("sklearn:") else Path(where).name
    if not (folder / FILE).exists():
        try:
            return _write(folder, source, target, task, name)
        except AlreadyThere:  # another command was faster
            pass
    return _existing(folder, source, target)


def _existing(folder: Path, source: str, target: str | None) -> Path:
    """The project that is there, if it is about the same data and target."""
    project = load(folder)
    data = project.file.data
    same_source = isinstance(data.source, str) and (
        data.source == source or project.resolve(data.source) == (folder / source).resolve()
    )
    if not same_source:
        raise CannotAdopt(
            f"{project.path} is there already, for other data ({data.source}).",
            f"Run it by its folder (modelwright up '{folder}'), or move {source} into a folder of its own.",
        )
    if target is not None and target != data.target:
        raise CannotAdopt(
            f"{project.path} is there already and predicts {data.target!r}, not {target!r}.",
            "Change data.target in it, or leave --target out.",
        )
    return project.path


def _write(folder: Path, source: str, target: str | None, task: Task | None, name: str | None) -> Path:
    from modelwright.data.faults import nearest, shorten
    from modelwright.data.guess import guess_task
    from modelwright.data.infer import infer_schema
    from modelwright.data.load import locate, read_table
    from modelwright.data.validate import validate
    from modelwright.project import write
    from modelwright.project.model import NAME, Data
    from modelwright.project.sources import is_path

    if is_path(source):
        locate(source, folder, "Check the path.")
    if name is not None and re.fullmatch(NAME, name) is None:
        raise CannotAdopt(
            f"'{name}' cannot be the name of a project.",
            f"Use 1 to 63 letters (a to z), digits, - and _, for example: --name {write.slug(name)}",
        )
    loaded = read_table(source, base=folder)
    names = loaded.table.column_names
    if target and target not in names:
        near = nearest(target, names)
        raise NoSuchColumn(
            f"{source} has no column {target!r}.",
            f"Did you mean {near}?" if near else "Name one of its columns with --target.",
            details=[f"columns: {shorten(names, 40)}"],
        )
    if target is None and source.startswith("sklearn:") and "target" in names:
        target = "target"
    if target is None and task is not Task.CLUSTERING:
        raise CannotAdopt(
            "Which column is to be predicted?",
            "Name it with --target, or look for groups with --task clustering.",
            details=[f"columns: {shorten(names, 40)}"],
        )
    data = Data(source=source, target=target)
    if task is None:
        task = guess_task(loaded.table.column(target)) if target in names else Task.CLASSIFICATION
    inferred = infer_schema(loaded.table, data, {}, task)
    validate(loaded.table, inferred, data, task).raise_errors()
    target_column = inferred.schema.target
    labels = len(target_column.categories) if target_column and task is Task.CLASSIFICATION else None
    found = write.Inferred(
        source=source,
        task=task,
        target=target,
        id=inferred.schema.identifier,
        rows=loaded.table.num_rows,
        width=len(names),
        labels=labels or None,
    )
    if name is None and source == "data":  # says nothing, where the folder around it does
        name = write.slug(folder.name)
    return write.infer_file(folder, found, name=name)
