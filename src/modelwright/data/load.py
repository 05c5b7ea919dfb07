"""Reads a project's data into an Arrow table, wherever it lies."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pa_parquet

from modelwright.data import cells, columnar, extract, missing, remote, samples, synthetic
from modelwright.data.delimited import read_delimited
from modelwright.data.faults import DataUnreadable
from modelwright.data.tap import open_bytes
from modelwright.files import replacing, write_stream
from modelwright.project import nearby
from modelwright.project.model import SqlSource
from modelwright.project.sources import SAMPLE, SYNTHETIC, is_path
from modelwright.schema.missing import AMONG_NUMBERS, SPELLINGS
from modelwright.schema.urls import mask_url

DELIMITED = frozenset({".csv", ".tsv", ".tab", ".txt", ".psv"})
JSON_LINES = frozenset({".jsonl", ".ndjson"})
PARQUET = frozenset({".parquet", ".pq"})
_FOLDER = "data"
_IN_THE_FILE = "Check data.source in the project file; a relative path starts at the project's folder."


class Loaded(NamedTuple):
    """A table as it was read.

    Attributes:
        table: int64, float64, bool, string and timestamp[us, UTC] columns of one chunk each; cells
            that spell "missing" are null.
        path: The file or folder that was read; none if the rows came from elsewhere.
        label_names: What the source itself calls the target's values.
        origin: Where it came from, for people; passwords masked.
        missing: For each string column, how many cells had each spelling of "missing".
    """

    table: pa.Table
    path: Path | None
    label_names: dict[str, str]
    origin: str
    missing: dict[str, dict[str, int]]


def read_table(
    source: str | SqlSource,
    *,
    base: Path,
    missing: Sequence[str] | None = None,
    materialised: Path | None = None,
) -> Loaded:
    """Read a source: CSV, TSV, JSON lines, Parquet (``.gz`` too), a folder of Parquet,
    ``sklearn:NAME``, ``synthetic:SCRIPT``, ``s3://…``, or a query.

    Args:
        source: As the project file has it.
        base: Folder that relative paths start from.
        missing: Spellings of a missing value in place of the default ones.
        materialised: What ``materialise`` made of this source; read instead of going there again.

    Raises:
        DataUnreadable: It is absent, empty, damaged, or no table; the message says where and why.
        ModelwrightError: A database or a part that it needs is not available.
    """
    label_names: dict[str, str] = {}
    path = materialised
    if isinstance(source, str) and source.startswith(SAMPLE):
        sample = samples.load_sample(source.removeprefix(SAMPLE))
        raw, codes, label_names = sample.table, frozenset[str](), sample.label_names
        if path is not None:
            raw, codes = _read_path(path, missing)
    elif path is not None:
        raw, codes = _read_path(path, missing)
    elif isinstance(source, SqlSource):
        raw, codes = extract.read_query(source, base), frozenset()
    elif source.startswith((remote.PREFIX, SYNTHETIC)):
        path = materialise(source, project_dir=base)
        raw, codes = _read_path(path, missing)
    else:
        path = locate(source, base)
        raw, codes = _read_path(path, missing)
    table, spellings = _without_missing(columnar.canonical(raw), codes, missing)
    if not table.num_rows:
        raise DataUnreadable(f"{_origin(source, base)} has no rows.", "Name data that has rows.")
    return Loaded(table, path, label_names, _origin(source, base), spellings)


def locate(source: str, base: Path, otherwise: str = _IN_THE_FILE) -> Path:
    """The file or folder that a path of the project file means.

    Args:
        source: As the project file, or a person, has it.
        base: Folder that relative paths start from.
        otherwise: What to do where nothing of a similar name is there.

    Raises:
        DataUnreadable: There is none; near names are suggested.
    """
    path = Path(source).expanduser()
    path = path if path.is_absolute() else base / path
    if path.exists():
        return path
    if path.with_name(path.name + ".dvc").is_file():
        raise DataUnreadable(
            f"The file {path} is under version control by DVC, but not here.",
            f"Bring it here: dvc checkout '{path}.dvc', or from a remote: dvc pull '{path}.dvc'",
        )
    raise DataUnreadable(f"There is no file {path}.", nearby.remedy(path, otherwise))


def materialise(source: str | SqlSource, *, project_dir: Path) -> Path:
    """Make the file (or folder) inside the project that holds this data and can be versioned.

    One inside the project is used as it is; one outside is copied to ``data/``, as are an object of
    S3, a set of scikit-learn's and synthetic rows (CSV, written once) and the rows of a query (Parquet,
    extracted anew).

    Raises:
        DataUnreadable: The source is not there.
        StorageFailure: The disk refused; nothing half-written is left.
    """
    folder = project_dir / _FOLDER
    if isinstance(source, SqlSource):
        return _write_extract(source, project_dir)
    if source.startswith(SAMPLE):
        path = folder / f"{source.removeprefix(SAMPLE)}.csv"
        if not path.exists():
            table = samples.load_sample(source.removeprefix(SAMPLE)).table
            with replacing(path, f"writing {path.name}") as draft:
                pa_csv.write_csv(table, draft)
        return path
    if source.startswith(remote.PREFIX):
        path = folder / remote.object_name(source)
        remote.download(source, path)
        return path
    if source.startswith(SYNTHETIC):
        return synthetic.made(source, project_dir)
    path = locate(source, project_dir)
    if path.resolve().is_relative_to(project_dir.resolve()):
        return path
    return _copy_in(path, folder / path.name)


def _write_extract(source: SqlSource, project_dir: Path) -> Path:
    name = hashlib.sha256(f"{mask_url(source.url)}\n{source.query}".encode()).hexdigest()[:8]
    path = project_dir / _FOLDER / f"extract-{name}.parquet"
    table = columnar.canonical(extract.read_query(source, project_dir))
    with replacing(path, "writing the extract") as draft:
        pa_parquet.write_table(table, draft)
    return path


def _copy_in(path: Path, target: Path) -> Path:
    if path.is_dir():
        for file in sorted(item for item in path.rglob("*") if item.is_file()):
            _copy_file(file, target / file.relative_to(path))
    else:
        _copy_file(path, target)
    return target


def _copy_file(path: Path, target: Path) -> None:
    if target.exists():
        if _same_bytes(path, target):
            return
        _refuse_to_replace(path, target)
    try:
        file = path.open("rb")
    except OSError as error:
        raise DataUnreadable(
            f"The file {path} cannot be read: {error.strerror}.", f"Check its rights: ls -l '{path}'"
        ) from error
    with file:
        write_stream(target, iter(lambda: file.read(1 << 20), b""), f"copying {path.name} into the project")


def _refuse_to_replace(path: Path, target: Path) -> None:
    """Replace only what is versioned, and so can be had again: the person's own file stays."""
    folders = [target, *target.parents]
    if not any(place.with_name(place.name + ".dvc").is_file() for place in folders if place.name):
        raise DataUnreadable(
            f"{path} would be copied to {target}, but another file of that name is there.",
            "Rename one of them, or set data.source to the one in the project.",
        )


def _same_bytes(one: Path, other: Path) -> bool:
    if one.stat().st_size != other.stat().st_size:
        return False
    with one.open("rb") as left, other.open("rb") as right:
        while block := left.read(1 << 20):
            if block != right.read(1 << 20):
                return False
    return True


def _origin(source: str | SqlSource, base: Path) -> str:
    if isinstance(source, SqlSource):
        return f"query at {mask_url(source.url)}"
    if source.startswith(SYNTHETIC):
        return synthetic.told(source)
    if not is_path(source):
        return source
    return str((base / Path(source).expanduser()).resolve())


def _read_path(path: Path, spellings: Sequence[str] | None) -> tuple[pa.Table, frozenset[str]]:
    if path.is_dir():
        return columnar.read_folder(path), frozenset()
    if not path.is_file():
        raise DataUnreadable(f"{path} is no file.", "Name a file, or a folder of Parquet files.")
    suffixes = [suffix.lower() for suffix in path.suffixes]
    form = suffixes[-2] if len(suffixes) > 1 and suffixes[-1] == ".gz" else (suffixes or [""])[-1]
    _refuse_empty(path)
    if form in PARQUET:
        return columnar.read_parquet(path), frozenset()
    if form in JSON_LINES:
        return columnar.read_json_lines(path), frozenset()
    if form in DELIMITED:
        among_numbers = AMONG_NUMBERS if spellings is None else tuple(spellings)
        return read_delimited(path, among_numbers)
    known = ", ".join(sorted(DELIMITED | JSON_LINES | PARQUET))
    raise DataUnreadable(
        f"The form of {path} is not known by its name.",
        f"Name a file that ends in one of {known} (each also with .gz), or a folder of Parquet files.",
    )


def _refuse_empty(path: Path) -> None:
    with open_bytes(path):
        pass
    if path.stat().st_size == 0:
        raise DataUnreadable(f"The file {path} is empty.", "Name a file that has rows.")


def _without_missing(
    table: pa.Table, codes: frozenset[str], spellings: Sequence[str] | None
) -> tuple[pa.Table, dict[str, dict[str, int]]]:
    """Null the cells that spell "missing"; strings that are all numbers become numbers."""
    words = SPELLINGS if spellings is None else tuple(spellings)
    found: dict[str, dict[str, int]] = {}
    for place, name in enumerate(table.column_names):
        column = table.column(place)
        if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
            column = missing.blank_numbers(column, spellings or ())
        elif pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            column, counts = missing.blank(column, words)
            found |= {name: counts} if counts else {}
            if name not in codes:
                column = _numeric_if_all(column, AMONG_NUMBERS if spellings is None else words)
        if column is not table.column(place):
            table = table.set_column(place, name, column)
    return table, found


def _numeric_if_all(column: pa.ChunkedArray, among_numbers: Sequence[str]) -> pa.ChunkedArray:
    """Floats, where every cell is a number or a word that means none among numbers."""
    if column.null_count == len(column) or not _looks_numeric(column, among_numbers):
        return column
    distinct = cells.cells(column)
    values, fits = cells.numbers(distinct.values)
    words = pc.is_in(
        pc.utf8_trim_whitespace(distinct.values), value_set=pa.array(among_numbers, distinct.values.type)
    ).to_numpy(zero_copy_only=False)
    if not fits.any() or not (fits | words).all():
        return column
    spread = distinct.spread(values, float("nan"))
    return pa.chunked_array([pa.array(spread, pa.float64(), from_pandas=True)])


def _looks_numeric(column: pa.ChunkedArray, among_numbers: Sequence[str]) -> bool:
    """Whether the first filled cells speak for numbers: a look that spares text columns the rest."""
    head = column.slice(0, 1000).drop_null().unique()
    head = cells.one_chunk(head)
    if not len(head):
        return True
    words = pc.is_in(pc.utf8_trim_whitespace(head), value_set=pa.array(among_numbers, head.type))
    return bool((cells.numbers(head)[1] | words.to_numpy(zero_copy_only=False)).all())
