"""Image columns of training data: from the paths of files to the pictures in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from modelwright.bundle.pictures import Picture, PictureInvalid, data_url
from modelwright.data.arrays import ColumnArrays
from modelwright.errors import ExitCode, ModelwrightError
from modelwright.project.model import SqlSource
from modelwright.schema.columns import Kind, TableSchema

_SHOWN = 3
_MOST_ABSENT = 0.5
_LOOKED_AT = 300
_MOST_SHOWN = 32 << 10  # bytes of an image in an example


class PicturesAbsent(ModelwrightError):
    """The files that an image column names are not there, or are no images."""

    code = ExitCode.DATA


@dataclass(frozen=True)
class Pictured:
    """Column arrays with their pictures.

    Attributes:
        columns: As they were, cells of image columns being ``Picture`` s, "" where there is none.
        pictures: The image columns alone.
        warnings: What could not be read, sentences.
    """

    columns: ColumnArrays
    pictures: ColumnArrays
    warnings: tuple[str, ...]


def image_folders(source: str | SqlSource, path: Path, project_dir: Path) -> tuple[Path, ...]:
    """Where relative paths of image files start: beside the data file as the project names it, beside
    what was versioned of it, in the project's folder.

    Args:
        source: As the project file has it.
        path: The file or folder that was versioned.
        project_dir: The project's folder.
    """
    folders = [_beside(path), project_dir]
    if isinstance(source, str) and (project_dir / Path(source).expanduser()).exists():
        folders.insert(0, _beside(project_dir / Path(source).expanduser()))
    return tuple(dict.fromkeys(folder.resolve() for folder in folders))


def _beside(path: Path) -> Path:
    return path if path.is_dir() else path.parent


def absent_images(columns: ColumnArrays, schema: TableSchema, folders: Sequence[Path]) -> tuple[str, ...]:
    """Image columns of which no file at all is where it should be, judged by a few hundred of them."""
    found = []
    for column in schema:
        if column.kind is Kind.IMAGE:
            paths = list(dict.fromkeys(columns[column.name].tolist()))[:_LOOKED_AT]
            found += [] if any(_is_file(path, folders) for path in paths) else [column.name]
    return tuple(found)


def with_pictures(columns: ColumnArrays, schema: TableSchema, folders: Sequence[Path]) -> Pictured:
    """Find and name the files of image columns. Nothing is decoded yet.

    Args:
        columns: Column arrays; image columns hold paths.
        schema: Which columns are images.
        folders: Where relative paths start, tried in order.

    Raises:
        PicturesAbsent: Most of a column's files are not there or are no images.
    """
    found: ColumnArrays = {}
    warnings: list[str] = []
    for column in schema:
        if column.kind is Kind.IMAGE:
            found[column.name], warning = _pictures(column.name, columns[column.name], folders)
            warnings += [warning] if warning else []
    return Pictured({**columns, **found}, found, tuple(warnings))


def as_sent(pictures: Sequence[Picture | str], *, largest: int = _MOST_SHOWN) -> list[str | None]:
    """Pictures as a client would send them; those of more bytes than ``largest`` are left out."""
    return [
        data_url(cell.data()) if isinstance(cell, Picture) and cell.size <= largest else None
        for cell in pictures
    ]


def _pictures(name: str, paths: np.ndarray, folders: Sequence[Path]) -> tuple[np.ndarray, str]:
    known: dict[str, Picture | str] = {"": ""}
    faults: dict[str, str] = {}
    cells = np.empty(len(paths), dtype=object)
    for row, path in enumerate(paths.tolist()):
        if path not in known:
            try:
                known[path] = Picture.stored(located(path, folders))
            except OSError as error:
                known[path], faults[path] = "", error.strerror or str(error)
            except (PictureInvalid, ValueError) as error:  # ValueError: a path with a NUL in it
                known[path], faults[path] = "", str(error)
        cells[row] = known[path]
    if not faults:
        return cells, ""
    wrong = sum(path in faults for path in paths.tolist())
    filled = sum(path != "" for path in paths.tolist())
    shown = [f"{path!r}: {why}" for path, why in list(faults.items())[:_SHOWN]]
    if wrong > _MOST_ABSENT * filled:
        raise PicturesAbsent(
            f"{wrong:,} of the {filled:,} images of column {name!r} cannot be read.",
            "Put them where their paths point, which start at "
            + " or at ".join(str(folder) for folder in folders)
            + f"; or leave the column out with data.drop: [{name}].",
            details=shown,
        )
    return cells, (
        f"{wrong:,} of the {filled:,} images of column {name!r} cannot be read and count as missing "
        f"({'; '.join(shown)})."
    )


def _is_file(path: str, folders: Sequence[Path]) -> bool:
    try:
        return path != "" and located(path, folders).is_file()
    except (OSError, ValueError):  # too long a name, a NUL in it
        return False


def located(path: str, folders: Sequence[Path]) -> Path:
    """The file that a cell means: in the first of ``folders`` where there is one."""
    given = Path(path).expanduser()
    for folder in folders:
        if (folder / given).is_file():
            return folder / given
    return folders[0] / given
